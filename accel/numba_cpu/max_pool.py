"""Maxima of square windows inside the image, NaN kept: STEM-1 and STEM-3.

axis      meaning                        memory
pixel     batch, then rows, then cols    stride channels
channel   channels                       contiguous
"""

from typing import Any

from .jit import helper, kernel, prange, signed
from .lanes import U
from .plan import Array, Plan
from .vector_rows import loads, maximum, stores
from .vector_types import Constant
from .vector_width import lanes_of

VECTORS = 8  # of one pixel at a time


@helper
def take_larger(out: Any, target: int, x: Any, source: int, channels: int) -> None:
    """Raise one output pixel to another pixel where that is larger, or NaN."""
    t, s = U(target), U(source)
    for channel in range(U(channels)):
        new, old = x[s + channel], out[t + channel]
        out[t + channel] = new if new > old or new != new else old


@helper
def pool_pixel(out: Any, target: int, x: Any, corner: int, rows: int, cols: int, by_row: int,
               channels: int, lanes: Any, vectors: Any) -> None:
    """Write one output pixel; its window begins at `corner` and has rows x cols pixels."""
    wide = lanes.value * vectors.value
    whole = channels // wide * wide
    for channel in range(0, whole, wide):
        best = loads(lanes, x, corner + channel, lanes.value, vectors)
        for row in range(rows):
            for col in range(cols):
                source = corner + row * by_row + col * channels + channel
                best = maximum(best, loads(lanes, x, source, lanes.value, vectors))
        stores(out, target + channel, lanes.value, best)
    for channel in range(whole, channels):
        out[target + channel] = x[corner + channel]
    for row in range(rows):
        for col in range(cols):
            take_larger(out, target + whole, x, corner + row * by_row + col * channels + whole,
                        channels - whole)


@kernel
def max_pool_kernel(out: Any, x: Any, batch: int, height: int, width: int, channels: int,
                    window: int, stride: int, before: int, lanes: Any, vectors: Any) -> None:
    """Write every number of `out`, flat (batch, rows, cols, channels)."""
    rows, cols = (height + stride - 1) // stride, (width + stride - 1) // stride
    for index in prange(batch * rows):
        image, i = signed(index) // rows, signed(index) % rows
        top, bottom = max(i * stride - before, 0), min(i * stride - before + window, height)
        for j in range(cols):
            left, right = max(j * stride - before, 0), min(j * stride - before + window, width)
            pool_pixel(out, ((image * rows + i) * cols + j) * channels, x,
                       ((image * height + top) * width + left) * channels, bottom - top,
                       right - left, width * channels, channels, lanes, vectors)


def max_pool(plan: Plan, out: Array, x: Array, shape: tuple[int, ...], window: int, stride: int,
             before: int) -> None:
    """Write (batch, ceil(height / stride), ceil(width / stride), channels): maxima in the image.

    x       flat (batch, height, width, channels)
    before  rows and columns of a window before its own pixel
    """
    plan.launch(max_pool_kernel, out, x, *shape, window, stride, before, lanes_of(out.dtype),
                Constant(VECTORS))
