"""Whether a result is what a reading gives, but for rounding."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...case import Case, expect
from ...estimate import Array
from ...judge import Disagreement, Expected, measure
from ...profiles import Profile
from ..instance import same


@dataclass(frozen=True, eq=False)
class Evidence:
    """A case, and what the implementation made of it.

    stage    what the case isolates, in words
    actual   the result, float64
    profile  how the implementation rounds in the case's type
    """

    stage: str
    case: Case
    actual: Array
    profile: Profile

    @cached_property
    def want(self) -> Expected:
        """The reference's value and its budget."""
        return expect(self.case, self.profile)

    def reproduced_by(self, value: Array) -> bool:
        """Whether the result is this value but for rounding.

        What is not finite must be so in both. In float64 by the diagnosis' own line, else by the
        case's budget, which grows with values that are larger than the reference's, as rounding
        errors do.
        """
        finite = np.isfinite(self.actual)
        if value.shape != self.actual.shape or not np.array_equal(np.isfinite(value), finite):
            return False
        actual, value = (np.where(finite, array, 0.0) for array in (self.actual, value))
        if self.case.dtype == "float64":
            return same(actual, value)
        budget = float(np.max(self.want.budget, initial=0.0))
        size = float(np.abs(self.want.value).max(initial=0.0))
        if size > 0 and np.isfinite(size):
            budget *= max(1.0, float(np.abs(value).max(initial=0.0)) / size)
        return _within(actual, Expected(value, np.full(value.shape, budget)))


def _within(actual: Array, want: Expected) -> bool:
    try:
        measure("result", actual, want)
    except (Disagreement, ValueError):
        return False
    return True
