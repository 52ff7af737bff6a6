"""A property: one clause, the cases that show it, and the check that each must pass."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .case import Case, expect
from .draw import Draw
from .estimate import Array
from .judge import Disagreement, expected, measure
from .network_layers import expected_layers
from .target import Target

Check = Callable[[Case, Target], float]
Cases = Callable[[Draw, str], Case]


class NotApplicable(Exception):
    """A case that says nothing of its property; it is passed over and not counted."""


@dataclass(frozen=True)
class Property:
    """One property of one clause.

    cases      builds a case from drawn choices and a dtype
    check      rho of one case; raises Disagreement, or NotApplicable
    dtypes     the types it is asked in; None means all that the target takes
    weight     how many operations or arrays its cases are spread over: it is asked so many times
               more cases
    gradients  whether it asks for gradients, which not every target offers
    """

    clause: str
    name: str
    cases: Cases
    check: Check
    dtypes: tuple[str, ...] | None = None
    weight: int = 1
    gradients: bool = False


PROPERTIES: list[Property] = []


def clause(clause_id: str, cases: Cases, dtypes: tuple[str, ...] | None = None, weight: int = 1,
           gradients: bool = False) -> Callable[[Check], Check]:
    """Register a check as a property of a clause, with the cases that it is asked."""
    def register(check: Check) -> Check:
        PROPERTIES.append(Property(clause_id, check.__name__, cases, check, dtypes, weight,
                                   gradients))
        return check
    return register


def run(case: Case, target: Target) -> Array:
    """The target's result for a case, as NumPy."""
    return target.read(target.call(case, target.native(case)))


def agrees(case: Case, target: Target) -> float:
    """Rho of the target's result against the reference; raises Disagreement."""
    want = expect(case, target.profile(case.dtype))
    return measure(case.operation, run(case, target), want, case.judged)


def layers_agree(case: Case, target: Target, *endings: str) -> float:
    """Worst rho over a network's layers whose names end so, or all; raises Disagreement.

    Every layer is judged from the target's own inputs to it, so that no rounding is carried on.
    """
    trace = trace_of(case, target)
    profile = target.profile(case.dtype)
    worst = 0.0
    for name, value, bound in expected_layers(case, trace, profile):
        if not endings or name.endswith(endings):
            worst = max(worst, measure(name, trace[name], expected(value, bound, profile)))
    return worst


def trace_of(case: Case, target: Target) -> dict[str, Array]:
    """A network's layers by name, as NumPy in float64."""
    result = target.call(case, target.native(case))
    return {name: target.read(value).astype(np.float64) for name, value in result.items()}


def same_shape(name: str, actual: Array, shape: tuple[int, ...]) -> None:
    """Refuse a result of another shape. Raises Disagreement."""
    if actual.shape != shape:
        raise Disagreement(f"{name}: shape {actual.shape}; expected {shape}.")
