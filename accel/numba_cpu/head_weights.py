"""Packs a layer's projections for heads as lanes, as dense.py packs weights.

axis     meaning                                  memory
tap      channels_in                              matrix: stride channels_out; packed: stride lanes
depth    of a group of heads                      matrix: contiguous; packed: stride heads
head     of a group                               matrix: stride depth; packed: contiguous
"""

from typing import Any

import numpy as np

from .jit import helper, kernel, prange, signed
from .vector_rows import loads, stores, transposed
from .vectors import load, store


@helper
def place_of(number: int, tap: int, taps: int, wide: int) -> int:
    """Where a tap's weight for a place of head_layout.channel_places is."""
    return (number // wide * taps + tap) * wide + number % wide


@helper
def pack_tap(out: Any, matrix: Any, scratch: Any, tap: int, taps: int, first: int, depth: int,
             groups: int, padded: int, wide: int, heads: Any) -> None:
    """Write the weights of one tap; a panel holds whole depths."""
    count = heads.value
    for group in range(groups):
        source = (tap * groups + group) * count * depth
        start, square = first + group * padded * count, depth // count * count
        for d in range(0, square, count):
            rows = transposed(loads(heads, matrix, source + d, depth, heads))
            stores(scratch, 0, count, rows)
            for n in range(count):
                store(out, place_of(start + (d + n) * count, tap, taps, wide),
                      load(heads, scratch, n * count))
        for d in range(square, depth):
            place = place_of(start + d * count, tap, taps, wide)
            for head in range(count):
                out[place + head] = matrix[source + head * depth + d]


@kernel
def pack_heads_kernel(out: Any, matrix: Any, taps: int, first: int, depth: int, groups: int,
                      padded: int, wide: int, heads: Any) -> None:
    """Write the panels that one (channels_in, channels_out) matrix fills from place `first` on.

    padded  depths of a head with those that fill up the last chunk, whose weights are left alone
    """
    for index in prange(taps):
        scratch = np.empty(heads.value * heads.value, out.dtype)
        pack_tap(out, matrix, scratch, signed(index), taps, first, depth, groups, padded, wide,
                 heads)
