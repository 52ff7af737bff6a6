"""Matrix products: projections, 1 x 1 and larger convolutions, the classifier.

Weights are packed in panels of adjacent output channels, (panel, tap, lane), zero past the last
channel. A convolution reads, for each of its kernel's rows, the contiguous run of pixels and
channels below it in an image with its zeros around it; a product of matrices is the case of one
such run.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .arrays import Floats, Integers, zeros
from .gemm import BLOCK, Epilogue, Walk, gemm_kernel
from .jit import launch
from .vector_types import Constant
from .vector_width import lanes_of, vector_bytes

COLUMNS = 2  # vectors of a panel
# Tasks that keep a few threads busy to the end.
TASKS = 8


class Packed(NamedTuple):
    """Weights of one or more products that read the same pixels.

    weights   flat (panels, taps of all segments, lanes of a panel)
    panels    flat (panels, 3): first tap of the pixel's own numbers, first channel of the output,
              channels
    channels  of the output
    """

    weights: Floats
    panels: Integers
    channels: int


def tile_rows() -> int:
    """Pixels of a tile: as many as 32 registers hold sums for with AVX-512, 16 otherwise."""
    return 12 if vector_bytes() == 64 else 6


def pack_weights(matrices: Sequence[tuple[Floats, int, int]], channels: int) -> Packed:
    """Pack (taps, channels) matrices, each with its first tap and its first output channel."""
    weights, panels = [], []
    for matrix, tap, channel in matrices:
        wide = lanes_of(matrix.dtype).value * COLUMNS
        for first in range(0, matrix.shape[1], wide):
            part = matrix[:, first:first + wide]
            panel = np.zeros((matrix.shape[0], wide), matrix.dtype.newbyteorder("="))
            panel[:, :part.shape[1]] = part
            weights.append(panel)
            panels.append((tap, channel + first, part.shape[1]))
    return Packed(np.concatenate(weights).reshape(-1), np.array(panels, np.int64).reshape(-1),
                  channels)


def by_panel(bias: Floats, packed: Packed, wide: int) -> Floats:
    """Flat (panels, lanes of a panel): the bias of every panel's channels."""
    out = np.zeros((packed.panels.size // 3, wide), bias.dtype)
    for row, (_, channel, count) in zip(out, packed.panels.reshape(-1, 3), strict=True):
        row[:count] = bias[channel:channel + count]
    return out.reshape(-1)


def dense(x: Floats, packed: Packed, walk: Walk, *, bias: Floats | None = None,
          residual: Floats | None = None, relu: bool = False, out: Floats | None = None) -> Floats:
    """Flat (batch, height, width, channels): x W + bias + residual, then ReLU when asked.

    x    flat; `walk` says where each pixel's numbers are, there and in the output
    out  what to write to, a new array when None
    """
    if out is None:
        out = np.empty(walk.batch * walk.height * walk.width * packed.channels, x.dtype)
    lanes, rows, count = lanes_of(x.dtype), tile_rows(), packed.panels.size // 3
    wide = lanes.value * COLUMNS
    after = Epilogue(zeros(count * wide, x) if bias is None else by_panel(bias, packed, wide),
                     zeros(0, x) if residual is None else residual, relu)
    blocks = -(-(walk.batch * walk.height * walk.width) // BLOCK)
    group = max(1, count // max(1, -(-TASKS // max(1, blocks))))
    launch(gemm_kernel, out, x, packed.weights, packed.panels, lanes, Constant(rows),
           Constant(COLUMNS), Constant(rows * COLUMNS), group, after, walk)
    return out


def pixel_walk(shape: tuple[int, ...], channels: int, *, taps: int | None = None,
               stride: int = 1) -> Walk:
    """Walk of a 1 x 1 convolution over (batch, height, width, channels_in), every stride-th pixel.

    channels  of the output
    taps      of each product, all channels_in when None
    """
    batch, height, width, channels_in = shape
    rows, cols = -(-height // stride), -(-width // stride)
    return Walk(batch, rows, cols, height * width * channels_in, stride * width * channels_in,
                stride * channels_in, 1, 0, channels_in if taps is None else taps,
                rows * cols * channels, cols * channels, channels)


def convolve(x: Floats, shape: tuple[int, ...], packed: Packed, kernel_size: int, *, stride: int,
             before: int, bias: Floats | None = None, relu: bool = False) -> Floats:
    """Flat (batch, ceil(height / stride), ceil(width / stride), channels): a square convolution.

    x        flat (batch, height, width, channels), zero outside
    packed   weights (kernel_size kernel_size channels_in, channels), from `pack_weights`
    before   rows and columns between the kernel's first and the output's own pixel
    """
    batch, height, width, channels = shape
    rows, cols = -(-height // stride), -(-width // stride)
    canvas_width = (cols - 1) * stride + kernel_size
    canvas = np.zeros((batch, (rows - 1) * stride + kernel_size, canvas_width, channels), x.dtype)
    canvas[:, before:before + height, before:before + width] = x.reshape(shape)
    by_row = canvas_width * channels
    walk = Walk(batch, rows, cols, canvas.shape[1] * by_row, stride * by_row, stride * channels,
                kernel_size, by_row, kernel_size * channels,
                rows * cols * packed.channels, cols * packed.channels, packed.channels)
    return dense(canvas.reshape(-1), packed, walk, bias=bias, relu=relu)
