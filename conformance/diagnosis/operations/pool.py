"""The average pool under any reading."""

from dataclasses import dataclass

import numpy as np

from ...estimate import Array


@dataclass(frozen=True)
class PoolReading:
    """One reading.

    counts_padding  whether the last row or column of an odd size divides by 4
    floor           whether it is left out
    maximum         whether the maximum stands for the mean
    """

    counts_padding: bool = False
    floor: bool = False
    maximum: bool = False


def pool_variant(x: Array, reading: PoolReading) -> Array:
    """(batch, rows, cols, channels) of x (batch, height, width, channels)."""
    if reading.floor:
        x = x[:, :x.shape[1] // 2 * 2, :x.shape[2] // 2 * 2]
    height, width = x.shape[1:3]
    rows, cols = -(-height // 2), -(-width // 2)
    out = np.empty((x.shape[0], rows, cols, x.shape[3]))
    for i in range(rows):
        for j in range(cols):
            block = x[:, 2 * i:2 * i + 2, 2 * j:2 * j + 2]
            if reading.maximum:
                out[:, i, j] = block.max(axis=(1, 2))
            elif reading.counts_padding:
                out[:, i, j] = block.sum(axis=(1, 2)) / 4
            else:
                out[:, i, j] = block.mean(axis=(1, 2))
    return out
