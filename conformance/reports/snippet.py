"""A few lines of Python that show one counterexample to whoever runs them."""

from collections.abc import Mapping
from typing import Any

from ..case import Case, spell_options
from ..estimate import Array
from ..inspection import Inspection, Numbers

# Names of our own backends, which the snippet can ask for by themselves.
BACKENDS = ("reference", "numba", "torch")
# Numbers that a reader can still look through; cases with more are replayed by their id.
MOST_NUMBERS = 200

_DIRECT = """import numpy as np

{backend}
{imports}
nan, inf = np.nan, np.inf

def given(values):
    return backend.from_numpy(np.array(values, dtype="float64").astype("{carrier}"), "{dtype}")

{arrays}
{options}result = backend.to_numpy(backend.{call})
print("given", result[{at}].item())
print("expected", {expected!r}, "within", {budget!r})
"""
# The same through the door that judged it, in this process, where a debugger can follow.
_FOREIGN = """import numpy as np

from sasakit.conformance.case import Case
from sasakit.conformance.doors import load_described
{imports}
nan, inf = np.nan, np.inf

def given(values):
    return np.array(values, dtype="float64")

{arrays}
case = Case({operation!r}, {names}, {options}, {dtype!r})
target = load_described({described!r})
result = target.read(target.call(case, target.native(case)))
target.close()
print("given", result[{at}].item())
print("expected", {expected!r}, "within", {budget!r})
"""
_FOREIGN_REPLAY = """from sasakit.conformance.isolation.target import IsolatedTarget
from sasakit.conformance.runner import replay

with IsolatedTarget({name!r}, {described!r}) as target:
    verdict = replay({case!r}, target)
print(*(verdict.failures or [verdict.reason or "It holds."]), sep="\\n")
"""
_REPLAY = """from sasakit.conformance.runner import replay
from sasakit.conformance.target import backend_target
{backend}

target = backend_target({name!r}, backend)
verdict = replay({case!r}, target)
print(*(verdict.failures or ["It holds."]), sep="\\n")
"""


def snippet(seen: Inspection, target: str) -> str:
    """Source that reproduces the inspected case: alone where its arrays are few numbers."""
    numbers = seen.numbers
    if numbers is None or not _stands_alone(seen):
        if seen.described is not None:
            return _FOREIGN_REPLAY.format(name=target, described=dict(seen.described),
                                          case=seen.case_id)
        return _REPLAY.format(backend=_backend(target), name=target, case=seen.case_id)
    case = seen.case
    _, due, within, _ = numbers.at_worst()
    kind = "" if case.options is None else type(case.options).__name__
    if seen.described is not None:
        return _foreign(seen, seen.described, numbers, kind)
    return _DIRECT.format(
        backend=_backend(target), dtype=case.dtype,
        imports=f"from sasakit.reference import {kind}\n" if kind else "",
        carrier="float32" if case.dtype == "bfloat16" else case.dtype,
        arrays="\n".join(_arrays(case)),
        options=f"options = {spell_options(case.options)}\n" if kind else "",
        call=_call(case), at=", ".join(map(str, _own_index(case, numbers))),
        expected=due, budget=within)


def _foreign(seen: Inspection, described: Mapping[str, Any], numbers: Numbers, kind: str) -> str:
    case = seen.case
    _, due, within, _ = numbers.at_worst()
    values = [f"{name} = {'None' if array is None else f'given({_literal(array)})'}"
              for name, array in case.arrays.items()]
    return _FOREIGN.format(
        imports=f"from sasakit.reference import {kind}\n" if kind else "", arrays="\n".join(values),
        operation=case.operation, names=f"dict({', '.join(f'{n}={n}' for n in case.arrays)})",
        options=spell_options(case.options) if kind else None, dtype=case.dtype,
        described=dict(described), at=", ".join(map(str, _own_index(case, numbers))),
        expected=due, budget=within)


def _backend(target: str) -> str:
    if target in BACKENDS:
        return f"from sasakit.accel import resolve_backend\n\nbackend = resolve_backend({target!r})"
    return "from sasakit import reference as backend  # put your implementation here"


def _stands_alone(seen: Inspection) -> bool:
    """Whether one call shows it: a plain comparison of a small case."""
    case = seen.case
    numbers = sum(array.size for array in case.arrays.values()
                  if array is not None and array.any())
    return seen.name == case.operation != "network" and not case.types \
        and case.layout == "contiguous" and numbers <= MOST_NUMBERS


def _arrays(case: Case) -> list[str]:
    """One line for each array; a layer's and a stem's weights by name."""
    lines = {name: "None" if array is None else f"given({_literal(array)})"
             for name, array in case.arrays.items()}
    if case.operation not in ("attention_layer", "stem"):
        return [f"{name} = {value}" for name, value in lines.items()]
    first = next(iter(lines))
    weights = [f"    {name!r}: {value}," for name, value in lines.items() if name != first]
    return [f"{first} = {lines[first]}", "weights = {", *weights, "}"]


def _literal(array: Array) -> str:
    return repr(array.tolist()) if array.any() else f"np.zeros({array.shape})"


def _call(case: Case) -> str:
    names = list(case.arrays)
    given = [names[0], "weights"] if case.operation in ("attention_layer", "stem") else names
    options = [] if case.options is None else ["options=options"]
    return f"{case.operation}({', '.join([*given, *options])})"


def _own_index(case: Case, seen: Numbers) -> tuple[int, ...]:
    """The worst index in the result as it is given, where a layer's heads are not split."""
    if case.operation != "attention_layer" or len(seen.worst) != 5:
        return seen.worst
    *pixel, head, channel = seen.worst
    return (*pixel, head * seen.rho.shape[-1] + channel)
