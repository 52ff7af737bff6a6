"""Random choices for Hypothesis that are dealt, the same whatever else is loaded.

Hypothesis by itself mixes in numbers from the source of all loaded modules, so that one seed would
give other cases in another process. First draws come from a `Pick` instead, through a provider of
our own. While it shrinks, Hypothesis draws by itself again: larger choices are drawn in digits,
for it takes from modules no number whose size is below BASE.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

from .draw import Pick

BACKEND = "sasakit"
BASE = 100

Choose = Callable[[st.DrawFn, str, int], int]


class _Dealer:
    """Hands out what `pick` chooses, one digit after the other."""

    def __init__(self, pick: Pick) -> None:
        self._pick, self._label, self._most = pick, "", 0
        self._digits: list[int] = []

    def choose(self, draw: st.DrawFn, label: str, most: int) -> int:
        """A number from 0 to most, by the digits that Hypothesis draws."""
        self._label, self._most, self._digits = label, most, []
        return _composed(draw, label, most)

    def digit(self) -> int:
        """The next digit of the choice that is being made; nothing is picked before the first."""
        if not self._digits:
            self._digits = _digits(self._pick(self._label, self._most), self._most)
        return self._digits.pop(0)


_DEALER: ContextVar[_Dealer] = ContextVar("_DEALER")


class DealtProvider(HypothesisProvider):
    """Hypothesis's own, but for whole numbers, of which all our choices are made."""

    def draw_integer(self, min_value: int | None = None, max_value: int | None = None, *,
                     weights: dict[int, float] | None = None, shrink_towards: int = 0) -> int:
        """The next digit that is dealt."""
        return _DEALER.get().digit()


AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.{DealtProvider.__name__}"


@contextmanager
def dealt(pick: Pick) -> Iterator[Choose]:
    """How to choose under Hypothesis's backend BACKEND: it draws at first what `pick` does."""
    dealer = _Dealer(pick)
    token = _DEALER.set(dealer)
    try:
        yield dealer.choose
    finally:
        _DEALER.reset(token)


def _composed(draw: st.DrawFn, label: str, most: int) -> int:
    if most < BASE:
        return draw(st.integers(0, most), label=label)
    high = _composed(draw, label, most // BASE)
    return min(high * BASE + draw(st.integers(0, BASE - 1), label=label), most)


def _digits(number: int, most: int) -> list[int]:
    """The digits that `_composed` puts together, the highest first."""
    if most < BASE:
        return [number]
    return [*_digits(number // BASE, most // BASE), number % BASE]
