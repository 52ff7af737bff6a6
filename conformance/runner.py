"""Runs the suites: every property of the clauses asked for, on every target, in every dtype."""

import re
import time
from collections.abc import Callable, Iterable, Sequence

from . import suites  # noqa: F401
from .clauses import all_clauses
from .climb import NOT_OFFERED as NOT_OFFERED
from .climb import Climb
from .crew import LEAST_TASKS, crew_of
from .gradients import need_gradients
from .isolation.failure import OutOfTime
from .offer import asked_again, offer_of, trouble_of
from .profiles import DTYPES
from .property import PROPERTIES, NotApplicable, Property
from .search import SHRINK_SECONDS, failure_of
from .search import run_property as run_property
from .target import Target
from .task import Asked
from .verdict import Failure as Failure
from .verdict import Verdict as Verdict

# Cases per property and dtype.
EXAMPLES = {"brief": 3, "quick": 12, "full": 150}


def judged_clauses(*, gradients: bool = False) -> list[str]:
    """Clauses that the suites can judge, in the specification's order; chapter 12's when asked."""
    known = {prop.clause for prop in PROPERTIES if gradients or not prop.gradients}
    return [clause for clause in all_clauses() if clause in known]


def run_verification(targets: Iterable[Target], *, clauses: Sequence[str] | None = None,
                     profile: str = "quick", seed: int = 0, gradients: bool = False,
                     ladder: bool = False, shrink_seconds: float = SHRINK_SECONDS, jobs: int = 1,
                     asking: Callable[[str, str], None] = lambda target, clause: None,
                     ) -> list[Verdict]:
    """One verdict for each target and clause.

    clauses    ids or chapters ("PAD-1", "PAD"); None means all but those of gradients
    profile    brief, quick or full: cases per property and dtype, see EXAMPLES
    seed       the same seed gives the same cases
    gradients  whether to add all clauses of gradients, GRAD
    ladder     whether to leave out cases that rest on what has failed, see `ladder`
    shrink_seconds  how long the search for a smaller counterexample may take, for each property
    jobs       processes that judge at once, where a target can be made in others and there is
               enough to ask of it; 1 judges in this one
    asking     told the target's name and the clause before each clause that is judged
    Raises ValueError for a clause or profile that is unknown, and for a target that is asked for
    gradients and offers none.
    """
    if profile not in EXAMPLES:
        raise ValueError(f"`profile` must be one of {', '.join(EXAMPLES)}; got {profile!r}.")
    if jobs < 1:
        raise ValueError(f"`jobs` must be at least 1; got {jobs}.")
    chosen, targets = chosen_clauses(clauses, gradients=gradients), list(targets)
    if not set(chosen) <= set(judged_clauses()):
        for target in targets:
            need_gradients(target)
    asked = Asked(EXAMPLES[profile], seed, shrink_seconds)
    verdicts = []
    for target in targets:
        climb = Climb(target, chosen, asked, ladder=ladder, asking=asking)
        with crew_of(target, min(jobs, len(climb.tasks) // LEAST_TASKS)) as crew:
            verdicts += climb.verdicts(crew)
    return verdicts


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
