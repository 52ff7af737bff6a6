"""Windows of an image and the relative embeddings of their slots, under any reading."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sasakit.reference import AttentionOptions

from ...estimate import Array
from ..choices import Choices
from ..variant import window_of
from .attention_reading import AttentionReading


@dataclass(frozen=True)
class Windows:
    """Where the slots of every window lie.

    rows, cols       (height, rows), (width, cols): positions, moved inside the image
    inside           (height, width, rows, cols): whether a slot has a pixel
    row_at, col_at   (height, rows), (width, cols): offsets of the slots from their query
    """

    rows: Array
    cols: Array
    inside: Array
    row_at: Array
    col_at: Array

    def of(self, image: Array, *, zero: bool = True) -> Array:
        """(batch, height, width, rows, cols, channels) of an image, zero where no pixel is."""
        seen = image[:, self.rows][:, :, :, self.cols].swapaxes(2, 3)
        return seen * self.inside[..., None] if zero else seen


def windows_of(height: int, width: int, options: AttentionOptions,
               reading: AttentionReading) -> Windows:
    """Every window of an image of this size."""
    even_after = options.extent % 2 == 1 or reading.even_window == "after"
    before = (options.extent - 1) // 2 if even_after else options.extent // 2
    before += reading.extent_change // 2
    return _windows((height, before + reading.off_row), (width, before + reading.off_col),
                    options.extent + reading.extent_change, reading.dilation, reading.padding)


# A search asks for few different windows, many times.
@lru_cache(maxsize=512)
def _windows(height: tuple[int, int], width: tuple[int, int], extent: int, dilation: int,
             padding: str) -> Windows:
    """The windows of an image, by its sizes and the slots before the pixel along each axis."""
    choices = Choices(dilation=dilation, padding=padding)
    axes = []
    for size, before in (height, width):
        positions, inside = window_of(size, extent, before, choices)
        start = np.arange(size) - before * dilation
        if padding == "shift":
            start = np.clip(start, 0, size - extent)
        at = start[:, None] + np.arange(extent) * dilation - np.arange(size)[:, None]
        axes.append((positions, inside, at))
    (rows, rows_in, row_at), (cols, cols_in, col_at) = axes
    return Windows(rows, cols, rows_in[:, None, :, None] & cols_in[None, :, None, :],
                   row_at, col_at)


def relative_windows(rel_row: Array, rel_col: Array, heads: int, depth: int,
                     options: AttentionOptions, reading: AttentionReading,
                     seen: Windows) -> Array:
    """(height, width, rows, cols, channels): r of every slot of every window."""
    row, col = _wide_tables(rel_row, rel_col, heads, depth, reading)
    rows = _entries(seen.row_at, len(row) - 1, options, reading, reading.row, "row")
    cols = _entries(seen.col_at, len(col) - 1, options, reading, reading.column, "column")
    if reading.transposed == "offsets":
        r = row[cols][None, :, None, :] + col[rows][:, None, :, None]
    elif reading.transposed == "slots":
        r = row[rows][:, None, None, :] + col[cols][None, :, :, None]
    else:
        r = row[rows][:, None, :, None] + col[cols][None, :, None, :]
    return np.broadcast_to(r, (*seen.inside.shape, heads * depth))


def window_logits(query: Array, r: Array, seen: Windows, reading: AttentionReading) -> Array:
    """(batch, height, width, heads, rows, cols): q . r alone, as `relative_logits` gives it."""
    heads, depth = query.shape[3:]
    parts = r.reshape(*r.shape[:4], heads, depth)
    own = query if reading.meets_query else np.ones_like(query)
    logits = np.einsum("bijnd,ijrcnd->bijnrc", own, parts)
    if reading.heads == "one":
        logits = np.broadcast_to(logits.sum(axis=3, keepdims=True), logits.shape)
    if reading.inside_only:
        logits = logits * seen.inside[None, :, :, None]
    if reading.position != "relative":
        logits = logits * 0
    # The operation applies no scale; only a factor that nobody asked for is one.
    return logits * (1.0 if reading.relative_by == "asked"
                     else reading.factors(depth, heads)[1])


def _wide_tables(rel_row: Array, rel_col: Array, heads: int, depth: int,
                 reading: AttentionReading) -> tuple[Array, Array]:
    """(entries + 1, channels) twice: each half where it stands, zeros elsewhere and at the end."""
    half = depth // 2
    if reading.relative == "layer_halves":
        if reading.tables != "first":
            row, col = (_laid(table, heads * depth, at, reading.sums)
                        for table, at in zip((rel_row, rel_col), _order(reading), strict=True))
            if reading.tables == "interleaved":
                row, col = (table.reshape(-1, depth, heads).swapaxes(1, 2).reshape(len(table), -1)
                            for table in (row, col))
            return row, col
        rel_row, rel_col = rel_row[:, :half], rel_col[:, :half]
    pair = []
    for table, at in zip((rel_row, rel_col), _order(reading), strict=True):
        per_head = table if table.ndim == 3 else np.broadcast_to(table, (heads, *table.shape))
        if reading.tables == "first":
            per_head = np.broadcast_to(per_head[:1], per_head.shape)
        elif reading.tables == "reversed":
            per_head = per_head[::-1]
        pair.append(np.concatenate([_laid(own, depth, at, reading.sums) for own in per_head], -1))
    return pair[0], pair[1]


def _order(reading: AttentionReading) -> tuple[int, int]:
    """Which half the row and the column stand in."""
    return (0, 1) if reading.first_half == "row" else (1, 0)


def _laid(table: Array, channels: int, at: int, sums: bool) -> Array:
    """A table of half the channels in its place, with an entry of zeros at the end."""
    wide = np.zeros((len(table) + 1, channels))
    half = channels // 2
    for place in (0, 1):
        if sums or place == at:
            wide[:-1, place * half:(place + 1) * half] = table
    return wide


def _entries(at: Array, length: int, options: AttentionOptions, reading: AttentionReading,
             direction: str, axis: str) -> Array:
    """(size, slots): the entry of every slot; `length`, the entry of zeros, for one that has none.

    at  offsets of the slots
    """
    slots = np.broadcast_to(np.arange(at.shape[1]), at.shape) - reading.extent_change // 2
    longer = options.padding == "shift"
    entries = at + options.extent - 1 if longer and reading.entries != "slot" else slots
    if reading.entries == "clipped":
        entries = np.clip(entries, 0, options.extent - 1)
    elif reading.entries == "reversed":
        entries = entries[:, ::-1]
    elif reading.entries == "not_first":
        entries = np.maximum(entries, 1)
    elif reading.entries == "not_last":
        entries = np.minimum(entries, length - 2)
    if direction == "descending":
        entries = length - 1 - entries
    if reading.constant in (axis, "both"):
        entries = np.zeros_like(entries)
    return np.where((entries >= 0) & (entries < length), entries, length)
