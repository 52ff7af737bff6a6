"""The shortest sets of known deviations that reproduce every result.

A set that fails on a case can only be mended by a deviation that acts in that case: so the search
takes the first case that a set fails on, and goes on with each deviation that acts there. Pairs
that fail on an earlier case than shorter sets do are given up; else it is complete to its depth.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...case import Case
from ...estimate import Array
from .agreement import Evidence
from .twist import Twist

# Deviations that one explanation may name.
MOST_TWISTS = 3
# A case's value under the reading that some twists make of it, all of which act in it.
Evaluate = Callable[[Case, Sequence[Twist]], Array]
Explanation = tuple[Twist, ...]


class OutOfTime(Exception):
    """The search has used the time that it was given."""


@dataclass
class Clock:
    """When to stop."""

    deadline: float

    def check(self) -> None:
        """Raises OutOfTime after the deadline."""
        if time.monotonic() > self.deadline:
            raise OutOfTime


@dataclass
class Search:
    """Explanations of the results of one operation.

    evidence  cases with their results, what isolates most first
    reached   the furthest case that any set of the last search came to, by its place
    """

    evaluate: Evaluate
    twists: Sequence[Twist]
    evidence: list[Evidence]
    clock: Clock
    reached: int = 0
    _known: dict[tuple[int, frozenset[int]], bool] = field(default_factory=dict)
    _acting: list[frozenset[int]] = field(default_factory=list)

    def acting(self, place: int) -> frozenset[int]:
        """Identities of the twists that act in one case."""
        while len(self._acting) <= place:
            case = self.evidence[len(self._acting)].case
            self._acting.append(frozenset(id(each) for each in self.twists if each.acts(case)))
        return self._acting[place]

    def explanations(self, most: int = MOST_TWISTS) -> list[Explanation]:
        """All shortest sets that reproduce all results; empty where none of `most` does.

        Raises OutOfTime.
        """
        level: list[Explanation] = [()]
        self.reached = 0
        for depth in range(most + 1):
            found, failing, before = [], [], self.reached
            for twists in level:
                at = self.first_failing(twists)
                if at is None:
                    found.append(twists)
                else:
                    self.reached = max(self.reached, at)
                    failing.append((twists, at))
            if found or depth == most:
                return found
            # Two that come less far than fewer did would be mended by a third only by accident.
            kept = [each for each in failing if depth < 2 or each[1] >= before]
            level = list(self._longer(kept))
        return []

    def _longer(self, failing: list[tuple[Explanation, int]]) -> Iterator[Explanation]:
        """Each failing set with one more deviation that acts where it fails; none twice."""
        seen: set[frozenset[int]] = set()
        for twists, at in failing:
            acting = self.acting(at)
            for twist in self.twists:
                if id(twist) not in acting or twist in twists \
                        or any(twist.excludes(other) for other in twists):
                    continue
                members = frozenset(map(id, (*twists, twist)))
                if members not in seen:
                    seen.add(members)
                    yield (*twists, twist)

    def first_failing(self, twists: Sequence[Twist]) -> int | None:
        """The place of the first case whose result these deviations do not give; None for none."""
        for place in range(len(self.evidence)):
            if not self.reproduces(place, twists):
                return place
        return None

    def reproduces(self, place: int, twists: Sequence[Twist]) -> bool:
        """Whether these deviations give the result of one case."""
        here = self.acting(place)
        acting = [twist for twist in twists if id(twist) in here]
        key = (place, frozenset(map(id, acting)))
        if key not in self._known:
            self.clock.check()
            seen = self.evidence[place]
            value = _value(self.evaluate, seen.case, acting)
            self._known[key] = value is not None and seen.reproduced_by(value)
        return self._known[key]


def predicted(evaluate: Evaluate, case: Case, twists: Sequence[Twist]) -> Array | None:
    """What a case gives under some deviations; None where they have no meaning in it."""
    return _value(evaluate, case, [twist for twist in twists if twist.acts(case)])


def _value(evaluate: Evaluate, case: Case, acting: Sequence[Twist]) -> Array | None:
    try:
        with np.errstate(all="ignore"):
            value: Any = evaluate(case, acting)
    except (ValueError, IndexError, KeyError):
        return None
    return np.asarray(value)
