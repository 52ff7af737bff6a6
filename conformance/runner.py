"""Runs the suites: every property of the clauses asked for, on every target, in every dtype."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.errors import HypothesisException

from . import suites  # noqa: F401
from .case import Case
from .clauses import all_clauses
from .judge import Disagreement
from .property import PROPERTIES, Property
from .target import Target

# Cases per property and dtype.
EXAMPLES = {"brief": 3, "quick": 12, "full": 150}
# Seconds that the search for a smaller counterexample may take.
SHRINK_SECONDS = 3.0


@dataclass
class Verdict:
    """What one target gave for one clause.

    cases    how many were judged
    rho      the worst distance in units of the budget
    failures text of each failed property, with its smallest case
    """

    target: str
    clause: str
    cases: int = 0
    rho: float = 0.0
    failures: list[str] = field(default_factory=list)

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
    failing: dict[str, None] = {}
    deadline = [float("inf")]

    def judge_one(case: Case) -> None:
        if time.monotonic() > deadline[0] and repr(case) not in failing:
            return  # The search has had its time: only what is known to fail may fail.
        try:
            rho = prop.check(case, target)
        except (HypothesisException, KeyboardInterrupt):
            raise
        except Exception:
            failing.pop(repr(case), None)
            failing[repr(case)] = None
            deadline[0] = min(deadline[0], time.monotonic() + SHRINK_SECONDS)
            raise
        verdict.cases += 1
        verdict.rho = max(verdict.rho, rho)

    configured = settings(
        max_examples=examples, deadline=None, database=None, print_blob=False,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink))
    search = hypothesis_seed(seed)(configured(given(prop.cases(dtype))(judge_one)))
    try:
        search()
    except Exception as error:
        kind = "" if isinstance(error, Disagreement) else f"{type(error).__name__}: "
        # The search ends on the smallest case it knows, so that is the one that failed last.
        smallest = list(failing)[-1] if failing else "none"
        verdict.failures.append(
            f"{prop.name} [{dtype}]: {kind}{error} Smallest case: {smallest}")
