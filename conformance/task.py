"""One property in one dtype, asked of a target as far as the ladder goes by now: a task."""

import time
from dataclasses import dataclass, field

from . import suites  # noqa: F401
from .draw import Recipe
from .ladder import Ladder, Standing
from .offer import trouble_of
from .property import PROPERTIES, Property
from .search import Search
from .target import Target
from .verdict import Failure, Verdict


@dataclass(frozen=True)
class Asked:
    """What every task of a run has in common.

    examples  cases of each property and dtype
    seed      the same seed gives the same cases
    shrink_seconds  how long the search for a smaller counterexample may take, for each property
    """

    examples: int
    seed: int
    shrink_seconds: float


@dataclass(frozen=True)
class Task:
    """What is asked, in types that another process takes.

    prop     the property's clause and name
    at       the ladder's rung; None for no ladder
    waiting  choices of the cases that have waited for that rung; None for the first search
    """

    prop: tuple[str, str]
    dtype: str
    asked: Asked
    at: str | None = None
    waiting: tuple[Recipe, ...] | None = None


@dataclass
class Found:
    """What a target gave for a task.

    verdict  the task's part of the clause's verdict
    noted    its failures, with where their cases stand
    offered  whether the target takes any of the cases
    waiting  choices of the cases that wait, by the rung on which they stand
    rested   rungs on which some case rests that was judged, or left out as resting on one
    losses   what happened whenever the target's own process was lost, in another process than ours
    trouble  why the target could not be asked any more there
    """

    verdict: Verdict
    noted: list[tuple[Failure, Standing]] = field(default_factory=list)
    offered: bool = True
    waiting: dict[str, tuple[Recipe, ...]] = field(default_factory=dict)
    rested: frozenset[str] = frozenset()
    losses: tuple[str, ...] = ()
    trouble: str | None = None


def property_of(task: Task) -> Property:
    """The property that a task asks for."""
    return next(prop for prop in PROPERTIES if (prop.clause, prop.name) == task.prop)


def answer(task: Task, target: Target, failed: frozenset[str]) -> Found:
    """Judge a task's cases.

    failed  the rungs that are known not to hold
    """
    begun = time.perf_counter()
    prop, asked = property_of(task), task.asked
    verdict = Verdict(target.name, prop.clause)
    ladder = None if task.at is None else Ladder(task.at, dict.fromkeys(failed, ""))
    search = Search(prop, task.dtype, target, verdict, ladder, asked.shrink_seconds)
    if task.waiting is None:
        search.run(asked.examples * prop.weight, asked.seed)
    else:
        search.judge_waiting(task.waiting)
    verdict.seconds = time.perf_counter() - begun
    return Found(verdict, [] if ladder is None else [each[1:] for each in ladder.found],
                 search.offered, {rung: tuple(them) for rung, them in search.waiting.items()},
                 frozenset(search.rested), trouble=trouble_of(target))
