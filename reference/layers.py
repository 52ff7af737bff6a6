"""Layers around attention: convolution, normalization, pools. NET-3, NET-6, STEM-1, STEM-3."""

from collections.abc import Mapping

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .contract.checks import check_pool

EPSILON = 1e-5


def convolution(x: Floats, w: Floats, *, stride: int, before: int) -> Floats:
    """(batch, ceil(height / stride), ceil(width / stride), channels_out): cross-correlation with w.

    x  (batch, height, width, channels_in), zero outside
    w  (kernel_rows, kernel_cols, channels_in, channels_out); its first row and column meet the
       pixel `before` rows and columns before the output's own
    """
    kernel_rows, kernel_cols = w.shape[:2]
    height, width = x.shape[1:3]
    canvas = np.pad(x, ((0, 0), (before, kernel_rows), (before, kernel_cols), (0, 0)))
    out = np.zeros((x.shape[0], -(-height // stride), -(-width // stride), w.shape[3]), x.dtype)
    for row in range(kernel_rows):
        for col in range(kernel_cols):
            out += canvas[:, row:row + height:stride, col:col + width:stride] @ w[row, col]
    return out


def batch_norm(x: Floats, weights: Mapping[str, Floats]) -> Floats:
    """Normalization by the stored statistics over the last axis, SPEC NET-6."""
    deviation = np.sqrt(weights["norm_variance"] + x.dtype.type(EPSILON))
    centred = (x - weights["norm_mean"]) / deviation
    return centred * weights["norm_scale"] + weights["norm_shift"]


def relu(x: Floats) -> Floats:
    """max(x, 0), NaN kept."""
    return np.maximum(x, x.dtype.type(0))


@SILENT
def average_pool(x: Floats) -> Floats:
    """(batch, ceil(height / 2), ceil(width / 2), channels): means of 2 x 2 pixels, SPEC NET-3.

    x  (batch, height, width, channels)
    An odd last row or column is averaged over the pixels that exist.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_pool(NUMPY, x)
    return _pool(x, 2, lambda block: block.mean(axis=(1, 2), dtype=x.dtype))


def block_max_pool(x: Floats, window: int) -> Floats:
    """Maxima of non-overlapping window x window blocks, the last ones cut, SPEC STEM-3."""
    return _pool(x, window, lambda block: block.max(axis=(1, 2)))


def overlapping_max_pool(x: Floats) -> Floats:
    """Maxima of 3 x 3 pixels around every second pixel, inside the image, SPEC STEM-1."""
    height, width = x.shape[1:3]
    out = np.empty((x.shape[0], -(-height // 2), -(-width // 2), x.shape[3]), x.dtype)
    for i in range(0, height, 2):
        for j in range(0, width, 2):
            around = x[:, max(i - 1, 0):i + 2, max(j - 1, 0):j + 2]
            out[:, i // 2, j // 2] = around.max(axis=(1, 2))
    return out


def _pool(x: Floats, window: int, reduce) -> Floats:  # type: ignore[no-untyped-def]
    height, width = x.shape[1:3]
    out = np.empty((x.shape[0], -(-height // window), -(-width // window), x.shape[3]), x.dtype)
    for i in range(0, height, window):
        for j in range(0, width, window):
            out[:, i // window, j // window] = reduce(x[:, i:i + window, j:j + window])
    return out
