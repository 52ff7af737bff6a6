"""The search for a case of one property that fails, and for the smallest such case."""

import shlex
import time
import warnings
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, Unsatisfiable

from .case import Case
from .draw import Draw
from .isolation.failure import OutOfTime, TargetFailure
from .judge import Disagreement
from .ladder import Ladder, standing
from .offer import offer_of, trouble_of
from .property import NotApplicable, Property
from .target import Target
from .verdict import Failure, Verdict

# Seconds that the search for a smaller counterexample may take.
SHRINK_SECONDS = 3.0
# Cases passed over, after which a property without any other is not looked through any further.
PATIENCE = 100

Recipe = tuple[int, ...]


class Search:
    """One property on one target in one dtype, case after case, adding to a verdict.

    ladder   what the target has shown so far: cases of later rungs wait for `judge_waiting`, those
             that rest on a failed rung are not judged; None judges everything at once
    verdict  to which it adds
    shrink_seconds  how long the search for a smaller counterexample may take; 0 for none
    offered  whether the target takes any of the cases
    """

    def __init__(self, prop: Property, dtype: str, target: Target, verdict: Verdict,
                 ladder: Ladder | None = None, shrink_seconds: float = SHRINK_SECONDS) -> None:
        self._shrink_seconds = shrink_seconds
        self.prop, self.dtype, self.verdict = prop, dtype, verdict
        self._target, self._ladder, self._offer = target, ladder, offer_of(target)
        self._passed_over, self._deadline, self._over = 0, float("inf"), False
        self._asked = 0, 0
        # Cases that failed, by their choices; the last of them is the smallest.
        self._failing: dict[Recipe, tuple[Case, Exception]] = {}
        self._waiting: dict[Recipe, Case] = {}
        self.offered = False

    def run(self, examples: int, seed: int) -> None:
        """Judge so many cases; the smallest that is found to fail becomes a failure."""
        self._asked = examples, seed

        @st.composite
        def drawn(draw: st.DrawFn, /) -> tuple[Case, Recipe]:
            choices = Draw(lambda label, most: draw(st.integers(0, most), label=label),
                           self._offer.options)
            case = self.prop.cases(choices, self.dtype)
            return self._offer.adapted(case), tuple(choices.recipe)

        @hypothesis_seed(seed)
        @settings(max_examples=examples, deadline=None, database=None, print_blob=False,
                  report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
                  phases=(Phase.generate, Phase.shrink)[:2 if self._shrink_seconds else 1])
        @given(drawn())
        def search(drawn: tuple[Case, Recipe]) -> None:
            self._consider(*drawn)

        try:
            with warnings.catch_warnings():
                # A case of a network is long when it is spelled, which nobody need be told.
                warnings.simplefilter("ignore", HypothesisWarning)
                search()
        except Unsatisfiable:
            pass  # No case was judged, which the verdict's count says.
        except Exception:
            if not self._failing:
                raise
        if self._failing:
            self._tell_smallest()

    def judge_waiting(self) -> None:
        """Judge the cases that waited for the ladder's rung; where one fails, find the smallest."""
        if self._ladder is None or self._failing:
            return
        for recipe, case in list(self._waiting.items()):
            place = standing(self.prop.clause, case)
            if place.stage != self._ladder.at:
                continue
            del self._waiting[recipe]
            self.verdict.reason = self.verdict.reason or trouble_of(self._target)
            if self._over or self.verdict.reason is not None:
                return
            try:
                self._consider(case, recipe)
            except Exception:
                if not self._failing:
                    raise
                self.run(*self._asked)
                return

    def _consider(self, case: Case, recipe: Recipe) -> None:
        """Judge one case if it is its turn; raises what makes it fail."""
        if not self._offer.takes(case):
            self._passed_over += 1
            if self.offered or self._passed_over < PATIENCE:
                reject()
            return
        self.offered = True
        if self._over or not self._is_its_turn(case, recipe):
            return
        if time.monotonic() > self._deadline:
            # The search has had its time: only what is known to fail fails, and is not run again.
            if recipe in self._failing:
                raise self._failing[recipe][1]
            return
        try:
            rho = self.prop.check(case, self._target)
        except NotApplicable:
            reject()
        except OutOfTime as error:
            self._over, self.verdict.reason = True, str(error)
            return
        except Exception as error:
            # Last in the order of failing: the search ends on the smallest case that it knows.
            self._failing.pop(recipe, None)
            self._failing[recipe] = case, error
            lost = isinstance(error, TargetFailure) and error.lost
            left = 0 if lost else time.monotonic() + self._shrink_seconds
            self._deadline = min(self._deadline, left)
            raise
        self.verdict.cases += 1
        self.verdict.rho = max(self.verdict.rho, rho)

    def _is_its_turn(self, case: Case, recipe: Recipe) -> bool:
        if self._ladder is None:
            return True
        place = standing(self.prop.clause, case)
        if self._ladder.is_later(place):
            if not self._failing:
                self._waiting[recipe] = case
            return False
        rung = self._ladder.broken(place)
        self.verdict.rests_on = self.verdict.rests_on or rung
        return rung is None

    def _tell_smallest(self) -> None:
        recipe, (case, error) = list(self._failing.items())[-1]
        place = standing(self.prop.clause, case)
        told = failure_of(self.prop, self.dtype, error, recipe, case, self._target,
                          "" if self._ladder is None else place.stage)
        self.verdict.failures.append(told)
        if self._ladder is not None:
            self._ladder.note(self.verdict, told, place)


def run_property(prop: Property, target: Target, dtype: str, verdict: Verdict, examples: int,
                 seed: int, ladder: Ladder | None = None,
                 shrink_seconds: float = SHRINK_SECONDS) -> Search:
    """Judge one property in one dtype, adding to the verdict; what may be asked further."""
    search = Search(prop, dtype, target, verdict, ladder, shrink_seconds)
    search.run(examples, seed)
    return search


def failure_of(prop: Property, dtype: str, error: Exception, recipe: Sequence[int], case: Case,
               target: Target, rung: str = "") -> Failure:
    """One case that did not hold, with its id and the command that judges it alone."""
    kind = "" if isinstance(error, Disagreement | TargetFailure) else f"{type(error).__name__}: "
    case_id = "/".join((prop.clause, prop.name, dtype, ".".join(str(n) for n in recipe)))
    return Failure(prop.name, dtype, f"{kind}{error}", case_id, repr(case),
                   replay_command(target, case_id), rung)


def replay_command(target: Target, case_id: str) -> str:
    """The command that judges one case alone, with all that the target needs to be found."""
    words = getattr(target, "command_words", (target.name,))
    return shlex.join(["sasakit", "verify", *words, "--case", case_id])
