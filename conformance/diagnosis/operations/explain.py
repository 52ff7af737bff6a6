"""One operation explained: the shortest deviations that hold on fresh cases too, or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from sasakit.reference import AttentionOptions

from ...builders import interior_of
from ...case import Case
from ...inspection import IMAGES
from ...judge import element_rho
from ...report import Deviation
from ...where_wrong import where_wrong
from ..instance import same
from .agreement import Evidence
from .cases import Staged
from .families import Family
from .network import LayerCase
from .search import Clock, Explanation, OutOfTime, Search, predicted

# Turns in which fresh cases may refute what was found.
ROUNDS = 4

# Random cases that are asked in each turn, and those among which telling ones are looked for.
DRAWN, LOOKED_THROUGH = 8, 40

More = Callable[[int, int], Sequence[Staged]]
Ask = Callable[[Sequence[Staged]], list[Evidence]]


@dataclass
class Explained:
    """What was found of one operation.

    choices     the shortest explanations, which no case tells apart; empty where it agrees or
                nothing explains it
    final       whether further cases could not tell the choices apart either; no, where there were
                none to ask
    stopped_at  where nothing matches, in words; None where it agrees or is explained
    findings    where its first wrong results are
    """

    operation: str
    choices: list[list[Deviation]] = field(default_factory=list)
    final: bool = True
    stopped_at: str | None = None
    findings: list[str] = field(default_factory=list)


def explain(family: Family, seen: list[Evidence], clock: Clock, *, ask: Ask | None = None,
            more: More | None = None) -> Explained:
    """The shortest explanations of all that was seen.

    ask, more  results of further cases, and these by the number of the turn and their count; None
               where there are no others, as with recorded results
    """
    search = Search(family.evaluate, family.twists, list(seen), clock)
    try:
        for turn in range(ROUNDS):
            found = search.explanations()
            if not found:
                break
            if ask is None or more is None:
                return _told(family.operation, found, final=False)
            fresh = ask(more(turn, DRAWN))
            fresh += ask(_telling(family, found, more(turn + ROUNDS, LOOKED_THROUGH)))
            search.evidence += fresh
            held = [twists for twists in found if search.first_failing(twists) is None]
            if held:
                return _told(family.operation, held, final=True)
        return _unknown(family.operation, search)
    except OutOfTime:
        unknown = _unknown(family.operation, search)
        unknown.stopped_at = f"{unknown.stopped_at}; the search ran out of time"
        return unknown


def _telling(family: Family, found: Sequence[Explanation], cases: Sequence[Staged]) -> list[Staged]:
    """Those cases in which the explanations found differ."""
    if len(found) < 2:
        return []
    telling = ((stage, case) for stage, case in cases if _differ(family, found, case))
    return list(islice(telling, DRAWN))


def _differ(family: Family, found: Sequence[Explanation], case: Case) -> bool:
    values = [predicted(family.evaluate, case, twists) for twists in found]
    first = values[0]
    return any((value is None) != (first is None) or (
        value is not None and first is not None and not same(value, first)) for value in values)


def _told(operation: str, found: Sequence[Explanation], *, final: bool) -> Explained:
    """What was found; of explanations by the same names, which no case tells apart, the first."""
    named: dict[tuple[tuple[str, str], ...], list[Deviation]] = {}
    for twists in found:
        if twists:
            deviations = [twist.deviation for twist in twists]
            named.setdefault(names_of(deviations), deviations)
    return Explained(operation, list(named.values()), final)


def names_of(deviations: Sequence[Deviation]) -> tuple[tuple[str, str], ...]:
    """Names and clauses in order, by which explanations are the same or not."""
    return tuple(sorted({(each.name, each.clause) for each in deviations}))


def _unknown(operation: str, search: Search) -> Explained:
    stage = search.evidence[search.reached].stage if search.evidence else "no case has a result"
    wrong = search.first_failing(())
    return Explained(operation, stopped_at=f"{operation}, {stage}: no known deviations, up to "
                                           "three at once, reproduce it",
                     findings=[] if wrong is None
                     else [counterexample(search.evidence[wrong])])


def counterexample(wrong: Evidence) -> str:
    """The first case that differs from the reference, and where it does, in words."""
    if isinstance(wrong.case, LayerCase):
        return f"the first layer that differs is {wrong.stage}"
    told = f"{wrong.case!r} of the stage {wrong.stage}"
    actual, value = wrong.actual, wrong.want.value
    if actual.shape != value.shape:
        return f"{told}: the result has shape {actual.shape}; {value.shape} is due"
    rho = element_rho(actual, wrong.want)
    at = tuple(int(n) for n in np.unravel_index(np.argmax(rho), rho.shape))
    axes = IMAGES.get(actual.ndim, tuple(f"axis {axis}" for axis in range(actual.ndim)))
    leaves = None
    if isinstance(wrong.case.options, AttentionOptions):
        leaves = ~interior_of(wrong.case.options, *actual.shape[1:3])[0, :, :, 0, 0]
    return (f"{told}: output {at} is {float(actual[at]):.6g}, where {float(value[at]):.6g} is "
            f"due; wrong: {where_wrong(rho, axes, None, leaves)}")
