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
CHANNELS = {"d", "d/2", "D", "D/2"}


@dataclass(frozen=True)
class Projection:
    """One parameter read as rows.

    inputs  the axis that meets the input's channels
    groups  groups of input channels: 1 when dense
    taps    rows and columns of the pixels that it sees; its rows are those of the middle one
    """

    name: str
    inputs: int
    groups: int
    taps: tuple[int, int] = (1, 1)

    def rows(self, array: Array) -> Array:
        """(rows, channels_in) of the parameter; zero where a group does not see a channel."""
        if self.taps != (1, 1):
            array = array[:, :, self.taps[0] // 2, self.taps[1] // 2]
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
        if self.taps != (1, 1):
            array = np.zeros(shape)
            array[:, :, self.taps[0] // 2, self.taps[1] // 2] = rows
            return array
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
    factors  single numbers, or one for each head
    others   what has no place in the layer
    """

    projections: list[Projection] = field(default_factory=list)
    mixers: list[str] = field(default_factory=list)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: list[str] = field(default_factory=list)
    factors: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def axis_labels(one: tuple[int, ...], other: tuple[int, ...],
                sizes: tuple[Sizes, Sizes]) -> tuple[tuple[str, ...], ...]:
    """For every axis the names of the lengths that it has at both sizes."""
    return tuple(tuple(name for name, length in LENGTHS.items()
                       if length(sizes[0]) == a and length(sizes[1]) == b)
                 for a, b in zip(one, other, strict=True))


def sort_parameters(shapes: Mapping[str, tuple[int, ...]], other: Mapping[str, tuple[int, ...]],
                    sizes: tuple[Sizes, Sizes], buffers: tuple[str, ...] = ()) -> Parts:
    """Every parameter by the lengths of its axes at two sizes.

    buffers  names of tensors that are no parameters: tables, or left as they are
    """
    parts = Parts()
    # A list by head has more members where there are more heads: its first stands for all.
    alike = {without_numbers(name): shape for name, shape in reversed(list(other.items()))}
    for name, shape in shapes.items():
        partner = other.get(name, alike.get(without_numbers(name), ()))
        if name in buffers:
            _sort_buffer(name, shape, partner, sizes, parts)
        elif len(partner) == len(shape):
            _sort_one(name, shape, partner, sizes, parts)
        else:
            parts.others.append(name)
    return parts


def without_numbers(name: str) -> str:
    """A parameter's name with every index as #: the members of a list by head are alike."""
    return re.sub(r"(?<![^.])\d+(?![^.])", "#", name)


def _sort_buffer(name: str, shape: tuple[int, ...], partner: tuple[int, ...],
                 sizes: tuple[Sizes, Sizes], parts: Parts) -> None:
    found = Parts()
    if len(partner) == len(shape):
        _sort_one(name, shape, partner, sizes, found)
    parts.tables |= {name: labels for name, labels in found.tables.items()
                     if any(set(axis.split("|")) & CHANNELS for axis in labels)}


def _sort_one(name: str, shape: tuple[int, ...], partner: tuple[int, ...],
              sizes: tuple[Sizes, Sizes], parts: Parts) -> None:
    labels = axis_labels(shape, partner, sizes)
    flat = [set(each) for each, length in zip(labels, shape, strict=True) if length != 1]
    has_entries = any(axis & set(ENTRIES) for axis in flat)
    inputs = _inputs(labels, sizes)
    grouped = _grouped(shape, partner, sizes)
    if not flat or (len(flat) == 1 and "N" in flat[0]):
        parts.factors.append(name)
    elif len(flat) == 1 and not has_entries:
        parts.vectors.append(name)
    elif len(shape) == 4 and inputs == 1 and shape[2] % 2 == shape[3] % 2 == 1 \
            and shape[2] * shape[3] > 1 and _counts((shape[:2], partner[:2]), 1, sizes):
        parts.projections.append(Projection(name, 1, 1, (shape[2], shape[3])))
    elif has_entries:
        parts.tables[name] = tuple("|".join(axis) for axis in labels)
    elif inputs is not None and _counts((shape, partner), inputs, sizes):
        parts.projections.append(Projection(name, inputs, 1))
    elif grouped is not None and len(flat) == 2 and _counts((shape, partner), 1, sizes, False):
        parts.projections.append(Projection(name, 1, grouped))
    elif len(flat) == 2 and all("D" in axis for axis in flat):
        parts.mixers.append(name)
    else:
        parts.others.append(name)


def _inputs(labels: tuple[tuple[str, ...], ...], sizes: tuple[Sizes, Sizes]) -> int | None:
    """The axis that meets the input's channels."""
    found = [at for at, axis in enumerate(labels) if "C" in axis]
    square = sizes[0].channels_in == sizes[0].channels_out
    # A linear layer or convolution has its inputs second; a bare matrix may have them first.
    return None if not found else found[1] if square and len(found) > 1 else found[0]


def _counts(shapes: tuple[tuple[int, ...], ...], inputs: int, sizes: tuple[Sizes, Sizes],
            by_head: bool = True) -> bool:
    """Whether the axes but the inputs' hold rows for all heads, or one, once or more often."""
    rows = [prod(length for at, length in enumerate(shape) if at != inputs) for shape in shapes]
    each = [(size.channels_out, size.depth)[:2 if by_head else 1] for size in sizes]
    return any(rows == [parts * one, parts * other] for parts in (1, 2, 3)
               for one, other in zip(*each, strict=True))


def _grouped(shape: tuple[int, ...], partner: tuple[int, ...],
             sizes: tuple[Sizes, Sizes]) -> int | None:
    """Groups of the input's channels that the second axis holds, as heads or a fixed number."""
    if len(shape) < 2 or any(size.channels_in % axes[1] for axes, size
                             in zip((shape, partner), sizes, strict=True)):
        return None
    groups = tuple(size.channels_in // axes[1] for axes, size
                   in zip((shape, partner), sizes, strict=True))
    told = groups[0] == groups[1] or groups == tuple(size.heads for size in sizes)
    return groups[0] if told and groups[0] > 1 and shape[0] % groups[0] == 0 else None
