"""Runs the suites: every property of the clauses asked for, on every target, in every dtype."""

import re
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, Unsatisfiable

from . import suites  # noqa: F401
from .case import Case
from .clauses import all_clauses
from .draw import Draw, replayed
from .gradients import need_gradients
from .isolation.failure import TargetFailure
from .judge import Disagreement
from .offer import offer_of, trouble_of
from .profiles import DTYPES
from .property import PROPERTIES, NotApplicable, Property
from .target import Target

# Cases per property and dtype.
EXAMPLES = {"brief": 3, "quick": 12, "full": 150}
# Seconds that the search for a smaller counterexample may take.
SHRINK_SECONDS = 3.0
# Cases passed over, after which a property without any other is not looked through any further.
PATIENCE = 100
NOT_OFFERED = "the target offers nothing that the clause's cases ask for."


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
    reason   why it was not judged: not offered, or the target is gone; None where it was
    """

    target: str
    clause: str
    cases: int = 0
    rho: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    reason: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every property held, on at least one case."""
        return not self.failures and self.cases > 0


def judged_clauses(*, gradients: bool = False) -> list[str]:
    """Clauses that the suites can judge, in the specification's order; chapter 12's when asked."""
    known = {prop.clause for prop in PROPERTIES if gradients or not prop.gradients}
    return [clause for clause in all_clauses() if clause in known]


def run_verification(targets: Iterable[Target], *, clauses: Sequence[str] | None = None,
                     profile: str = "quick", seed: int = 0, gradients: bool = False,
                     report: Callable[[Verdict], None] = lambda verdict: None) -> list[Verdict]:
    """One verdict for each target and clause, each given to `report` as soon as it is known.

    clauses    ids or chapters ("PAD-1", "PAD"); None means all but those of gradients
    profile    brief, quick or full: cases per property and dtype, see EXAMPLES
    seed       the same seed gives the same cases
    gradients  whether to add all clauses of gradients, GRAD
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
        for clause in chosen:
            verdict = _judge_clause(clause, target, EXAMPLES[profile], seed)
            report(verdict)
            verdicts.append(verdict)
    return verdicts


def _judge_clause(clause: str, target: Target, examples: int, seed: int) -> Verdict:
    verdict = Verdict(target.name, clause, reason=trouble_of(target))
    if verdict.reason is not None:
        return verdict
    offer, offered = offer_of(target), False
    for prop in (prop for prop in PROPERTIES if prop.clause == clause):
        for dtype in target.dtypes:
            if trouble_of(target) is None and (prop.dtypes is None or dtype in prop.dtypes) \
                    and offer.covers(prop, dtype):
                offered |= run_property(prop, target, dtype, verdict, examples * prop.weight, seed)
    if not offered:
        verdict.reason = NOT_OFFERED
    return verdict


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


def run_property(prop: Property, target: Target, dtype: str, verdict: Verdict,
                 examples: int, seed: int, shrink: bool = True) -> bool:
    """Judge one property in one dtype, adding to the verdict; whether any case was offered.

    shrink  whether to look for a smaller counterexample to what fails
    """
    one = _Search(prop, target, verdict)

    @st.composite
    def drawn(draw: st.DrawFn, /) -> tuple[Case, tuple[int, ...]]:
        choices = Draw(lambda label, most: draw(st.integers(0, most), label=label))
        return prop.cases(choices, dtype), tuple(choices.recipe)

    configured = settings(
        max_examples=examples, deadline=None, database=None, print_blob=False,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,))

    @hypothesis_seed(seed)
    @configured
    @given(drawn())
    def search(drawn: tuple[Case, tuple[int, ...]]) -> None:
        one.judge(*drawn)

    try:
        with warnings.catch_warnings():
            # A case of a network is long when it is spelled, which nobody need be told.
            warnings.simplefilter("ignore", HypothesisWarning)
            search()
    except Unsatisfiable:
        pass  # No case was judged, which the verdict's count says.
    except Exception as error:
        if not one.failing:
            raise
        recipe = list(one.failing)[-1]
        verdict.failures.append(_failure(prop, dtype, error, recipe, one.failing[recipe][0]))
    return one.offered


class _Search:
    """What is known while one property is judged, case after case.

    failing  cases that failed, by their choices; the last of them is the smallest
    offered  whether the target takes any of the cases
    """

    def __init__(self, prop: Property, target: Target, verdict: Verdict) -> None:
        self._prop, self._target, self._verdict = prop, target, verdict
        self._offer, self._passed_over, self._deadline = offer_of(target), 0, float("inf")
        self.failing: dict[tuple[int, ...], tuple[Case, Exception]] = {}
        self.offered = False

    def judge(self, case: Case, recipe: tuple[int, ...]) -> None:
        """Judge one case, adding to the verdict; raises what makes it fail."""
        if not self._offer.takes(case):
            self._passed_over += 1
            if self.offered or self._passed_over < PATIENCE:
                reject()
            return
        self.offered = True
        if time.monotonic() > self._deadline:
            # The search has had its time: only what is known to fail fails, and is not run again.
            if recipe in self.failing:
                raise self.failing[recipe][1]
            return
        try:
            rho = self._prop.check(case, self._target)
        except NotApplicable:
            reject()
        except Exception as error:
            # Last in the order of failing: the search ends on the smallest case that it knows.
            self.failing.pop(recipe, None)
            self.failing[recipe] = case, error
            lost = isinstance(error, TargetFailure) and error.lost
            self._deadline = min(self._deadline, 0 if lost else time.monotonic() + SHRINK_SECONDS)
            raise
        self._verdict.cases += 1
        self._verdict.rho = max(self._verdict.rho, rho)


def _failure(prop: Property, dtype: str, error: Exception, recipe: Sequence[int],
             case: Case) -> Failure:
    kind = "" if isinstance(error, Disagreement | TargetFailure) else f"{type(error).__name__}: "
    case_id = "/".join((prop.clause, prop.name, dtype, ".".join(str(n) for n in recipe)))
    return Failure(prop.name, dtype, f"{kind}{error}", case_id, repr(case))


def replay(case_id: str, target: Target) -> Verdict:
    """Judge one case by its id, "PAD-1/outside_neighbours_take_part/float64/0.1.2".

    Raises ValueError for an id that names no property, or whose choices cannot be made, and for a
    target without gradients that is asked for them.
    """
    prop, dtype, recipe = parse_id(case_id)
    if prop.gradients:
        need_gradients(target)
    case = prop.cases(replayed(recipe), dtype)
    verdict = Verdict(target.name, prop.clause, reason=trouble_of(target))
    if verdict.reason is None and not offer_of(target).takes(case):
        verdict.reason = NOT_OFFERED
    if verdict.reason is not None:
        return verdict
    try:
        verdict.rho = prop.check(case, target)
        verdict.cases = 1
    except NotApplicable:
        raise ValueError(f"`case` must be one that its property judges; got {case_id!r}.") from None
    except Exception as error:
        verdict.cases = 1
        verdict.failures.append(_failure(prop, dtype, error, recipe, case))
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
