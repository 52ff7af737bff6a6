"""average_pool: chapter 8, means of 2 x 2 pixels, or of all of them.

axis      meaning                        memory
pixel     batch, then rows, then cols    stride channels
channel   channels                       contiguous
"""

from typing import Any

from sasakit.reference.contract.checks import check_pool

from .arrays import NUMBA, Floats, empty, flat
from .jit import helper, kernel, launch, prange, signed
from .lanes import U, clear
from .plan import Array, Plan

PART = 256  # channels of a task


@helper
def mean_of_pixels(out: Any, target: int, x: Any, first: int, rows: int, cols: int, by_row: int,
                   channels: int, relu: bool) -> None:
    """Write one output pixel: the mean of rows x cols pixels, then ReLU when asked."""
    share = out.dtype.type(1.0 / (rows * cols))
    t, down = U(target), U(by_row if rows > 1 else 0)
    a, across = U(first), U(channels if cols > 1 else 0)
    b, c, d = a + across, a + down, a + down + across
    zero = out.dtype.type(0)
    for channel in range(U(channels)):
        y = x[a + channel]
        if cols > 1:
            y += x[b + channel]
        if rows > 1:
            y += x[c + channel]
        if rows > 1 and cols > 1:
            y += x[d + channel]
        y *= share
        out[t + channel] = zero if relu and y < zero else y


@kernel
def average_kernel(out: Any, x: Any, batch: int, height: int, width: int, channels: int,
                   relu: bool) -> None:
    """Write every number of `out`, flat (batch, ceil(height / 2), ceil(width / 2), channels)."""
    rows, cols = (height + 1) // 2, (width + 1) // 2
    for index in prange(batch * rows):
        image, i = signed(index) // rows, signed(index) % rows
        for j in range(cols):
            target = ((image * rows + i) * cols + j) * channels
            first = ((image * height + 2 * i) * width + 2 * j) * channels
            mean_of_pixels(out, target, x, first, min(2, height - 2 * i), min(2, width - 2 * j),
                           width * channels, channels, relu)


@kernel
def mean_kernel(out: Any, x: Any, batch: int, pixels: int, channels: int, pitch: int) -> None:
    """Write flat (batch, channels): means of all pixels of x, which are `pitch` numbers apart."""
    parts = (channels + PART - 1) // PART
    share = out.dtype.type(1.0 / pixels)
    for index in prange(batch * parts):
        image, first = signed(index) // parts, signed(index) % parts * PART
        count, target = U(min(PART, channels - first)), U(image * channels + first)
        clear(out, image * channels + first, min(PART, channels - first))
        for pixel in range(pixels):
            source = U((image * pixels + pixel) * pitch + first)
            for channel in range(count):
                out[target + channel] += x[source + channel]
        for channel in range(count):
            out[target + channel] *= share


def average(plan: Plan, out: Array, x: Array, shape: tuple[int, ...], *, relu: bool) -> None:
    """Write (batch, ceil(height / 2), ceil(width / 2), channels): means, then ReLU when asked.

    x  flat (batch, height, width, channels)
    """
    plan.launch(average_kernel, out, x, *shape, relu)


def average_pool(x: Floats) -> Floats:
    """(batch, ceil(height / 2), ceil(width / 2), channels): means of 2 x 2 pixels, SPEC NET-3.

    x  (batch, height, width, channels), float32 or float64
    An odd last row or column is averaged over the pixels that exist.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_pool(NUMBA, x)
    batch, height, width, channels = x.shape
    out = empty((batch, -(-height // 2), -(-width // 2), channels), x)
    launch(average_kernel, out.reshape(-1), flat(x), *x.shape, False)
    return out
