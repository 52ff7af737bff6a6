"""Chapter 12, gradients of the layers around attention. GRAD-8 to GRAD-10."""

from collections.abc import Mapping

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .contract.upstream import check_average_pool_vjp
from .layers import EPSILON


def convolution_vjp(upstream: Floats, x: Floats, w: Floats, *, stride: int,
                    before: int) -> tuple[Floats, Floats]:
    """Gradients of x and w, arguments as those of `convolution`, SPEC GRAD-8."""
    kernel_rows, kernel_cols = w.shape[:2]
    height, width = x.shape[1:3]
    canvas = np.pad(x, ((0, 0), (before, kernel_rows), (before, kernel_cols), (0, 0)))
    dcanvas, dw = np.zeros_like(canvas), np.zeros_like(w)
    for row in range(kernel_rows):
        for col in range(kernel_cols):
            seen = np.s_[:, row:row + height:stride, col:col + width:stride]
            dw[row, col] = np.einsum("bhwi,bhwo->io", canvas[seen], upstream)
            dcanvas[seen] += upstream @ w[row, col].T
    return dcanvas[:, before:before + height, before:before + width], dw


def batch_norm_vjp(upstream: Floats, x: Floats,
                   weights: Mapping[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """Gradients of x, and of norm_scale and norm_shift by name, SPEC GRAD-8."""
    # SPEC GRAD-8: the statistics are constants, whatever they were computed from.
    deviation = np.sqrt(weights["norm_variance"] + x.dtype.type(EPSILON))
    centred = (x - weights["norm_mean"]) / deviation
    return (upstream * (weights["norm_scale"] / deviation),
            {"norm_scale": (upstream * centred).sum(axis=(0, 1, 2)),
             "norm_shift": upstream.sum(axis=(0, 1, 2))})


def relu_vjp(upstream: Floats, x: Floats) -> Floats:
    """Gradient of x, SPEC GRAD-8."""
    # SPEC GRAD-8: at zero itself nothing passes.
    return np.where(x > 0, upstream, x.dtype.type(0))


def max_pool_vjp(upstream: Floats, x: Floats, *, stride: int, before: int,
                 window: int) -> Floats:
    """Gradient of x for maxima over window x window pixels inside the image, SPEC GRAD-9.

    The window of output (i, j) begins `before` rows and columns before pixel stride (i, j).
    """
    dx = np.zeros_like(x)
    for i, j in np.ndindex(*upstream.shape[1:3]):
        top, left = stride * i - before, stride * j - before
        seen = np.s_[:, max(top, 0):top + window, max(left, 0):left + window]
        dx[seen] += to_first_maximum(upstream[:, i, j], x[seen])
    return dx


def to_first_maximum(upstream: Floats, x: Floats) -> Floats:
    """(batch, rows, cols, channels): (batch, channels) where each channel's maximum is, GRAD-9."""
    batch, rows, cols, channels = x.shape
    # SPEC GRAD-9: row by row, the first pixel of those that attain the maximum.
    first = x.reshape(batch, rows * cols, channels).argmax(axis=1)
    chosen = np.arange(rows * cols)[:, None] == first[:, None]
    return np.where(chosen, upstream[:, None], x.dtype.type(0)).reshape(x.shape)


@SILENT
def average_pool_vjp(upstream: Floats, x: Floats) -> dict[str, Floats]:
    """Gradient x, of the shape and dtype of x, SPEC GRAD-10.

    upstream  (batch, ceil(height / 2), ceil(width / 2), channels), the dtype of x
    x         (batch, height, width, channels)
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_average_pool_vjp(NUMPY, upstream, x)
    dx = np.empty_like(x)
    for i, j in np.ndindex(*upstream.shape[1:3]):
        seen = np.s_[:, 2 * i:2 * i + 2, 2 * j:2 * j + 2]
        rows, cols = x[seen].shape[1:3]
        # SPEC GRAD-10: each of the pixels that exist has an equal share.
        dx[seen] = upstream[:, i, j][:, None, None] / x.dtype.type(rows * cols)
    return {"x": dx}
