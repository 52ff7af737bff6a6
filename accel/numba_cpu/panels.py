"""Weights of matrix products, packed in panels of adjacent output channels.

axis     meaning                                  memory
panel    so many channels as a tile has lanes     stride taps lanes
tap      of the product                           matrix: stride channels; packed: stride lanes
lane     channels                                 contiguous; zero past the last channel
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .arrays import Floats, Integers, aligned_zeros, flat
from .jit import kernel, launch, prange, signed
from .vector_width import lanes_of

COLUMNS = 2  # vectors of a panel


class Packed(NamedTuple):
    """Weights of one or more products that read the same pixels.

    weights   flat (panels, taps of all segments, lanes of a panel)
    panels    flat (panels, 3): first tap of the pixel's own numbers, first channel of the output,
              channels
    bias      flat (panels, lanes of a panel)
    channels  of the output
    """

    weights: Floats
    panels: Integers
    bias: Floats
    channels: int


def panel_lanes(dtype: np.dtype) -> int:
    """Channels of a panel."""
    return lanes_of(dtype).value * COLUMNS


@kernel
def pack_panels_kernel(out: Any, matrix: Any, factor: Any, taps: int, channels: int,
                       wide: int) -> None:
    """Write a flat (taps, channels) matrix, times a factor by channel where there is one.

    factor  float64, whose products are rounded once; empty for none
    """
    for index in prange((channels + wide - 1) // wide):
        panel = signed(index)
        first = panel * wide
        count = min(wide, channels - first)
        for tap in range(taps):
            place, source = (panel * taps + tap) * wide, tap * channels + first
            for lane in range(count):
                w = matrix[source + lane]
                out[place + lane] = w * factor[first + lane] if factor.size > 0 else w
            for lane in range(count, wide):
                out[place + lane] = 0


def pack_weights(matrices: Sequence[tuple[Floats, int, int]], channels: int,
                 bias: Floats | None = None, factor: Floats | None = None) -> Packed:
    """Pack (taps, channels) matrices, each with its first tap and its first output channel.

    bias    (channels,) of the output, zero when None
    factor  (channels,) of the output, float64, which the weights are multiplied by; None for none
    """
    dtype = matrices[0][0].dtype.newbyteorder("=")
    wide = panel_lanes(dtype)
    padded = [-(-matrix.shape[1] // wide) * wide for matrix, *_ in matrices]
    sizes = [matrix.shape[0] * count for (matrix, *_), count in zip(matrices, padded, strict=True)]
    weights, panels = aligned_zeros(sum(sizes), dtype), []
    shifts = aligned_zeros(sum(padded), dtype)
    place = shift = 0
    for (matrix, tap, channel), size, filled in zip(matrices, sizes, padded, strict=True):
        taps, count = matrix.shape
        own = slice(channel, channel + count)
        launch(pack_panels_kernel, weights[place:place + size], flat(matrix),
               np.zeros(0) if factor is None else factor[own], taps, count, wide)
        if bias is not None:
            shifts[shift:shift + count] = bias[own]
        panels += [(tap, channel + first, min(wide, count - first))
                   for first in range(0, count, wide)]
        place, shift = place + size, shift + filled
    return Packed(weights, np.array(panels, np.int64).reshape(-1), shifts, channels)
