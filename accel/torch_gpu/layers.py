"""Layers around attention: convolution, normalization, pools. SPEC NET-3, NET-6, STEM-1, STEM-3."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from sasakit.reference.contract.checks import check_pool

from .arrays import TORCH, widen

EPSILON = 1e-5  # SPEC NET-6


def convolution(x: Tensor, w: Tensor, *, stride: int, before: int) -> Tensor:
    """(batch, ceil(height / stride), ceil(width / stride), channels_out): cross-correlation with w.

    x  (batch, height, width, channels_in), zero outside
    w  (kernel_rows, kernel_cols, channels_in, channels_out); its first row and column meet the
       pixel `before` rows and columns before the output's own

    One matrix product per kernel row rather than torch's conv2d: on a GPU that one may round its
    inputs to TF32 and choose transforms that spread a NaN over a whole tile.
    """
    height, width = x.shape[1:3]
    kernel_rows, kernel_cols, channels_in, channels_out = w.shape
    ends = []
    for size, kernel in ((height, kernel_rows), (width, kernel_cols)):
        last = (-(-size // stride) - 1) * stride - before + kernel
        ends.append(max(last - size, 0))
    canvas = F.pad(x, (0, 0, before, ends[1], before, ends[0]))
    out_rows, out_cols = -(-height // stride), -(-width // stride)
    # (kernel_rows, channels_in kernel_cols, channels_out), as unfold orders its pixels
    taps = w.to(x.dtype).transpose(1, 2).reshape(kernel_rows, -1, channels_out)
    out = x.new_zeros(x.shape[0], out_rows, out_cols, channels_out)
    for row in range(kernel_rows):
        rows = canvas[:, row:row + (out_rows - 1) * stride + 1:stride]
        seen = rows.unfold(2, kernel_cols, stride)[:, :, :out_cols]
        out = out + seen.reshape(*out.shape[:3], channels_in * kernel_cols) @ taps[row]
    return out


def batch_norm(x: Tensor, weights: Mapping[str, Tensor], momentum: float | None = None) -> Tensor:
    """Normalization over the last axis, SPEC NET-6.

    momentum  None normalizes by the stored statistics; a number normalizes by the batch's own and
              moves the stored ones that far towards them, in place
    """
    names = ("norm_scale", "norm_shift", "norm_mean", "norm_variance")
    scale, shift, mean, variance = (weights[name].to(x.dtype) for name in names)
    if momentum is None:
        return (x - mean) / torch.sqrt(variance + EPSILON) * scale + shift
    flat = x.flatten(0, -2)
    y = F.batch_norm(flat, mean, variance, scale, shift, True, momentum, EPSILON)
    for name, moved in (("norm_mean", mean), ("norm_variance", variance)):
        # The statistics of a 16-bit network were widened, so what moved was a copy of them.
        if moved is not weights[name]:
            weights[name].copy_(moved)
    return y.reshape(x.shape)


def average_pool(x: Tensor) -> Tensor:
    """(batch, ceil(height / 2), ceil(width / 2), channels): means of 2 x 2 pixels, SPEC NET-3.

    x  (batch, height, width, channels), float16, bfloat16, float32 or float64
    An odd last row or column is averaged over the pixels that exist.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_pool(TORCH, x)
    return halve(widen(x)).to(x.dtype)


def halve(x: Tensor) -> Tensor:
    """What `average_pool` gives, unchecked."""
    planes = x.permute(0, 3, 1, 2)
    return F.avg_pool2d(planes, 2, ceil_mode=True).permute(0, 2, 3, 1)


def block_max_pool(x: Tensor, window: int) -> Tensor:
    """Maxima of non-overlapping window x window blocks, the last ones cut, SPEC STEM-3."""
    planes = x.permute(0, 3, 1, 2)
    return F.max_pool2d(planes, window, ceil_mode=True).permute(0, 2, 3, 1)


def overlapping_max_pool(x: Tensor) -> Tensor:
    """Maxima of 3 x 3 pixels around every second pixel, inside the image, SPEC STEM-1."""
    planes = x.permute(0, 3, 1, 2)
    return F.max_pool2d(planes, 3, stride=2, padding=1).permute(0, 2, 3, 1)
