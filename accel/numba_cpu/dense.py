"""Matrix products: projections, 1 x 1 and larger convolutions, the classifier.

Weights come in panels, as panels.py packs them. A convolution reads, for each of its kernel's
rows, the contiguous run of pixels and channels below it in an image with its zeros around it; a
product of matrices is the case of one such run.
"""

import numpy as np

from .canvas import Canvas, canvas_kernel
from .gemm import LINE, NOTHING, PIXELS, UNROLLED, WEIGHTS, Fetch, Tile, Walk, gemm_kernel
from .panels import COLUMNS, Packed
from .plan import Array, Plan
from .sharing import THREADS
from .vector_types import Constant
from .vector_width import lanes_of, vector_bytes

# Pixels of a tile: as many as 32 registers hold sums for with AVX-512, 16 otherwise; fewer where
# that leaves fewer pixels over, which is worth another kernel's compilation with large tiles only.
ROWS = {64: (12, 10), 32: (6,), 16: (6,)}
# About so many, that threads end together; more where the blocks of pixels are more.
TASKS = 32
# Numbers of a block of pixels, which stay in the second cache for all panels.
BLOCK = 1 << 16
MOST_PIXELS = 144
# Bytes; pixels that are a multiple of it apart meet in few sets of the caches.
CROWDED = 1024
FETCH = Fetch(Constant(NOTHING), Constant(PIXELS), Constant(WEIGHTS))


def dense(plan: Plan, out: Array, x: Array, packed: Packed, walk: Walk, *,
          residual: Array | None = None, relu: bool = False) -> None:
    """Write (batch, height, width, channels): x W + bias + residual, then ReLU when asked.

    x  flat; `walk` says where each pixel's numbers are, there and in the output
    """
    total, taps = walk.batch * walk.height * walk.width, walk.segments * walk.taps
    if total == 0:
        return
    rows = min(ROWS[vector_bytes()], key=lambda rows: -total % rows)
    count, tiles = packed.panels.size // 3, -(-total // rows)
    blocks = -(-tiles // max(2, min(MOST_PIXELS, BLOCK // taps) // rows))
    groups = max(1, round(TASKS / blocks))
    tiles, group = -(-tiles // blocks), -(-count // groups)
    shape = Tile(lanes_of(x.dtype), Constant(rows), Constant(COLUMNS), Constant(rows * COLUMNS),
                 Constant(UNROLLED), Constant(1),
                 Constant(-(-rows * UNROLLED * x.dtype.itemsize // LINE)))
    plan.launch(gemm_kernel, out, x, packed.weights, packed.panels, packed.bias,
                packed.bias[:0] if residual is None else residual, relu, shape, FETCH,
                tiles * rows, group, walk, THREADS)


def pixel_pitch(channels: int, dtype: np.dtype) -> int:
    """Numbers from one pixel to the next where a product writes; a line lies between crowded ones.

    Tiles that are read and written a few pixels at a time would put one another out of the cache.
    """
    crowded = channels * dtype.itemsize % CROWDED == 0
    return channels + (LINE // dtype.itemsize if crowded else 0)


def pixel_walk(shape: tuple[int, ...], channels: int, *, taps: int | None = None, stride: int = 1,
               pitch: int | None = None, pitch_out: int | None = None) -> Walk:
    """Walk of a 1 x 1 convolution over (batch, height, width, channels_in), every stride-th pixel.

    channels          of the output
    taps              of each product, all channels_in when None
    pitch, pitch_out  numbers from one pixel to the next, as many as channels when None
    """
    batch, height, width, channels_in = shape
    rows, cols = -(-height // stride), -(-width // stride)
    pitch, pitch_out = pitch or channels_in, pitch_out or channels
    return Walk(batch, rows, cols, height * width * pitch, stride * width * pitch,
                stride * pitch, 1, 0, channels_in if taps is None else taps,
                rows * cols * pitch_out, cols * pitch_out, pitch_out)


def convolve(plan: Plan, out: Array, x: Array, shape: tuple[int, ...], packed: Packed,
             kernel_size: int, *, stride: int, before: int, relu: bool = False) -> None:
    """Write (batch, ceil(height / stride), ceil(width / stride), channels): a square convolution.

    x        flat (batch, height, width, channels), zero outside
    packed   weights (kernel_size kernel_size channels_in, channels), from `pack_weights`
    before   rows and columns between the kernel's first and the output's own pixel
    """
    batch, height, width, channels = shape
    rows, cols = -(-height // stride), -(-width // stride)
    canvas_rows, canvas_cols = ((count - 1) * stride + kernel_size for count in (rows, cols))
    by_row = canvas_cols * channels
    places = Canvas(batch, height, width * channels, width * channels,
                    (before * canvas_cols + before) * channels, canvas_rows * by_row, by_row)
    canvas = plan.zeros(places, batch * canvas_rows * by_row, x.dtype)
    plan.launch(canvas_kernel, canvas, x, places)
    walk = Walk(batch, rows, cols, canvas_rows * by_row, stride * by_row, stride * channels,
                kernel_size, by_row, kernel_size * channels,
                rows * cols * packed.channels, cols * packed.channels, packed.channels)
    dense(plan, out, canvas, packed, walk, relu=relu)
