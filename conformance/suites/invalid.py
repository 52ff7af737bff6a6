"""Chapter 11, invalid input: INV-1 to INV-6, the same error as the reference's, type and text."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from sasakit import reference
from sasakit.reference.contract.options import AttentionOptions, StemOptions

from ..builders import attention_cases, layer_cases, mixture_cases, stem_cases
from ..case import Case
from ..draw import Draw
from ..isolation.failure import TargetFailure
from ..judge import Disagreement
from ..property import NotApplicable, clause
from ..target import BackendTarget, Target

NUMPY_TYPES = ("float64", "float32")
FORM = re.compile(r"^`\w+` must .+; got .+\.$", re.DOTALL)
operations: tuple[Callable[..., Case], ...] = (
    partial(attention_cases, extent=3), partial(layer_cases, extent=3), mixture_cases, stem_cases,
    partial(attention_cases, operation="relative_logits", extent=3))


def refused_alike(case: Case, target: Target) -> float:
    """The target refuses the case as the reference does; cases that are valid are passed over."""
    want = _error(case, BackendTarget("reference", reference))
    if want is None:
        raise NotApplicable
    got = _error(case, target)
    if got is None or _spell(got) != _spell(want):
        raise Disagreement(f"{case.operation}: {_spell(got)}; expected {_spell(want)}.")
    return 0.0


def _spell(error: Exception | None) -> str:
    if isinstance(error, TargetFailure):
        return str(error.raised or error)
    if error is None:
        return "no error"
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}: {error}"


def _error(case: Case, target: Target) -> Exception | None:
    try:
        target.call(case, target.native(case))
    except TargetFailure as failure:
        if failure.kind != "exception":
            raise
        return failure
    except Exception as error:
        return error
    return None


def _any_case(draw: Draw, dtype: str) -> Case:
    return draw.choice("operation", operations)(draw, dtype)


Spoil = Callable[[np.ndarray, np.random.Generator], Any]


def _spoiled(draw: Draw, dtype: str, *, ways: dict[str, Spoil]) -> Case:
    """A valid case with one array spoiled in one way."""
    case = _any_case(draw, dtype)
    name = draw.choice("in", [n for n, a in case.arrays.items() if a is not None])
    way = draw.choice("way", tuple(ways))
    rng = draw.numbers("place")
    return replace(case, arrays=dict(case.arrays) | {name: ways[way](case.arrays[name], rng)})


def _longer(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    axis = int(rng.integers(array.ndim))
    return np.concatenate([array, array.take([0], axis)], axis)


def _emptied(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return array.take([], int(rng.integers(array.ndim)))


SHAPES: dict[str, Spoil] = {
    "an axis less": lambda a, _: a[0],
    "an axis more": lambda a, _: a[None],
    "an axis longer": _longer,
    "an axis empty": _emptied,
}


@clause("INV-2", partial(_spoiled, ways=SHAPES), NUMPY_TYPES, len(operations))
def wrong_shapes_are_refused(case: Case, target: Target) -> float:
    """Rank, lengths and empty axes of every array."""
    return refused_alike(case, target)


def _retyped(draw: Draw, dtype: str) -> Case:
    """A valid case with one array of another type."""
    case = _any_case(draw, dtype)
    name = draw.choice("in", [n for n, a in case.arrays.items() if a is not None])
    other = "float32" if dtype == "float64" else "float64"
    kind = draw.choice("type", ("int64", "int32", "bool", "complex64", other))
    return replace(case, types={name: kind})


@clause("INV-3", _retyped, NUMPY_TYPES, len(operations))
def other_types_are_refused(case: Case, target: Target) -> float:
    """Integers, booleans, complex numbers, and floats unlike the others."""
    return refused_alike(case, target)


@clause("INV-4", _any_case, NUMPY_TYPES, len(operations))
def other_options_are_refused(case: Case, target: Target) -> float:
    """Options of another operation."""
    if case.options is None:
        raise NotApplicable
    wrong = AttentionOptions() if isinstance(case.options, StemOptions) else StemOptions()
    return refused_alike(replace(case, options=wrong), target)


def _indivisible(draw: Draw, dtype: str) -> Case:
    """Heads that do not divide, or a depth that halves cannot share."""
    cases = draw.choice("operation", (
        partial(layer_cases, extent=3, relative=("shared", "layer_halves"),
                projection=("dense", "per_head")), partial(stem_cases, kinds=("plain",))))
    case = cases(draw, dtype)
    heads = draw.integer("heads", 1, 7)
    return replace(case, options=replace(case.options, heads=heads))  # type: ignore[type-var]


@clause("INV-5", _indivisible, NUMPY_TYPES, 2)
def sizes_that_do_not_divide_are_refused(case: Case, target: Target) -> float:
    """Layers and stems asked for other heads than their weights have."""
    return refused_alike(case, target)


def _misnamed(draw: Draw, dtype: str) -> Case:
    """A layer or stem that lacks a weight, has one more, or has one by another name."""
    cases: tuple[Callable[..., Case], ...] = (partial(layer_cases, extent=3), stem_cases)
    case = draw.choice("operation", cases)(draw, dtype)
    arrays = dict(case.arrays)
    name = draw.choice("weight", list(arrays)[1:])
    way = draw.choice("way", ("missing", "more", "renamed"))
    array = arrays[name] if way == "more" else arrays.pop(name)
    if way != "missing":
        arrays["w_other"] = array
    return replace(case, arrays=arrays)


@clause("INV-6", _misnamed, NUMPY_TYPES, 2)
def other_names_are_refused(case: Case, target: Target) -> float:
    """Weights missing, unknown or misspelled."""
    return refused_alike(case, target)


@clause("INV-1", partial(_spoiled, ways=SHAPES), NUMPY_TYPES, len(operations))
def errors_have_one_form(case: Case, target: Target) -> float:
    """The argument first, then the rule, then what was given."""
    error = _error(case, target)
    if error is None:
        raise NotApplicable
    raised = error.raised if isinstance(error, TargetFailure) else None
    is_kin = isinstance(error, ValueError | TypeError) if raised is None \
        else bool({"ValueError", "TypeError"} & set(raised.bases))
    if not is_kin or not FORM.match(str(error) if raised is None else raised.text):
        raise Disagreement(f"{case.operation}: {_spell(error)} is not of the form of INV-1.")
    return 0.0
