"""Who is timed, and how: in turns, one process, every round in another order; medians.

A round runs every contestant once, and begins one contestant later than the round before. Threads
of the contestant before may still be spinning when a turn begins, and its data fills the caches:
so a turn first runs the contestant untimed, for SETTLE seconds, and then timed for as long. A
round in which other processes ran is disturbed, and left out of the medians.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .lazy import one_line

SETTLE = 0.01
# A round is disturbed where others had more than this share of one core: twice what the kernel's
# counters, which are kept in ticks, show by themselves on a machine that runs nothing else.
OTHERS = 0.1
COUNTERS = Path("/proc/stat")

Run = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Work:
    """What a contestant must do at least: FLOPs, and bytes read and written."""

    flops: int
    moved: int


@dataclass(frozen=True)
class Contestant:
    """One way to compute something; `against` is the contestant whose time divides its own.

    note  how it runs, where that was chosen here; otherwise empty
    """

    name: str
    against: str
    work: Work
    run: Run
    note: str = ""


@dataclass(frozen=True)
class Missing:
    """Who cannot be timed here, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Times:
    """Seconds of one call of each contestant, by name: the median of the rounds that count.

    disturbed  rounds in which other processes ran; None where this system does not tell
    Disturbed rounds are left out, unless all of them were: then all count.
    """

    rounds: int
    seconds: dict[str, float]
    disturbed: int | None


@dataclass
class Contest:
    """Contestants that compute the same or stand beside each other, and those that cannot come.

    threads  of each of them
    shape    sizes of the case by name, as --json shows them
    curve    whether the case is only a point of a curve
    limit    seconds of its turns after which no further round begins
    times    once they are measured
    """

    name: str
    batch: int
    threads: int
    shape: dict[str, int] = field(default_factory=dict)
    contestants: list[Contestant] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    curve: bool = False
    limit: float = 60.0
    times: Times | None = None

    def enter(self, name: str, against: str, work: Work, run: Run, note: str = "") -> None:
        """Add a contestant after its first call, which compiles it."""
        run()
        self.contestants.append(Contestant(name, against, work, run, note))

    def invite(self, name: str, against: str, work: Work,
               build: Callable[[], Run | tuple[Run, str]]) -> None:
        """Build a peer, perhaps with a note, and add it; what its packages raise says why not."""
        try:
            built = build()
            run, note = built if isinstance(built, tuple) else (built, "")
            self.enter(name, against, work, run, note)
        # A broken installation raises whatever it likes; the others are measured all the same.
        except Exception as error:
            self.missing.append(Missing(name, reason(error)))


def reason(error: Exception) -> str:
    """Why somebody is missing, on one line."""
    if isinstance(error, ModuleNotFoundError):
        return f"not installed: {error.name}"
    return f"{type(error).__name__}: {one_line(error)}"


def time_of_others() -> float | None:
    """Seconds of any core that other processes had so far; None where the system does not tell."""
    try:
        counters = COUNTERS.read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _, _, interrupts, soft, stolen = map(int, counters[1:9])
    busy = user + nice + system + interrupts + soft + stolen
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def take_turns(contestants: Sequence[Contestant], rounds: int, *, limit: float | None = None,
               clock: Clock = time.perf_counter,
               others: Callable[[], float | None] = time_of_others) -> Times:
    """Time the contestants in turns.

    limit   seconds after which no further round begins; the first always does
    others  time that other processes had so far
    """
    seen: list[dict[str, float]] = []
    quiet: list[dict[str, float]] = []
    start, watched = clock(), others() is not None
    while len(seen) < rounds and (not seen or limit is None or clock() - start < limit):
        first = len(seen) % len(contestants)
        began, before = clock(), others()
        seen.append({contestant.name: _turn(contestant.run, clock)
                     for contestant in (*contestants[first:], *contestants[:first])})
        after = others()
        if before is None or after is None or after - before <= OTHERS * (clock() - began):
            quiet.append(seen[-1])
    counted = quiet or seen
    medians = {contestant.name: statistics.median(turns[contestant.name] for turns in counted)
               for contestant in contestants}
    return Times(len(seen), medians, len(seen) - len(quiet) if watched else None)


class Faster(NamedTuple):
    """One way to run a peer that was faster than others, and a note that says so."""

    run: Run
    name: str
    note: str


def faster(builds: dict[str, Callable[[], Run]], clock: Clock = time.perf_counter) -> Faster:
    """The faster of some ways to run a peer, by one turn of each.

    A way that fails loses. Raises what the last one raised where all of them fail.
    """
    seconds: dict[str, float] = {}
    runs: dict[str, Run] = {}
    failed: Exception | None = None
    for name, build in builds.items():
        try:
            run = build()
            run()
            seconds[name] = _turn(run, clock)
            runs[name] = run
        except Exception as error:
            failed = error
    if not runs:
        raise failed or ValueError("`builds` must name at least one way; got none.")
    best = min(runs, key=lambda name: seconds[name])
    others = "".join(f"; {name} took {seconds[name] / seconds[best]:.2f} times as long"
                     for name in runs if name != best)
    return Faster(runs[best], best, best + others)


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
