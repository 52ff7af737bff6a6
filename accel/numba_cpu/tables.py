"""Relative tables and the sinusoid in the one form that the kernels read."""

from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from .arrays import Floats, Integers, empty, flat, zeros


class Tables(NamedTuple):
    """Row and column embeddings of every head, whatever `relative` and `first_half` are.

    row, col  flat (heads, table, depth); channels that do not meet the offset are zero
    halves    flat (heads, 4): the first and last channel, exclusive, that meet the row offset,
              then those that meet the column offset
    """

    row: Floats
    col: Floats
    halves: Integers


def half_starts(heads: int, depth: int, options: AttentionOptions) -> tuple[int, int]:
    """First channel that meets the row offset, and the column offset, of a head's or a layer's."""
    half = (heads * depth if options.relative == "layer_halves" else depth) // 2
    return (0, half) if options.first_half == "row" else (half, 0)


def head_halves(heads: int, depth: int, options: AttentionOptions) -> Integers:
    """Flat (heads, 4): the halves of Tables."""
    layer = options.relative == "layer_halves"
    half = (heads * depth if layer else depth) // 2
    # Layer halves are those of all heads' channels together: a head may lie wholly in one.
    origin = np.arange(heads) * depth if layer else np.zeros(heads, np.int64)
    bounds = [edge - origin for start in half_starts(heads, depth, options)
              for edge in (start, start + half)]
    return np.stack(bounds, axis=1).clip(0, depth).astype(np.int64).reshape(-1)


def head_tables(rel_row: Floats | None, rel_col: Floats | None, heads: int, depth: int,
                options: AttentionOptions, like: Floats) -> Tables:
    """Tables for one call: REL-2, REL-4, REL-5. Empty ones where there are none."""
    if rel_row is None or rel_col is None:
        return Tables(zeros(0, like), zeros(0, like), np.zeros(0, np.int64))
    span = heads * depth if options.relative == "layer_halves" else depth
    row, col = (_by_head(table, start, span, heads, depth, options) for table, start in zip(
        (rel_row, rel_col), half_starts(heads, depth, options), strict=True))
    return Tables(row, col, head_halves(heads, depth, options))


def _by_head(table: Floats, start: int, span: int, heads: int, depth: int,
             options: AttentionOptions) -> Floats:
    shape = (heads if options.relative == "per_head" else 1, options.table_rows, span)
    full = empty(shape, table)
    full[...] = 0
    full[..., start:start + span // 2] = table
    if options.relative == "layer_halves":
        return flat(full.reshape(options.table_rows, heads, depth).swapaxes(0, 1))
    return flat(np.broadcast_to(full, (heads, options.table_rows, depth)))


def absolute_rows(height: int, width: int, depth: int, options: AttentionOptions,
                  dtype: np.dtype) -> Floats:
    """Flat (depth, height, width): the sinusoid of every pixel's row and column, POS-2."""
    half = depth // 2
    row = np.broadcast_to(_sinusoid(height, half)[:, :, None], (half, height, width))
    col = np.broadcast_to(_sinusoid(width, half)[:, None, :], (half, height, width))
    halves = (row, col) if options.first_half == "row" else (col, row)
    return flat(np.concatenate(halves).astype(dtype))


def _sinusoid(positions: int, channels: int) -> Floats:
    """(channels, positions): pairs of channels share a frequency, sine first, then cosine."""
    out = np.empty((channels, positions))
    place = np.arange(positions)
    for channel in range(channels):
        angle = place / 10000.0 ** (2 * (channel // 2) / channels)
        out[channel] = np.sin(angle) if channel % 2 == 0 else np.cos(angle)
    return out
