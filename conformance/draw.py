"""Choices that make a case: drawn by Hypothesis, recorded, and made again from the record.

A case's recipe is the list of its choices, each a number from 0. It is the same whoever draws, so
an id that carries the recipe replays its case alone, the smallest counterexample among them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Pick = Callable[[str, int], int]
Recipe = tuple[int, ...]

SEEDS = 2**32
# Choices of more values than this are drawn with no regard to what came before.
MOST_SHUFFLED = 32


class Draw:
    """Makes choices through `pick(label, most)`, a number from 0 to most, and records them.

    offered  values of the options to choose from, by name; all that the specification has when
             a name is missing
    """

    def __init__(self, pick: Pick, offered: Mapping[str, tuple[object, ...]] | None = None) -> None:
        self._pick, self.offered = pick, offered or {}
        self.recipe: list[int] = []

    def integer(self, label: str, least: int, most: int) -> int:
        """A whole number from least to most, both included."""
        offset = self._pick(label, most - least)
        self.recipe.append(offset)
        return least + offset

    def choice(self, label: str, options: Sequence[T]) -> T:
        """One of the options, the simplest first."""
        return options[self.integer(label, 0, len(options) - 1)]

    def numbers(self, label: str = "seed") -> np.random.Generator:
        """Random numbers for a case's arrays."""
        return np.random.default_rng(self.integer(label, 0, SEEDS - 1))


def shuffled(rng: np.random.Generator) -> Pick:
    """Random choices, of which a few draws meet all: none comes again before the others came."""
    left: dict[tuple[str, int], list[int]] = {}

    def pick(label: str, most: int) -> int:
        if most > MOST_SHUFFLED:
            return int(rng.integers(most, endpoint=True))
        cards = left.setdefault((label, most), [])
        if not cards:
            cards += rng.permutation(most + 1).tolist()
        return cards.pop()

    return pick


def again(recipe: Sequence[int]) -> Pick:
    """The choices of a recipe again.

    Raises ValueError, while choosing, where the recipe is too short or a choice out of range.
    """
    left = iter(recipe)

    def pick(label: str, most: int) -> int:
        offset = next(left, -1)
        if not 0 <= offset <= most:
            raise ValueError(f"`case` must have a choice of 0 to {most} for {label}; "
                             f"got {'none' if offset < 0 else offset}.")
        return offset

    return pick
