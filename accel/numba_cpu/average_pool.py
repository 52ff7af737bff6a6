"""average_pool: chapter 8, means of 2 x 2 pixels; the bias and ReLU that follow it in a network.

axis      meaning                        memory
pixel     batch, then rows, then cols    stride channels
channel   channels                       contiguous
"""

from typing import Any

from sasakit.reference.contract.checks import check_pool

from .arrays import NUMBA, Floats, empty, flat, zeros
from .jit import helper, kernel, launch, prange, signed
from .lanes import U


@helper
def mean_of_pixels(out: Any, target: int, x: Any, first: int, rows: int, cols: int, by_row: int,
                   bias: Any, relu: bool) -> None:
    """Write one output pixel: the mean of rows x cols pixels + bias, then ReLU when asked."""
    channels = bias.size
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
        y = y * share + bias[channel]
        out[t + channel] = zero if relu and y < zero else y


@kernel
def average_kernel(out: Any, x: Any, batch: int, height: int, width: int, bias: Any,
                   relu: bool) -> None:
    """Write every number of `out`, flat (batch, ceil(height / 2), ceil(width / 2), channels)."""
    rows, cols, channels = (height + 1) // 2, (width + 1) // 2, bias.size
    for index in prange(batch * rows):
        image, i = signed(index) // rows, signed(index) % rows
        for j in range(cols):
            target = ((image * rows + i) * cols + j) * channels
            first = ((image * height + 2 * i) * width + 2 * j) * channels
            mean_of_pixels(out, target, x, first, min(2, height - 2 * i), min(2, width - 2 * j),
                           width * channels, bias, relu)


def average(x: Floats, shape: tuple[int, ...], *, bias: Floats | None = None,
            relu: bool = False) -> Floats:
    """(batch, ceil(height / 2), ceil(width / 2), channels): means + bias, then ReLU when asked.

    x  flat (batch, height, width, channels)
    """
    batch, height, width, channels = shape
    out = empty((batch, -(-height // 2), -(-width // 2), channels), x)
    launch(average_kernel, out.reshape(-1), x, batch, height, width,
           zeros(channels, x) if bias is None else bias, relu)
    return out


def average_pool(x: Floats) -> Floats:
    """(batch, ceil(height / 2), ceil(width / 2), channels): means of 2 x 2 pixels, SPEC NET-3.

    x  (batch, height, width, channels), float32 or float64
    An odd last row or column is averaged over the pixels that exist.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_pool(NUMBA, x)
    return average(flat(x), x.shape)
