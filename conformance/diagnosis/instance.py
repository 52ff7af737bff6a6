"""A module that was built: its sizes, its parameters by name, and a way to run it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..estimate import Array

# Two ways to compute the same thing differ by some thousand roundings at most in cases of this
# size, two things that mean otherwise by a share of their size. The line between stands where
# neither is ever near: at 2^20 roundings of float64, and of float32, where there is less room, at
# 2^12. On the modules that the tests know, equals were seen to differ by 2^-38 at most, unlike ones
# by 2^-8 at least; in float32 by 2^-19 and 2^-3.
SAME = 2.0 ** -33
SAME_SINGLE = 2.0 ** -12
# Before a module's own words for why a build of its class that runs elsewhere does not run.
RAISES = "its forward raises "


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


@dataclass(frozen=True)
class Facts:
    """What building and running a module once told, which no parameter tells.

    heads_set  whether an argument of the constructor sets the heads
    single     whether it computes in float32, all of it or a part
    random     whether it draws numbers when it runs
    step       the sides of an image must be multiples of it
    square     images must be square
    buffers    those of its tensors that are no parameters
    """

    heads_set: bool = True
    single: bool = False
    random: bool = False
    step: int = 1
    square: bool = False
    buffers: tuple[str, ...] = ()

    def arrays(self) -> dict[str, Array]:
        """The same as arrays by name, with a mark that no parameter's name has."""
        numbers = {f"{MARK}{name}": np.array(float(getattr(self, name)))
                   for name in ("heads_set", "single", "random", "step", "square")}
        return numbers | {f"{MARK}buffer {name}": np.array(1.0) for name in self.buffers}

    @staticmethod
    def of(arrays: Mapping[str, Array]) -> "Facts":
        """From arrays by name, among others."""
        said = {name: bool(arrays[MARK + name]) for name in ("heads_set", "single", "random",
                                                             "square")}
        buffers = tuple(name.removeprefix(f"{MARK}buffer ") for name in arrays
                        if name.startswith(f"{MARK}buffer "))
        return Facts(**said, step=int(arrays[f"{MARK}step"]), buffers=buffers)

    def frame(self, height: int, width: int) -> tuple[int, int]:
        """Sides of an image that it takes, about as large as asked."""
        if self.square:
            return FRAME[0], FRAME[0]
        return tuple(-(-side // self.step) * self.step for side in (height, width))  # type: ignore[return-value]


MARK = "?"
# Rows and columns of an image that holds a whole window of every size that is built.
FRAME = (8, 9)

# Pairwise unlike in every length that a parameter's axis may have, so that lengths tell roles.
SIZES = (Sizes(21, 24, 3, 5), Sizes(24, 40, 4, 7))
# The same for modules whose channels in and out are one number.
SQUARE_SIZES = (Sizes(24, 24, 3, 5), Sizes(40, 40, 4, 7))
# The same for modules that choose their heads themselves, by any usual number.
ROUND_SIZES = (Sizes(21, 48, 3, 5), Sizes(24, 80, 4, 7))
ROUND_SQUARE_SIZES = (Sizes(48, 48, 3, 5), Sizes(80, 80, 4, 7))


class Instance(Protocol):
    """One build of a module, in double precision where it can, without gradients."""

    @property
    def facts(self) -> Facts:
        """What building and running it told."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of its parameters and other tensors by name, in their order."""
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


def same(one: Array, other: Array, single: bool = False) -> bool:
    """Whether two results are one but for rounding; shapes and what is not finite count too.

    single  whether one of them was computed in float32
    """
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return False
    size = max(float(np.abs(one).max(initial=0.0)), float(np.abs(other).max(initial=0.0)))
    return float(np.abs(one - other).max(initial=0.0)) <= (SAME_SINGLE if single else SAME) * size
