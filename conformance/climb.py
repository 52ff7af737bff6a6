"""One target, clause by clause: what is asked in which order, and what the answers amount to.

The order is that of one process which asks one task after the other. Others may have been asked
before it is their turn, knowing less of what fails; what they found counts where it would have
been the same, and is asked again where it would not. So any number of processes says the same.
"""

from bisect import insort
from collections.abc import Callable, Sequence
from itertools import count

from .crew import Crew
from .ladder import ORDER, Ladder, rung_of
from .offer import offer_of, trouble_of
from .property import PROPERTIES
from .target import Target
from .task import Asked, Found, Task
from .verdict import Verdict

NOT_OFFERED = "the target offers nothing that the clause's cases ask for."
# Place on the ladder, own clauses before those that waited, number of the search.
Place = tuple[int, bool, int]


class Climb:
    """The tasks of one target, in order, and its verdicts as far as they are known.

    asking  told the target's name and the clause before each clause that is judged
    """

    def __init__(self, target: Target, chosen: Sequence[str], asked: Asked, *, ladder: bool,
                 asking: Callable[[str, str], None]) -> None:
        self._target, self._asking = target, asking
        self._verdicts = {clause: Verdict(target.name, clause) for clause in chosen}
        self._ladder = Ladder() if ladder else None
        self._queue: list[tuple[Place, Task]] = []
        self._offered: set[str] = set()
        if trouble_of(target) is None:
            self._fill(asked)

    def _fill(self, asked: Asked) -> None:
        """The first search of each property and dtype that is offered."""
        offer, number = offer_of(self._target), count()
        own = offer.own_options(None)
        for clause in self._verdicts:
            rung = None if self._ladder is None else rung_of(clause, own)
            for prop in (prop for prop in PROPERTIES if prop.clause == clause):
                for dtype in self._target.dtypes:
                    if (prop.dtypes is None or dtype in prop.dtypes) and offer.covers(prop, dtype):
                        place = 0 if rung is None else ORDER[rung], False, next(number)
                        task = Task((clause, prop.name), dtype, asked, rung)
                        self._queue.append((place, task))
        self._queue.sort(key=lambda each: each[0])

    @property
    def tasks(self) -> list[Task]:
        """What is left to ask, as far as that is known by now."""
        return [task for _, task in self._queue]

    def verdicts(self, crew: Crew) -> list[Verdict]:
        """Ask for everything; one verdict for each clause, in the order that was given."""
        told = set()
        trouble = trouble_of(self._target)
        while self._queue and trouble is None:
            clause = self._queue[0][1].prop[0]
            if clause not in told:
                told.add(clause)
                self._asking(self._target.name, clause)
            self._take(crew.found(self.tasks, self._failed))
            trouble = trouble_of(self._target) or crew.trouble
        if trouble is not None:
            self._leave(trouble, told)
        for clause, verdict in self._verdicts.items():
            if verdict.reason is None and clause not in self._offered:
                verdict.reason = NOT_OFFERED
        if self._ladder is not None:
            self._ladder.settle(self._verdicts.values())
        return list(self._verdicts.values())

    @property
    def _failed(self) -> frozenset[str]:
        return frozenset(() if self._ladder is None else self._ladder.failed)

    def _take(self, found: Found) -> None:
        """Add what the first task found, and what it has to wait for."""
        (_, _, number), task = self._queue.pop(0)
        clause = task.prop[0]
        verdict, part = self._verdicts[clause], found.verdict
        verdict.cases += part.cases
        verdict.rho = max(verdict.rho, part.rho)
        verdict.failures += part.failures
        verdict.reason = verdict.reason or part.reason
        verdict.rests_on = verdict.rests_on or part.rests_on
        verdict.seconds += part.seconds
        if found.offered:
            self._offered.add(clause)
        if self._ladder is not None:
            for failure, place in found.noted:
                self._ladder.note(verdict, failure, place)
        if part.failures:
            self._queue = [each for each in self._queue if each[0][2] != number]
        elif task.waiting is None:
            for rung, waiting in found.waiting.items():
                insort(self._queue, ((ORDER[rung], True, number), Task(
                    task.prop, task.dtype, task.asked, rung, waiting)), key=lambda each: each[0])

    def _leave(self, trouble: str, told: set[str]) -> None:
        """Say of what was not asked why it was not; what was asked in part is told by that part."""
        waited = {task.prop[0] for (_, waits, _), task in self._queue if waits}
        for clause, verdict in self._verdicts.items():
            if clause not in told or clause in waited:
                verdict.reason = verdict.reason or trouble
