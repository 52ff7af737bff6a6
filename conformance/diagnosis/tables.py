"""Every way in which a module's tables can be read as those of the layer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ..estimate import Array
from .instance import Sizes
from .roles import ENTRIES, LENGTHS
from .variant import LayerWeights


@dataclass(frozen=True)
class Reading:
    """One way to read the tables.

    arrangement  as in Choices
    row, col     names of the parameters that follow rows and columns; one name for a grid
    how          what was done to their axes, for `apply`
    """

    arrangement: str
    row: str
    col: str
    how: tuple[str, ...]

    def apply(self, arrays: Mapping[str, Array], sizes: Sizes) -> dict[str, Array]:
        """Fields of LayerWeights: row and col, or grid."""
        if self.how[0] == "grid":
            return {"grid": _as_grid(arrays[self.row], self, sizes)}
        row, col = arrays[self.row], arrays[self.col]
        if self.how[0] == "sum":
            by_row, by_col = (_by_entry(table, sizes) for table in (row, col))
            return {"grid": _grid_channels(by_row[:, None] + by_col[None], self.how[1], sizes)}
        if self.how[0] == "pair":
            axis = row.shape.index(2)
            row, col = np.take(row, 0, axis), np.take(col, 1, axis)
            if self.how[2] == "swapped":
                row, col = col, row
        return {"row": _as_table(row, self.how[1], self.arrangement, sizes),
                "col": _as_table(col, self.how[1], self.arrangement, sizes)}


def readings(tables: Mapping[str, tuple[str, ...]]) -> Iterator[Reading]:
    """All readings of the tables with these labels, the plainest first."""
    names = list(tables)
    if len(names) == 2:
        for row, col in permutations(names, 2):
            for channels in _channel_labels(tables[row]):
                for arrangement, how in _arrangements(channels):
                    yield Reading(arrangement, row, col, ("two", how))
            if set(_channel_labels(tables[row])) <= {"N"}:
                yield Reading("slot_bias", row, col, ("sum", "N" if _channel_labels(tables[row])
                                                      else "1"))
    if len(names) == 1:
        name = names[0]
        labels = tables[name]
        yield from _of_one(name, labels)


def _of_one(name: str, labels: tuple[str, ...]) -> Iterator[Reading]:
    entries = [axis for axis in labels if set(axis.split("|")) & set(ENTRIES)]
    if len(entries) == 2 or any(set(axis.split("|")) & {"kk", "(2k-1)^2"} for axis in entries):
        for channels in _channel_labels(labels):
            if channels == "N":
                yield Reading("slot_bias", name, name, ("grid", "N"))
            elif channels in ("d", "D"):
                yield Reading("grid", name, name, ("grid", channels))
        if len(_channel_labels(labels)) == 0:
            yield Reading("slot_bias", name, name, ("grid", "1"))
        return
    pair = any("2" in axis.split("|") for axis in labels)
    for channels in _channel_labels(labels):
        for arrangement, how in _arrangements(channels):
            if pair:
                yield Reading(arrangement, name, name, ("pair", how, "straight"))
                yield Reading(arrangement, name, name, ("pair", how, "swapped"))
            else:
                yield Reading(arrangement, name, name, ("two", how))


def _channel_labels(labels: tuple[str, ...]) -> list[str]:
    """What the channel axes of a table may be, "N*d/2" when heads have an axis of their own."""
    wide = {"d/2", "D/2", "d", "D"}
    channels = [name for axis in labels for name in axis.split("|") if name in wide]
    has_heads = any("N" in axis.split("|") for axis in labels)
    if has_heads and channels:
        return [f"N*{name}" for name in channels if name in ("d/2", "d")]
    return channels or (["N"] if has_heads else [])


def _arrangements(channels: str) -> list[tuple[str, str]]:
    return {
        "d/2": [("shared", "d/2")],
        "D/2": [("layer_halves", "D/2"), ("per_head", "D/2 by head"), ("per_head", "D/2 strided")],
        "N*d/2": [("per_head", "N*d/2")],
        "d": [("full_sum", "d")],
        "D": [("full_sum_layer", "D")],
        "N*d": [("full_sum_layer", "N*d")],
    }.get(channels, [])


def _entries_axis(shape: tuple[int, ...], sizes: Sizes) -> int:
    lengths = [LENGTHS[name](sizes) for name in ENTRIES]
    return next(at for at, length in enumerate(shape) if length in lengths[:2])


def _as_table(array: Array, how: str, arrangement: str, sizes: Sizes) -> Array:
    """(entries, channels), or (heads, entries, channels) per head."""
    squeezed = array.reshape([n for n in array.shape if n != 1])
    table = np.moveaxis(squeezed, _entries_axis(squeezed.shape, sizes), 0)
    if how == "N*d/2" or how == "N*d":
        if table.shape[1] != sizes.heads:
            table = table.swapaxes(1, 2)
        if how == "N*d":
            return table.reshape(table.shape[0], -1)
        return table.swapaxes(0, 1)
    if how == "D/2 by head":
        return table.reshape(table.shape[0], sizes.heads, -1).swapaxes(0, 1)
    if how == "D/2 strided":
        return np.moveaxis(table.reshape(table.shape[0], -1, sizes.heads), 2, 0)
    return table


def _by_entry(array: Array, sizes: Sizes) -> Array:
    """(entries, channels) of a table, one channel where it has no such axis."""
    squeezed = array.reshape([n for n in array.shape if n != 1])
    table = np.moveaxis(squeezed, _entries_axis(squeezed.shape, sizes), 0)
    return table.reshape(table.shape[0], -1)


def _as_grid(array: Array, reading: Reading, sizes: Sizes) -> Array:
    """(entries, entries, channels_out), or (entries, entries, heads) as a bias."""
    squeezed = array.reshape([n for n in array.shape if n != 1])
    squares = {LENGTHS[name](sizes): LENGTHS[side](sizes)
               for name, side in (("kk", "k"), ("(2k-1)^2", "2k-1"))}
    sides = set(squares.values())
    for at, length in enumerate(squeezed.shape):
        if length in squares:
            side = squares[length]
            flat = np.moveaxis(squeezed, at, 0).reshape(side, side, -1)
            return _grid_channels(flat, reading.how[1], sizes)
    axes = [axis for axis, length in enumerate(squeezed.shape) if length in sides][:2]
    flat = np.moveaxis(squeezed, axes, (0, 1))
    return _grid_channels(flat.reshape(*flat.shape[:2], -1), reading.how[1], sizes)


def _grid_channels(flat: Array, how: str, sizes: Sizes) -> Array:
    if how == "d":
        return np.tile(flat, (1, 1, sizes.heads))
    if how == "1":
        return np.repeat(flat, sizes.heads, axis=2)
    return flat


def with_tables(weights: LayerWeights, reading: Reading, arrays: Mapping[str, Array],
                sizes: Sizes) -> LayerWeights:
    """The weights with their tables read this way."""
    fields = {"row": None, "col": None, "grid": None, **reading.apply(arrays, sizes)}
    return LayerWeights(weights.query, weights.key, weights.value, weights.biases,
                        out=weights.out, out_bias=weights.out_bias, **fields)
