"""The only place that compares numbers: an element-wise error budget, SPEC NUM-2.

A result passes if it is finite wherever the expected value is, not finite wherever that is not, and
nowhere further from it than its budget. rho is the worst distance in units of the budget.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from .estimate import Array, Estimate
from .profiles import Profile


class Disagreement(AssertionError):
    """A result that its budget does not allow; the text says where and how far."""


@dataclass(frozen=True)
class Expected:
    """The reference's value, and the element-wise budget around it."""

    value: Array
    budget: Array


@dataclass(frozen=True)
class Comparison:
    """One result that was compared, for those who look at it afterwards; as `measure` got it."""

    name: str
    actual: Array
    want: Expected
    judged: Array | None = None


_watching: ContextVar[list[Comparison] | None] = ContextVar("watching", default=None)


@contextmanager
def watched() -> Iterator[list[Comparison]]:
    """Every comparison made inside, in order; the last one is the one that was refused, if any."""
    seen: list[Comparison] = []
    token = _watching.set(seen)
    try:
        yield seen
    finally:
        _watching.reset(token)


def _show(name: str, actual: Array, want: Expected, judged: Array | None) -> None:
    seen = _watching.get()
    if seen is not None:
        seen.append(Comparison(name, actual, want, judged))


def expected(value: Array, bound: Estimate | Array, profile: Profile) -> Expected:
    """Budget from a bound on the error: rounded once more to the output's type.

    value  the reference's float64 result for the rounded inputs
    bound  the error allowed before that, as an Estimate or an array of value's shape
    """
    error = bound.error if isinstance(bound, Estimate) else bound
    with np.errstate(invalid="ignore", over="ignore"):
        budget = error + profile.u_io * (np.abs(value) + error) + profile.eta
    # The reference is float64 itself and obeys the same bound, so the distance may be twice it.
    return Expected(value, 2 * budget if profile.io == "float64" else budget)


def measure(name: str, actual: Array, want: Expected, judged: Array | None = None) -> float:
    """rho of a result.

    actual  any float dtype, of want.value's shape
    judged  boolean, broadcastable to that shape: where to look; everywhere when None
    Raises Disagreement for a shape, a NaN or an infinity, or a rho above 1.
    """
    _show(name, actual, want, judged)
    if actual.shape != want.value.shape:
        raise Disagreement(f"{name}: shape {actual.shape}; expected {want.value.shape}.")
    look = np.ones(actual.shape, bool) if judged is None else np.broadcast_to(judged, actual.shape)
    finite, actual_finite = np.isfinite(want.value), np.isfinite(actual)
    wrong = look & (finite != actual_finite)
    if wrong.any():
        at = _first(wrong)
        raise Disagreement(f"{name}: {actual[at]} at {at}; expected {want.value[at]}, "
                           f"finite in one and not in the other.")
    compared = look & finite
    if not np.isfinite(want.budget[compared]).all():
        raise ValueError(f"`{name}` must be judged on cases that have a finite budget.")
    rho = np.where(compared, element_rho(actual, want), 0.0)
    if rho.size == 0:
        return 0.0
    at = tuple(int(i) for i in np.unravel_index(np.argmax(rho), rho.shape))
    if not rho[at] <= 1:
        raise Disagreement(
            f"{name}: {float(actual[at])!r} at {at}; expected {float(want.value[at])!r} "
            f"within {float(want.budget[at]):.3g}; rho {float(rho[at]):.3g}.")
    return float(rho[at])


def element_rho(actual: Array, want: Expected) -> Array:
    """rho of every element of two results of one shape.

    Infinite where only one is finite, or where a budget of zero is exceeded; 0 where neither is.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        distance = np.abs(actual.astype(np.float64) - want.value)
        rho = np.where(distance == 0, 0.0, distance / want.budget)
    finite = np.isfinite(want.value)
    rho = np.where(finite, rho, 0.0)
    return np.where(finite == np.isfinite(actual), rho, np.inf)


def same_bits(name: str, actual: Array, want: Array) -> None:
    """Refuse two results that are not the same bit by bit. Raises Disagreement."""
    _show(name, actual, Expected(want, np.zeros(want.shape)), None)
    if actual.shape != want.shape or actual.tobytes() != want.tobytes():
        differs = "the shape" if actual.shape != want.shape else "the bits"
        raise Disagreement(f"{name}: {differs} of two results differ that must be the same.")


def _first(mask: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])
