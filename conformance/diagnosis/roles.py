"""Which parameter plays which role, from the lengths of its axes at two sizes.

A projection is read as rows, one for each output channel, whatever its layout: fused, by head,
grouped, a convolution of one pixel, a linear layer or a bare matrix.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from ..estimate import Array
from .instance import Sizes

Length = Callable[[Sizes], int]

LENGTHS: dict[str, Length] = {
    "C": lambda s: s.channels_in, "D": lambda s: s.channels_out, "N": lambda s: s.heads,
    "d": lambda s: s.depth, "d/2": lambda s: s.depth // 2, "D/2": lambda s: s.channels_out // 2,
    "C/N": lambda s: s.channels_in // s.heads, "2D": lambda s: 2 * s.channels_out,
    "3D": lambda s: 3 * s.channels_out, "2d": lambda s: 2 * s.depth, "3d": lambda s: 3 * s.depth,
    "k": lambda s: s.extent, "2k-1": lambda s: 2 * s.extent - 1, "kk": lambda s: s.extent ** 2,
    "(2k-1)^2": lambda s: (2 * s.extent - 1) ** 2, "1": lambda s: 1, "2": lambda s: 2,
    "3": lambda s: 3,
}
ENTRIES = ("k", "2k-1", "kk", "(2k-1)^2")


@dataclass(frozen=True)
class Projection:
    """One parameter read as rows.

    inputs  the axis that meets the input's channels
    groups  groups of input channels: 1 when dense
    """

    name: str
    inputs: int
    groups: int

    def rows(self, array: Array) -> Array:
        """(rows, channels_in) of the parameter; zero where a group does not see a channel."""
        flat = np.moveaxis(array, self.inputs, -1).reshape(-1, array.shape[self.inputs])
        if self.groups == 1:
            return flat
        dense = np.zeros((flat.shape[0], flat.shape[1] * self.groups))
        each = flat.shape[0] // self.groups
        for group in range(self.groups):
            dense[group * each:(group + 1) * each,
                  group * flat.shape[1]:(group + 1) * flat.shape[1]] = \
                flat[group * each:(group + 1) * each]
        return dense

    def array(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """The parameter whose rows these are."""
        width = shape[self.inputs]
        if self.groups > 1:
            each = rows.shape[0] // self.groups
            rows = np.concatenate([
                rows[g * each:(g + 1) * each, g * width:(g + 1) * width]
                for g in range(self.groups)])
        moved = (*np.delete(shape, self.inputs).tolist(), width)
        return np.moveaxis(rows.reshape(moved), -1, self.inputs)


@dataclass
class Parts:
    """A module's parameters sorted by kind.

    mixers   square parameters of channels_out where the input has another number of channels
    tables   parameters with an axis of entries, with the labels of their axes
    vectors  one axis of channels: biases, or what is not yet known
    spatial  projections that see more than one pixel
    others   what has no place in the layer
    """

    projections: list[Projection] = field(default_factory=list)
    mixers: list[str] = field(default_factory=list)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: list[str] = field(default_factory=list)
    spatial: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def axis_labels(one: tuple[int, ...], other: tuple[int, ...],
                sizes: tuple[Sizes, Sizes]) -> tuple[tuple[str, ...], ...]:
    """For every axis the names of the lengths that it has at both sizes."""
    return tuple(tuple(name for name, length in LENGTHS.items()
                       if length(sizes[0]) == a and length(sizes[1]) == b)
                 for a, b in zip(one, other, strict=True))


def sort_parameters(shapes: Mapping[str, tuple[int, ...]], other: Mapping[str, tuple[int, ...]],
                    sizes: tuple[Sizes, Sizes]) -> Parts:
    """Every parameter by the lengths of its axes at two sizes."""
    parts = Parts()
    square = sizes[0].channels_in == sizes[0].channels_out
    # A list by head has more members where there are more heads: its first stands for all.
    alike = {without_numbers(name): shape for name, shape in reversed(list(other.items()))}
    for name, shape in shapes.items():
        partner = other.get(name, alike.get(without_numbers(name), ()))
        if len(partner) != len(shape):
            parts.others.append(name)
            continue
        labels = axis_labels(shape, partner, sizes)
        flat = [set(each) for each, length in zip(labels, shape, strict=True) if length != 1]
        _sort_one(name, shape, labels, flat, parts, square)
    return parts


def without_numbers(name: str) -> str:
    """A parameter's name with every index as #: the members of a list by head are alike."""
    return re.sub(r"(?<![^.])\d+(?![^.])", "#", name)


def _sort_one(name: str, shape: tuple[int, ...], labels: tuple[tuple[str, ...], ...],
              flat: list[set[str]], parts: Parts, square: bool) -> None:
    has_entries = any(axis & set(ENTRIES) for axis in flat)
    inputs = [at for at, axis in enumerate(labels) if "C" in axis]
    grouped = [at for at, axis in enumerate(labels) if "C/N" in axis]
    if len(flat) <= 1 and not has_entries:
        (parts.vectors if flat and shape != () else parts.others).append(name)
    elif inputs and not has_entries:
        # A linear layer or convolution has its inputs second; a bare matrix may have them first.
        at = inputs[1] if square and len(inputs) > 1 else inputs[0]
        parts.projections.append(Projection(name, at, 1))
    elif inputs and has_entries and prod(shape) > 1 and len(flat) >= 3:
        parts.spatial.append(name)
    elif has_entries:
        parts.tables[name] = tuple("|".join(axis) for axis in labels)
    elif grouped and len(flat) == 2:
        parts.projections.append(Projection(name, grouped[0], -1))
    elif len(flat) == 2 and all("D" in axis for axis in flat):
        parts.mixers.append(name)
    else:
        parts.others.append(name)
