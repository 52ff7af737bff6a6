"""Which of a module's parameters may play which role in a stem, from shapes at two sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations, product

import numpy as np

from ..estimate import Array
from .instance import Sizes
from .roles import Projection

# Unlike in every length; four heads, which may be in the code, divide both widths.
STEM_SIZES = (Sizes(21, 24, 3, 6), Sizes(22, 40, 2, 2))
# How a normalization's entries are called, and what they are in the reference.
NORM = {"weight": "norm_scale", "bias": "norm_shift", "running_mean": "norm_mean",
        "running_var": "norm_variance"}
Shapes = Mapping[str, tuple[int, ...]]


@dataclass
class StemParts:
    """A module's parameters sorted by kind.

    projections  read as rows; kernel  the parameter of a convolution of more than one pixel
    tables       what has neither the input's channels nor a single axis
    vectors      what has one axis, biases perhaps
    norm         role in the reference, and the entry that plays it
    """

    projections: list[Projection] = field(default_factory=list)
    kernel: str | None = None
    tables: list[str] = field(default_factory=list)
    vectors: list[str] = field(default_factory=list)
    norm: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """Which tables are those of rows, of columns and of the mixtures, and their axes.

    axes  of each the axis that the embedding runs along
    """

    row: str
    col: str
    nu: str
    axes: tuple[int, int, int]

    def apply(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """(entries, embedding) twice and (mixtures, embedding)."""
        return {role: np.moveaxis(squeezed(arrays[name]), axis, -1)
                for role, name, axis in zip(("row", "col", "nu"), (self.row, self.col, self.nu),
                                            self.axes, strict=True)}


def sort_stem(shapes: Shapes, other: Shapes, channels: tuple[int, int]) -> StemParts | None:
    """The parameters by kind, or None where one can be none of a stem's.

    shapes, other  at two sizes; channels are the input's at both
    """
    parts = StemParts()
    means = [name for name in shapes if name.endswith("running_mean")]
    if len(means) > 1 or set(shapes) != set(other):
        return None
    for name in means:
        owner = name.removesuffix("running_mean")
        parts.norm = {role: owner + entry for entry, role in NORM.items()
                      if owner + entry in shapes}
    for name, shape in shapes.items():
        if name in parts.norm.values():
            continue
        if len(other[name]) != len(shape):
            return None
        inputs = [at for at, pair in enumerate(zip(shape, other[name], strict=True))
                  if pair == channels]
        long = [length for length in shape if length != 1]
        if inputs and len(shape) == 4 and shape[2] == shape[3] > 1 and parts.kernel is None:
            parts.kernel = name
        elif inputs and len(long) > 1:
            parts.projections.append(Projection(name, inputs[0], 1))
        elif len(long) == 1:
            parts.vectors.append(name)
        elif len(long) > 1 and not inputs:
            parts.tables.append(name)
        else:
            return None
    return parts


def readings(parts: StemParts, shapes: Shapes, mixtures: int) -> Iterator[Reading]:
    """Every way to take two tables and the mixtures' vectors from the tables."""
    plain = [name for name in parts.tables if len(squeezed_shape(shapes[name])) == 2]
    for nu in plain:
        rest = [name for name in plain if name != nu]
        for row, col in [*permutations(rest, 2), *((name, name) for name in rest)]:
            for axes in product((0, 1), (0, 1), (0, 1)):
                reading = Reading(row, col, nu, axes)
                lengths = {squeezed_shape(shapes[name])[axis]
                           for name, axis in zip((row, col, nu), axes, strict=True)}
                entries = {squeezed_shape(shapes[name])[1 - axis]
                           for name, axis in zip((row, col), axes[:2], strict=True)}
                if len(lengths) == len(entries) == 1 and \
                        squeezed_shape(shapes[nu])[1 - axes[2]] == mixtures:
                    yield reading


def single_tables(reading: Reading) -> list[tuple[Reading, str]]:
    """A reading, and how many of its tables are read: both, one of them, or one for both."""
    if reading.row == reading.col:
        return [(reading, "rows"), (reading, "columns"), (reading, "tied")]
    alone = replace(reading, col=reading.row, axes=(reading.axes[0], *reading.axes[:1],
                                                    reading.axes[2]))
    return [(reading, "both"), (alone, "rows"), (alone, "columns"), (alone, "tied")]


def squeezed_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes longer than one."""
    return tuple(length for length in shape if length != 1)


def squeezed(array: Array) -> Array:
    """The array without its axes of one."""
    return array.reshape(squeezed_shape(array.shape))
