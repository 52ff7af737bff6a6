"""Who is timed, and how: in turns, one process, every round in another order; medians.

A round runs every contestant once, and begins one contestant later than the round before. Threads
of the contestant before may still be spinning when a turn begins, and its data fills the caches:
so a turn first runs the contestant untimed, for SETTLE seconds, and then timed for as long. No
round is left out by hand.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .lazy import one_line

SETTLE = 0.01

Run = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Work:
    """What a contestant must do at least: FLOPs, and bytes read and written."""

    flops: int
    moved: int


@dataclass(frozen=True)
class Contestant:
    """One way to compute something; `against` is the contestant whose time divides its own."""

    name: str
    against: str
    work: Work
    run: Run


@dataclass(frozen=True)
class Missing:
    """Who cannot be timed here, and why."""

    name: str
    reason: str


@dataclass
class Contest:
    """Contestants that compute the same or stand beside each other, and those that cannot come."""

    name: str
    contestants: list[Contestant] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def enter(self, name: str, against: str, work: Work, run: Run) -> None:
        """Add a contestant after its first call, which compiles it."""
        run()
        self.contestants.append(Contestant(name, against, work, run))

    def invite(self, name: str, against: str, work: Work, build: Callable[[], Run]) -> None:
        """Build a peer and add it; what its packages raise says why it is missing."""
        try:
            self.enter(name, against, work, build())
        # A broken installation raises whatever it likes; the others are measured all the same.
        except Exception as error:
            self.missing.append(Missing(name, reason(error)))


def reason(error: Exception) -> str:
    """Why somebody is missing, on one line."""
    if isinstance(error, ModuleNotFoundError):
        return f"not installed: {error.name}"
    return f"{type(error).__name__}: {one_line(error)}"


@dataclass(frozen=True)
class Times:
    """Seconds of one call of each contestant, by name: the median of the rounds."""

    rounds: int
    seconds: dict[str, float]


def take_turns(contestants: Sequence[Contestant], rounds: int, *, limit: float | None = None,
               clock: Clock = time.perf_counter) -> Times:
    """Time the contestants in turns.

    limit  seconds after which no further round begins; the first always does
    """
    seconds: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    start, done = clock(), 0
    while done < rounds and (done == 0 or limit is None or clock() - start < limit):
        first = done % len(contestants)
        for contestant in (*contestants[first:], *contestants[:first]):
            seconds[contestant.name].append(_turn(contestant.run, clock))
        done += 1
    return Times(done, {name: statistics.median(turns) for name, turns in seconds.items()})


def _turn(run: Run, clock: Clock) -> float:
    """Seconds of one call, the mean of those in this turn."""
    _repeat(run, clock)
    calls, passed = _repeat(run, clock)
    return passed / calls


def _repeat(run: Run, clock: Clock) -> tuple[int, float]:
    """How many calls began within SETTLE seconds, at least one, and how long they took."""
    start, calls, passed = clock(), 0, 0.0
    while calls == 0 or passed < SETTLE:
        run()
        calls, passed = calls + 1, clock() - start
    return calls, passed
