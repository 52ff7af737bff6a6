"""Runs the suites: every property of the clauses asked for, on every target, in every dtype."""

import re
import time
from collections.abc import Callable, Iterable, Sequence

from . import suites  # noqa: F401
from .clauses import all_clauses
from .gradients import need_gradients
from .isolation.failure import OutOfTime
from .ladder import NEEDS, Ladder, rung_of
from .offer import asked_again, offer_of, trouble_of
from .profiles import DTYPES
from .property import PROPERTIES, NotApplicable, Property
from .search import SHRINK_SECONDS, Search, failure_of
from .search import run_property as run_property
from .target import Target
from .verdict import Failure as Failure
from .verdict import Verdict as Verdict

# Cases per property and dtype.
EXAMPLES = {"brief": 3, "quick": 12, "full": 150}
NOT_OFFERED = "the target offers nothing that the clause's cases ask for."


def judged_clauses(*, gradients: bool = False) -> list[str]:
    """Clauses that the suites can judge, in the specification's order; chapter 12's when asked."""
    known = {prop.clause for prop in PROPERTIES if gradients or not prop.gradients}
    return [clause for clause in all_clauses() if clause in known]


def run_verification(targets: Iterable[Target], *, clauses: Sequence[str] | None = None,
                     profile: str = "quick", seed: int = 0, gradients: bool = False,
                     ladder: bool = False, shrink_seconds: float = SHRINK_SECONDS,
                     report: Callable[[Verdict], None] = lambda verdict: None,
                     asking: Callable[[str, str], None] = lambda target, clause: None,
                     ) -> list[Verdict]:
    """One verdict for each target and clause, each given to `report` as soon as it is known.

    clauses    ids or chapters ("PAD-1", "PAD"); None means all but those of gradients
    profile    brief, quick or full: cases per property and dtype, see EXAMPLES
    seed       the same seed gives the same cases
    gradients  whether to add all clauses of gradients, GRAD
    ladder     whether to leave out cases that rest on what has failed, see `ladder`; a target's
               verdicts are then known all at once
    shrink_seconds  how long the search for a smaller counterexample may take, for each property
    asking     told the target's name and the clause before each clause that is judged
    Raises ValueError for a clause or profile that is unknown, and for a target that is asked for
    gradients and offers none.
    """
    if profile not in EXAMPLES:
        raise ValueError(f"`profile` must be one of {', '.join(EXAMPLES)}; got {profile!r}.")
    chosen, targets = chosen_clauses(clauses, gradients=gradients), list(targets)
    if not set(chosen) <= set(judged_clauses()):
        for target in targets:
            need_gradients(target)
    verdicts = []
    for target in targets:
        def judge(clause: str, ladder: Ladder | None = None,
                  target: Target = target) -> tuple[Verdict, list[Search]]:
            asking(target.name, clause)
            return _judge_clause(clause, target, EXAMPLES[profile], seed, shrink_seconds, ladder)

        for verdict in (_climb(chosen, judge) if ladder else (judge(each)[0] for each in chosen)):
            report(verdict)
            verdicts.append(verdict)
    return verdicts


def _judge_clause(clause: str, target: Target, examples: int, seed: int,
                  shrink_seconds: float,
                  ladder: Ladder | None = None) -> tuple[Verdict, list[Search]]:
    """The verdict of a clause as far as the ladder goes by now, and what may wait for more."""
    begun = time.perf_counter()
    verdict = Verdict(target.name, clause, reason=trouble_of(target))
    if verdict.reason is not None:
        return verdict, []
    offer, searches = offer_of(target), []
    for prop in (prop for prop in PROPERTIES if prop.clause == clause):
        for dtype in target.dtypes:
            if trouble_of(target) is None and (prop.dtypes is None or dtype in prop.dtypes) \
                    and offer.covers(prop, dtype):
                searches.append(run_property(prop, target, dtype, verdict, examples * prop.weight,
                                             seed, ladder, shrink_seconds))
    if not any(search.offered for search in searches):
        verdict.reason = NOT_OFFERED
    verdict.seconds = time.perf_counter() - begun
    return verdict, searches


def _climb(chosen: Sequence[str],
           judge: Callable[[str, Ladder], tuple[Verdict, list[Search]]]) -> list[Verdict]:
    """Verdicts from the lowest rung up: on each, first its own clauses, then who waited for it."""
    ladder, verdicts = Ladder(), dict[str, Verdict]()
    waiting: list[Search] = []
    for rung in NEEDS:
        ladder.at = rung
        for clause in (clause for clause in chosen if rung_of(clause) == rung):
            verdicts[clause], searches = judge(clause, ladder)
            waiting += searches
        for search in waiting:
            begun = time.perf_counter()
            search.judge_waiting()
            search.verdict.seconds += time.perf_counter() - begun
    ladder.settle(verdicts.values())
    return [verdicts[clause] for clause in chosen]


def chosen_clauses(clauses: Sequence[str] | None = None, *, gradients: bool = False) -> list[str]:
    """Ids of the clauses that ids and chapters name, as for `run_verification`.

    Raises ValueError for what names none.
    """
    if clauses is None:
        return judged_clauses(gradients=gradients)
    clauses = [*clauses, *(["GRAD"] if gradients else [])]
    known = judged_clauses(gradients=True)
    for name in clauses:
        if not any(name in (clause, clause.partition("-")[0]) for clause in known):
            raise ValueError(f"`clauses` must be ids or chapters that the suites judge, "
                             f"such as {known[0]} or {known[0][:3]}; got {name!r}.")
    return [clause for clause in known
            if clause in clauses or clause.partition("-")[0] in clauses]


def replay(case_id: str, target: Target) -> Verdict:
    """Judge one case by its id, "PAD-1/outside_neighbours_take_part/float64/0.1.2".

    Raises ValueError for an id that names no property, or whose choices cannot be made, and for a
    target without gradients that is asked for them.
    """
    prop, dtype, recipe = parse_id(case_id)
    if prop.gradients:
        need_gradients(target)
    begun = time.perf_counter()
    verdict = Verdict(target.name, prop.clause, reason=trouble_of(target))
    case = asked_again(prop, recipe, dtype, target)
    if verdict.reason is None and not offer_of(target).takes(case):
        verdict.reason = NOT_OFFERED
    if verdict.reason is not None:
        return verdict
    try:
        verdict.rho = prop.check(case, target)
        verdict.cases = 1
    except NotApplicable:
        raise ValueError(f"`case` must be one that its property judges; got {case_id!r}.") from None
    except OutOfTime as error:
        verdict.reason = str(error)
    except Exception as error:
        verdict.cases = 1
        verdict.failures.append(failure_of(prop, dtype, error, recipe, case, target))
    verdict.seconds = time.perf_counter() - begun
    return verdict


def parse_id(case_id: str) -> tuple[Property, str, list[int]]:
    """Property, dtype and choices of a case's id. Raises ValueError for an id that has none."""
    clause, name, dtype, numbers = (*case_id.split("/"), "", "", "", "")[:4]
    for prop in PROPERTIES:
        if (prop.clause, prop.name) == (clause, name) and dtype in DTYPES \
                and re.fullmatch(r"\d+(\.\d+)*", numbers):
            return prop, dtype, [int(number) for number in numbers.split(".")]
    raise ValueError(f"`case` must be an id that a verdict printed, clause/property/dtype/choices; "
                     f"got {case_id!r}.")
