"""Maxima of square windows inside the image, NaN kept: STEM-1 and STEM-3.

axis      meaning                        memory
pixel     batch, then rows, then cols    stride channels
channel   channels                       contiguous
"""

from typing import Any

from .jit import helper, kernel, prange, signed
from .lanes import U
from .plan import Array, Plan


@helper
def take_larger(out: Any, target: int, x: Any, source: int, channels: int) -> None:
    """Raise one output pixel to another pixel where that is larger, or NaN."""
    t, s = U(target), U(source)
    for channel in range(U(channels)):
        new, old = x[s + channel], out[t + channel]
        out[t + channel] = new if new > old or new != new else old


@kernel
def max_pool_kernel(out: Any, x: Any, batch: int, height: int, width: int, channels: int,
                    window: int, stride: int, before: int) -> None:
    """Write every number of `out`, flat (batch, rows, cols, channels)."""
    rows, cols = (height + stride - 1) // stride, (width + stride - 1) // stride
    for index in prange(batch * rows):
        image, i = signed(index) // rows, signed(index) % rows
        top, bottom = max(i * stride - before, 0), min(i * stride - before + window, height)
        for j in range(cols):
            target = ((image * rows + i) * cols + j) * channels
            left, right = max(j * stride - before, 0), min(j * stride - before + window, width)
            first = ((image * height + top) * width + left) * channels
            for channel in range(channels):
                out[target + channel] = x[first + channel]
            for row in range(top, bottom):
                for col in range(left, right):
                    source = ((image * height + row) * width + col) * channels
                    take_larger(out, target, x, source, channels)


def max_pool(plan: Plan, out: Array, x: Array, shape: tuple[int, ...], window: int, stride: int,
             before: int) -> None:
    """Write (batch, ceil(height / stride), ceil(width / stride), channels): maxima in the image.

    x       flat (batch, height, width, channels)
    before  rows and columns of a window before its own pixel
    """
    plan.launch(max_pool_kernel, out, x, *shape, window, stride, before)
