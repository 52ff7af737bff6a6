"""The search for a case of one property that fails, and for the smallest such case."""

import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

import numpy as np

from .case import Case
from .draw import Draw, Recipe, nearest, shuffled
from .isolation.failure import OutOfTime, TargetFailure
from .judge import Disagreement
from .ladder import Ladder, Standing, standing
from .offer import asked_again, offer_of, trouble_of
from .property import NotApplicable, Property
from .target import Target
from .verdict import Failure, Verdict

# Seconds that the search for a smaller counterexample may take.
SHRINK_SECONDS = 3.0
# Cases drawn for each that is asked for, where a property passes over most of them.
ATTEMPTS = 10
# Cases passed over, after which a property without any other is not looked through any further.
PATIENCE = 100
# Larger choices are seeds of random numbers, whose halves say nothing.
MOST_HALVED = 1 << 16


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
        self._over = False
        self.waiting: dict[str, list[Recipe]] = {}
        self.rested: set[str] = set()
        self.offered = False

    def run(self, examples: int, seed: int) -> None:
        """Judge so many cases; the first that fails, made as small as it goes, is a failure."""
        asked = 0
        for recipe, case in self._drawn(examples * ATTEMPTS, seed):
            try:
                error = self._judge(recipe, case)
            except NotApplicable:
                continue
            if error is not None:
                self._tell(*self._smallest(recipe, case, error))
                return
            asked += 1
            if self._over or asked == examples:
                return

    def _drawn(self, most: int, seed: int) -> Iterator[tuple[Recipe, Case]]:
        """Cases that the target takes, each once: the simplest one, then random ones."""
        # Other cases in every dtype, for most mistakes show in any of them.
        name = f"{self.prop.clause}/{self.prop.name}/{self.dtype}"
        pick = shuffled(np.random.default_rng((seed, crc32(name.encode()))))
        seen: set[Recipe] = set()
        for attempt in range(most):
            if attempt == PATIENCE and not self.offered:
                return
            draw = Draw(pick if attempt else (lambda label, most: 0), self._offer.options)
            case = self._offer.adapted(self.prop.cases(draw, self.dtype))
            recipe = tuple(draw.recipe)
            if recipe not in seen and self._offer.takes(case):
                seen.add(recipe)
                self.offered = True
                yield recipe, case

    def judge_waiting(self, waiting: Iterable[Recipe]) -> None:
        """Judge cases that waited for the ladder's rung, until one fails."""
        for recipe in waiting:
            self.verdict.reason = self.verdict.reason or trouble_of(self._target)
            if self._over or self.verdict.reason is not None:
                return
            case = asked_again(self.prop, recipe, self.dtype, self._target)
            try:
                error = self._judge(recipe, case)
            except NotApplicable:
                continue
            if error is not None:
                self._tell(*self._smallest(recipe, case, error))
                return

    def _judge(self, recipe: Recipe, case: Case) -> Exception | None:
        """Judge one case if it is its turn, and count it; what makes it fail.

        Raises NotApplicable for a case that the property passes over.
        """
        if not self._is_its_turn(recipe, case):
            return None
        try:
            rho = self.prop.check(case, self._target)
        except NotApplicable:
            raise
        except OutOfTime as error:
            self._over, self.verdict.reason = True, str(error)
        except Exception as error:
            return error
        else:
            self.verdict.cases += 1
            self.verdict.rho = max(self.verdict.rho, rho)
        return None

    def _is_its_turn(self, recipe: Recipe, case: Case) -> bool:
        if self._ladder is None:
            return True
        place = self._standing(case)
        if self._ladder.is_later(place):
            self.waiting.setdefault(place.stage, []).append(recipe)
            return False
        self.rested |= place.rests_on
        rung = self._ladder.broken(place)
        self.verdict.rests_on = self.verdict.rests_on or rung
        return rung is None

    def _standing(self, case: Case) -> Standing:
        return standing(self.prop.clause, case, self._offer.own_options(case.options))

    def _smallest(self, recipe: Recipe, case: Case,
                  error: Exception) -> tuple[Recipe, Case, Exception]:
        """The smallest case that is found to fail: one choice after the other is made smaller."""
        found, before = (recipe, case, error), None
        deadline = time.monotonic() + self._shrink_seconds
        tried = {recipe}
        while found[0] != before:
            before = found[0]
            for at in range(len(before)):
                # Choices below `low` have been tried; halving finds the least where failing is
                # a matter of size.
                low = 0
                while at < len(found[0]) and low < (high := found[0][at]):
                    # Nothing more is asked of a process that was lost.
                    if time.monotonic() > deadline or _is_lost(found[2]):
                        return found
                    choice = (low + high) // 2 if low else 0
                    smaller = self._fails_too((*found[0][:at], choice, *found[0][at + 1:]), tried)
                    if smaller is not None:
                        found = smaller
                    elif high > MOST_HALVED:
                        break
                    else:
                        low = choice + 1
        return found

    def _fails_too(self, recipe: Recipe,
                   tried: set[Recipe]) -> tuple[Recipe, Case, Exception] | None:
        """The case nearest to these choices, if it is another that fails in its turn."""
        draw = nearest(recipe, self._offer.options)
        case = self._offer.adapted(self.prop.cases(draw, self.dtype))
        recipe = tuple(draw.recipe)
        if recipe in tried or not self._offer.takes(case):
            return None
        tried.add(recipe)
        if self._ladder is not None:
            place = self._standing(case)
            if self._ladder.is_later(place) or self._ladder.broken(place) is not None:
                return None
        try:
            self.prop.check(case, self._target)
        except (NotApplicable, OutOfTime):
            return None
        except Exception as error:
            return recipe, case, error
        return None

    def _tell(self, recipe: Recipe, case: Case, error: Exception) -> None:
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


def _is_lost(error: Exception) -> bool:
    return isinstance(error, TargetFailure) and error.lost


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
