"""Runs the suites: every property of the clauses asked for, on every target, in every dtype."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from . import suites  # noqa: F401
from .case import Case
from .clauses import all_clauses
from .draw import Draw, replayed
from .judge import Disagreement
from .profiles import DTYPES
from .property import PROPERTIES, NotApplicable, Property
from .target import Target

# Cases per property and dtype.
EXAMPLES = {"brief": 3, "quick": 12, "full": 150}
# Seconds that the search for a smaller counterexample may take.
SHRINK_SECONDS = 3.0


@dataclass(frozen=True)
class Failure:
    """One property that did not hold.

    reason  the disagreement, or the exception that the implementation raised
    case    id of the smallest case that shows it; `replay` judges it alone
    spelled the same case in words
    """

    property: str
    dtype: str
    reason: str
    case: str
    spelled: str

    def __str__(self) -> str:
        return (f"{self.property} [{self.dtype}]: {self.reason}\n"
                f"  smallest case: {self.spelled}\n  replay: --case {self.case}")


@dataclass
class Verdict:
    """What one target gave for one clause.

    cases    how many were judged
    rho      the worst distance in units of the budget
    failures what did not hold
    """

    target: str
    clause: str
    cases: int = 0
    rho: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every property held, on at least one case."""
        return not self.failures and self.cases > 0


def judged_clauses() -> list[str]:
    """Clauses that the suites can judge, in the specification's order."""
    known = {prop.clause for prop in PROPERTIES}
    return [clause for clause in all_clauses() if clause in known]


def run_verification(targets: Iterable[Target], *, clauses: Sequence[str] | None = None,
                     profile: str = "quick", seed: int = 0,
                     report: Callable[[Verdict], None] = lambda verdict: None) -> list[Verdict]:
    """One verdict for each target and clause, each given to `report` as soon as it is known.

    clauses  ids or chapters ("PAD-1", "PAD"); None means all
    profile  brief, quick or full: cases per property and dtype, see EXAMPLES
    seed     the same seed gives the same cases
    Raises ValueError for a clause or profile that is unknown.
    """
    if profile not in EXAMPLES:
        raise ValueError(f"`profile` must be one of {', '.join(EXAMPLES)}; got {profile!r}.")
    chosen = _choose(clauses)
    verdicts = []
    for target in targets:
        for clause in chosen:
            verdict = Verdict(target.name, clause)
            for prop in (prop for prop in PROPERTIES if prop.clause == clause):
                for dtype in target.dtypes:
                    if prop.dtypes is None or dtype in prop.dtypes:
                        run_property(prop, target, dtype, verdict,
                                     EXAMPLES[profile] * prop.weight, seed)
            report(verdict)
            verdicts.append(verdict)
    return verdicts


def _choose(clauses: Sequence[str] | None) -> list[str]:
    known = judged_clauses()
    if clauses is None:
        return known
    for name in clauses:
        if not any(name in (clause, clause.partition("-")[0]) for clause in known):
            raise ValueError(f"`clauses` must be ids or chapters that the suites judge, "
                             f"such as {known[0]} or {known[0][:3]}; got {name!r}.")
    return [clause for clause in known
            if clause in clauses or clause.partition("-")[0] in clauses]


def run_property(prop: Property, target: Target, dtype: str, verdict: Verdict,
                 examples: int, seed: int) -> None:
    """Judge one property in one dtype, adding to the verdict."""
    failing: dict[tuple[int, ...], Case] = {}
    deadline = [float("inf")]

    @st.composite
    def drawn(draw: st.DrawFn, /) -> tuple[Case, tuple[int, ...]]:
        choices = Draw(lambda label, most: draw(st.integers(0, most), label=label))
        return prop.cases(choices, dtype), tuple(choices.recipe)

    def judge_one(drawn: tuple[Case, tuple[int, ...]]) -> None:
        case, recipe = drawn
        if time.monotonic() > deadline[0] and recipe not in failing:
            return  # The search has had its time: only what is known to fail may fail.
        try:
            rho = prop.check(case, target)
        except NotApplicable:
            reject()
        except Exception:
            # Last in the order of failing: the search ends on the smallest case that it knows.
            failing.pop(recipe, None)
            failing[recipe] = case
            deadline[0] = min(deadline[0], time.monotonic() + SHRINK_SECONDS)
            raise
        verdict.cases += 1
        verdict.rho = max(verdict.rho, rho)

    configured = settings(
        max_examples=examples, deadline=None, database=None, print_blob=False,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink))
    search = hypothesis_seed(seed)(configured(given(drawn())(judge_one)))
    try:
        search()
    except Exception as error:
        recipe = list(failing)[-1]
        verdict.failures.append(_failure(prop, dtype, error, recipe, failing[recipe]))


def _failure(prop: Property, dtype: str, error: Exception, recipe: Sequence[int],
             case: Case) -> Failure:
    kind = "" if isinstance(error, Disagreement) else f"{type(error).__name__}: "
    case_id = "/".join((prop.clause, prop.name, dtype, ".".join(str(n) for n in recipe)))
    return Failure(prop.name, dtype, f"{kind}{error}", case_id, repr(case))


def replay(case_id: str, target: Target) -> Verdict:
    """Judge one case by its id, "PAD-1/outside_neighbours_take_part/float64/0.1.2".

    Raises ValueError for an id that names no property, or whose choices cannot be made.
    """
    prop, dtype, recipe = _parse_id(case_id)
    case = prop.cases(replayed(recipe), dtype)
    verdict = Verdict(target.name, prop.clause)
    try:
        verdict.rho = prop.check(case, target)
        verdict.cases = 1
    except NotApplicable:
        raise ValueError(f"`case` must be one that its property judges; got {case_id!r}.") from None
    except Exception as error:
        verdict.cases = 1
        verdict.failures.append(_failure(prop, dtype, error, recipe, case))
    return verdict


def _parse_id(case_id: str) -> tuple[Property, str, list[int]]:
    clause, name, dtype, numbers = (*case_id.split("/"), "", "", "", "")[:4]
    for prop in PROPERTIES:
        if (prop.clause, prop.name) == (clause, name) and dtype in DTYPES \
                and re.fullmatch(r"\d+(\.\d+)*", numbers):
            return prop, dtype, [int(number) for number in numbers.split(".")]
    raise ValueError(f"`case` must be an id that a verdict printed, clause/property/dtype/choices; "
                     f"got {case_id!r}.")
