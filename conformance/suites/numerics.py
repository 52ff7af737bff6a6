"""Chapter 10, numerics: NUM-1 to NUM-7."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..builders import (
    EVERY_OPTION,
    attention_cases,
    every_layout,
    layer_cases,
    mixture_cases,
    network_cases,
    stem_cases,
)
from ..case import Case
from ..draw import Draw
from ..judge import Disagreement, same_bits
from ..property import agrees, clause, layers_agree, run
from ..target import Target

every_operation: tuple[Callable[..., Case], ...] = (
    partial(attention_cases, operation="relative_logits", extent=3), partial(layer_cases, extent=3),
    partial(attention_cases, extent=3), mixture_cases, stem_cases)


def any_operation(draw: Draw, dtype: str) -> Case:
    """Cases of all operations but the network."""
    return draw.choice("operation", every_operation)(draw, dtype)


@clause("NUM-1", any_operation, weight=len(every_operation))
def the_type_is_kept(case: Case, target: Target) -> float:
    """Results have the inputs' dtype."""
    result = target.call(case, target.native(case))
    if target.result_dtype(result) != case.dtype:
        raise Disagreement(
            f"{case.operation}: dtype {target.result_dtype(result)}; expected {case.dtype}.")
    return 0.0


@clause("NUM-2", partial(attention_cases, **EVERY_OPTION))
def attention_agrees_under_every_option(case: Case, target: Target) -> float:
    """All options vary at once."""
    return agrees(case, target)


@clause("NUM-2", partial(layer_cases, projection=("dense", "per_head"), **EVERY_OPTION))
def layers_agree_under_every_option(case: Case, target: Target) -> float:
    """The same for the layer."""
    return agrees(case, target)


@clause("NUM-2", partial(network_cases, stem=("conv", "mixture"), padding=("zero", "exclude"),
                         relative=("shared", "per_head", "layer_halves"), content=(True, False)))
def networks_agree(case: Case, target: Target) -> float:
    """Every layer of a small network."""
    return layers_agree(case, target)


def _large_logits(draw: Draw, dtype: str) -> Case:
    """Integers times 64, so that logits reach thousands and are exact; float16 holds them."""
    case = attention_cases(draw, dtype, extent=(1, 2, 3), position=("none", "relative"),
                           regimes=("integers",))
    arrays = dict(case.arrays) | {"query": case.arrays["query"] * 64}
    if case.arrays["key"] is not None:
        arrays["key"] = case.arrays["key"] * 8
    return replace(case, arrays=arrays)


@clause("NUM-3", _large_logits)
def large_logits_do_not_overflow(case: Case, target: Target) -> float:
    """Logits of thousands, exact in every type."""
    return agrees(case, target)


def _not_finite(draw: Draw, dtype: str) -> Case:
    """One number of one array is NaN or infinite."""
    case = attention_cases(draw, dtype, extent=(1, 2, 3), padding=("zero", "exclude", "shift"),
                           position=("none", "relative"), regimes=("normal",))
    rng = draw.numbers("place")
    name = draw.choice("in", [n for n, a in case.arrays.items() if a is not None])
    array = case.arrays[name].copy()
    bad = draw.choice("number", (np.nan, np.inf, -np.inf))
    array[tuple(int(rng.integers(size)) for size in array.shape)] = bad
    return replace(case, arrays=dict(case.arrays) | {name: array})


@clause("NUM-4", _not_finite, weight=3)
def nan_and_infinity_go_where_they_must(case: Case, target: Target) -> float:
    """Finite exactly where the equation is."""
    return agrees(case, target)


def _empty_batches(draw: Draw, dtype: str) -> Case:
    case = any_operation(draw, dtype)
    batched = ("query", "key", "value", "x", "images")
    arrays = {name: array[:0] if name in batched and array is not None else array
              for name, array in case.arrays.items()}
    return replace(case, arrays=arrays)


@clause("NUM-5", _empty_batches, weight=len(every_operation))
def empty_batches_give_empty_results(case: Case, target: Target) -> float:
    """Zero items in, zero items out."""
    return agrees(case, target)


laid_out: tuple[Callable[..., Case], ...] = (
    partial(attention_cases, extent=3), partial(layer_cases, extent=3), mixture_cases)


def _layouts(draw: Draw, dtype: str) -> Case:
    return draw.choice("operation", laid_out)(draw, dtype, layouts=every_layout())


@clause("NUM-6", _layouts, weight=len(laid_out))
def memory_does_not_matter(case: Case, target: Target) -> float:
    """Strides of either sign, either order, read-only; and the inputs are as before."""
    native = target.native(case)
    before = {name: target.read(array).copy() for name, array in native.items()
              if array is not None}
    target.call(case, native)
    for name, array in before.items():
        same_bits(f"{case.operation}, input {name}", target.read(native[name]), array)
    return agrees(case, target)


@clause("NUM-7", any_operation, weight=len(every_operation))
def the_same_call_gives_the_same_bits(case: Case, target: Target) -> float:
    """Twice in a row."""
    same_bits(case.operation, run(case, target), run(case, target))
    return 0.0
