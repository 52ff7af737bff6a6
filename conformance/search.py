"""The search for a case of one property that fails, and for the smallest such case."""

import shlex
import time
import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from zlib import crc32

import numpy as np
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, Unsatisfiable

from .case import Case
from .dealing import BACKEND, dealt
from .draw import Draw, Pick, Recipe, again, shuffled
from .isolation.failure import OutOfTime, TargetFailure
from .judge import Disagreement
from .ladder import Ladder, Standing, standing
from .offer import asked_again, offer_of, trouble_of
from .property import NotApplicable, Property
from .target import Target
from .verdict import Failure, Verdict

# Seconds that the search for a smaller counterexample may take.
SHRINK_SECONDS = 3.0
# Cases passed over for each that is asked for, after which no others are looked for.
ATTEMPTS = 10
# Cases passed over, after which a property without any other is not looked through any further.
PATIENCE = 100


class Search:
    """One property on one target in one dtype, case after case, adding to a verdict.

    ladder   what the target has shown so far: cases of later rungs wait for `judge_waiting`, those
             that rest on a failed rung are not judged; None judges everything at once
    verdict  to which it adds
    shrink_seconds  how long the search for a smaller counterexample may take; 0 for none
    offered  whether the target takes any of the cases
    waiting  choices of the cases that wait, by the rung on which they stand
    rested   rungs on which some case rests whose turn it was
    """

    def __init__(self, prop: Property, dtype: str, target: Target, verdict: Verdict,
                 ladder: Ladder | None = None, shrink_seconds: float = SHRINK_SECONDS) -> None:
        self._shrink_seconds = shrink_seconds
        self.prop, self.dtype, self.verdict = prop, dtype, verdict
        self._target, self._ladder, self._offer = target, ladder, offer_of(target)
        self._passed_over, self._deadline, self._over = 0, float("inf"), False
        self._seen: set[Recipe] = set()
        # Cases that failed, by their choices; the last of them is the smallest.
        self._failing: dict[Recipe, tuple[Case, Exception]] = {}
        self.waiting: dict[str, list[Recipe]] = {}
        self.rested: set[str] = set()
        self.offered = False

    def run(self, examples: int, seed: int) -> None:
        """Judge so many cases; the smallest that is found to fail becomes a failure."""
        # Other cases in every dtype, for most mistakes show in any of them. They are dealt, for
        # random ones would leave out some options in the few cases of a quick run.
        name = f"{self.prop.clause}/{self.prop.name}/{self.dtype}"
        self._search(shuffled(np.random.default_rng((seed, crc32(name.encode())))), examples, seed)
        if self._failing:
            self._tell_smallest()

    def judge_waiting(self, waiting: Iterable[Recipe]) -> None:
        """Judge cases that waited for the ladder's rung; where one fails, find the smallest."""
        for recipe in waiting:
            self.verdict.reason = self.verdict.reason or trouble_of(self._target)
            if self._over or self.verdict.reason is not None:
                return
            case = asked_again(self.prop, recipe, self.dtype, self._target)
            try:
                self._judge(recipe, case)
            except NotApplicable:
                continue
            except Exception:
                if not self._failing:
                    raise
                # Two, for Hypothesis begins with the simplest case.
                self._search(again(recipe), 2, 0)
                self._tell_smallest()
                return

    def _search(self, pick: Pick, examples: int, seed: int) -> None:
        """Let Hypothesis judge the simplest case, those that are picked, and ever smaller ones."""
        limit = ATTEMPTS * examples

        @st.composite
        def drawn(draw: st.DrawFn, /) -> tuple[Recipe, Case]:
            choices = Draw(partial(choose, draw), self._offer.options)
            case = self._offer.adapted(self.prop.cases(choices, self.dtype))
            return tuple(choices.recipe), case

        @hypothesis_seed(seed)
        @settings(max_examples=examples, backend=BACKEND, deadline=None, database=None,
                  print_blob=False, report_multiple_bugs=False,
                  suppress_health_check=list(HealthCheck),
                  phases=(Phase.generate, Phase.shrink)[:2 if self._shrink_seconds else 1])
        @given(drawn())
        def search(drawn: tuple[Recipe, Case]) -> None:
            self._consider(*drawn, limit)

        try:
            with warnings.catch_warnings(), dealt(pick) as choose:
                # A case of a network is long when it is spelled, which nobody need be told.
                warnings.simplefilter("ignore", HypothesisWarning)
                search()
        except Unsatisfiable:
            pass  # No case was judged, which the verdict's count says.
        except Exception:
            if not self._failing:
                raise

    def _consider(self, recipe: Recipe, case: Case, limit: int) -> None:
        """Judge a case that Hypothesis drew, once; raises what makes it fail.

        limit  how many cases may be passed over where some are taken
        """
        if recipe in self._failing:
            # Last in the order of failing: Hypothesis ends on the smallest case that it knows.
            self._failing[recipe] = self._failing.pop(recipe)
            raise self._failing[recipe][1]
        if self._over or time.monotonic() > self._deadline:
            return
        try:
            if recipe in self._seen or not self._offer.takes(case):
                raise NotApplicable
            self._seen.add(recipe)
            self.offered = True
            self._judge(recipe, case)
        except NotApplicable:
            self._passed_over += 1
            if not self._failing and self._passed_over < (limit if self.offered else PATIENCE):
                reject()

    def _judge(self, recipe: Recipe, case: Case) -> None:
        """Judge one case if it is its turn, and count it; raises what makes it fail.

        Raises NotApplicable for a case that the property passes over.
        """
        if not self._is_its_turn(recipe, case):
            return
        try:
            rho = self.prop.check(case, self._target)
        except NotApplicable:
            raise
        except OutOfTime as error:
            self._over = True
            if not self._failing:
                self.verdict.reason = str(error)
        except Exception as error:
            self._failing[recipe] = case, error
            # Nothing more is asked of a process that was lost.
            lost = isinstance(error, TargetFailure) and error.lost
            left = 0 if lost else time.monotonic() + self._shrink_seconds
            self._deadline = min(self._deadline, left)
            raise
        else:
            if not self._failing:
                self.verdict.cases += 1
                self.verdict.rho = max(self.verdict.rho, rho)

    def _is_its_turn(self, recipe: Recipe, case: Case) -> bool:
        if self._ladder is None:
            return True
        place = self._standing(case)
        if self._ladder.is_later(place):
            if not self._failing:
                self.waiting.setdefault(place.stage, []).append(recipe)
            return False
        self.rested |= place.rests_on
        rung = self._ladder.broken(place)
        if not self._failing:
            self.verdict.rests_on = self.verdict.rests_on or rung
        return rung is None

    def _standing(self, case: Case) -> Standing:
        return standing(self.prop.clause, case, self._offer.own_options(case.options))

    def _tell_smallest(self) -> None:
        recipe, (case, error) = list(self._failing.items())[-1]
        place = self._standing(case)
        told = failure_of(self.prop, self.dtype, error, recipe, case, self._target,
                          "" if self._ladder is None else place.stage)
        self.verdict.failures.append(told)
        if self._ladder is not None:
            self._ladder.note(self.verdict, told, place)


def run_property(prop: Property, target: Target, dtype: str, verdict: Verdict, examples: int,
                 seed: int, shrink_seconds: float = SHRINK_SECONDS) -> None:
    """Judge one property in one dtype, adding to the verdict."""
    Search(prop, dtype, target, verdict, None, shrink_seconds).run(examples, seed)


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
