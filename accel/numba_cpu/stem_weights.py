"""An attention stem's weights with heads as lanes, as stem_blocks.py says how everything lies."""

from typing import NamedTuple

import numpy as np

from .arrays import Floats, aligned
from .vector_width import lanes_of

FOUR = 4  # units, or vectors, whose sums for two queries are computed together
HEADS = (4, 8, 16)


class StemWeights(NamedTuple):
    """Projections with heads as lanes.

    query, key  flat (channels_in, vectors, lanes), every lane of a head alike
    value       flat (units, channels_in, vectors, lanes); empty where values are given
    bias        flat (vectors, heads)
    depth       of a head; vectors: of a pixel
    window      of a block; units: of its slots, filled up to fours
    """

    query: Floats
    key: Floats
    value: Floats
    bias: Floats
    depth: int
    vectors: int
    heads: int
    lanes: int
    window: int
    units: int


def heads_last(w: Floats, heads: int) -> Floats:
    """(..., vectors, heads) of (..., heads depth): depths first, filled up to fours."""
    depth = w.shape[-1] // heads
    out = np.zeros((*w.shape[:-1], -(-depth // FOUR) * FOUR, heads), w.dtype)
    out[..., :depth, :] = w.reshape(*w.shape[:-1], heads, depth).swapaxes(-1, -2)
    return out


def pack_stem_lanes(query: Floats, key: Floats, value: Floats | None, bias: Floats, heads: int,
                    window: int) -> StemWeights:
    """Pack projections (channels_in, channels), a value's for every place: (window, window, ...).

    value  None where values are given
    bias   (channels,) is added to the output
    """
    wide = lanes_of(bias.dtype).value
    lanes = wide if wide % heads == 0 else heads
    parts, shift = lanes // heads, heads_last(bias, heads)
    units = -(-window ** 2 // (parts * FOUR)) * FOUR
    matrices = bias[:0]
    if value is not None:
        taps = value.shape[2]
        slots = np.zeros((units * parts, taps, *shift.shape), bias.dtype)
        slots[:window ** 2] = heads_last(value, heads).reshape(-1, taps, *shift.shape)
        matrices = np.moveaxis(slots.reshape(units, parts, taps, *shift.shape), 1, -2)
    query, key = (np.tile(heads_last(w, heads), parts) for w in (query, key))
    return StemWeights(aligned(query), aligned(key), aligned(matrices), aligned(shift),
                       bias.size // heads, shift.shape[0], heads, lanes, window, units)
