"""One known deviation of an operation, as a change of how a case is read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ...case import Case
from ...report import Deviation

Reading = TypeVar("Reading")


def always(case: Case) -> bool:
    """Whether a twist that depends on nothing may act in a case: it may."""
    return True


@dataclass(frozen=True, eq=False)
class Twist:
    """One deviation.

    deviation  its name, its clause and what is computed
    changes    the fields of the reading that it changes
    acts       whether it may change a case's result; where it says no, it never does
    asked      the option's value under which it stands, in words; two twists of one field exclude
               each other when both stand under the same
    """

    deviation: Deviation
    changes: Mapping[str, Any]
    acts: Callable[[Case], bool] = field(default=always)
    asked: str = ""

    def excludes(self, other: "Twist") -> bool:
        """Whether the two change one field of the same cases, so that only one can be true."""
        return bool(self.changes.keys() & other.changes.keys()) and (
            self.asked == other.asked or not self.asked or not other.asked)


def twisted(reading: Reading, twists: Iterable[Twist]) -> Reading:
    """The reading with the changes of all these twists."""
    changes: dict[str, Any] = {}
    for twist in twists:
        changes |= twist.changes
    return replace(reading, **changes) if changes else reading  # type: ignore[type-var]
