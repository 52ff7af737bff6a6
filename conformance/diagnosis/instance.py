"""A module that was built: its sizes, its parameters by name, and a way to run it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..estimate import Array

# Two ways to compute the same thing differ by some thousand roundings at most in cases of this
# size, two things that mean otherwise by a share of their size. The line between stands where
# neither is ever near: 2^20 roundings.
SAME = 2.0 ** -33


@dataclass(frozen=True)
class Sizes:
    """Channels in and out, heads and extent of one build."""

    channels_in: int
    channels_out: int
    heads: int
    extent: int

    @property
    def depth(self) -> int:
        """Channels of one head."""
        return self.channels_out // self.heads


# Pairwise unlike in every length that a parameter's axis may have, so that lengths tell roles.
SIZES = (Sizes(21, 24, 3, 5), Sizes(24, 40, 4, 7))
# The same for modules whose channels in and out are one number.
SQUARE_SIZES = (Sizes(24, 24, 3, 5), Sizes(40, 40, 4, 7))


class Instance(Protocol):
    """One build of a module, in double precision, without gradients."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of its parameters by name, in their order."""
        ...

    def get(self) -> dict[str, Array]:
        """Copies of its parameters."""
        ...

    def set(self, parameters: Mapping[str, Array]) -> None:
        """Overwrite some of its parameters."""
        ...

    def run(self, x: Array) -> Array:
        """(batch, rows, cols, channels_out) of x (batch, height, width, channels_in)."""
        ...


class Builder(Protocol):
    """Builds a module at given sizes."""

    def build(self, sizes: Sizes) -> Instance:
        """Raises ModuleError, in words, when it cannot be built or run."""
        ...


class ModuleError(Exception):
    """A module that cannot be built or run, with the reason."""


def same(one: Array, other: Array) -> bool:
    """Whether two results are one but for rounding; shapes and what is not finite count too."""
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return False
    size = max(float(np.abs(one).max(initial=0.0)), float(np.abs(other).max(initial=0.0)))
    return float(np.abs(one - other).max(initial=0.0)) <= SAME * size
