"""Copies of images between the two layouts, channels first and channels last.

axis     meaning                                     memory
image    of a batch                                  stride rows columns
row      of x: channels, or pixels; out's columns    x: stride columns; out: contiguous
column   of x: pixels, or channels; out's rows       x: contiguous; out: stride rows
"""

from typing import Any

from sasakit.reference.contract.arrays import Shapes

from .arrays import NUMBA, Floats, empty, flat
from .jit import helper, kernel, launch, prange, signed
from .sharing import THREADS, next_task, none_taken
from .vector_rows import loads, stores, transposed
from .vector_width import lanes_of

PART = 64  # columns of a task


@helper
def turn_columns(out: Any, x: Any, image: int, first: int, last: int, rows: int, columns: int,
                 lanes: Any) -> None:
    """Write the columns `first` to `last` of one image as rows."""
    side = lanes.value
    whole, end = rows // side * side, first + (last - first) // side * side
    for column in range(first, end, side):
        for row in range(0, whole, side):
            square = loads(lanes, x, image + row * columns + column, columns, lanes)
            stores(out, image + column * rows + row, rows, transposed(square))
        for row in range(whole, rows):
            for n in range(column, column + side):
                out[image + n * rows + row] = x[image + row * columns + n]
    for column in range(end, last):
        for row in range(rows):
            out[image + column * rows + row] = x[image + row * columns + column]


@kernel
def turn_kernel(out: Any, x: Any, batch: int, rows: int, columns: int, lanes: Any,
                threads: int) -> None:
    """Write flat (batch, columns, rows) of x, flat (batch, rows, columns).

    threads  THREADS of sharing.py
    """
    parts = (columns + PART - 1) // PART
    tasks, taken = batch * parts, none_taken(threads)
    for thread in prange(threads):
        task = next_task(signed(thread), taken, tasks)
        while task < tasks:
            first = task % parts * PART
            turn_columns(out, x, task // parts * rows * columns, first,
                         min(first + PART, columns), rows, columns, lanes)
            task = next_task(signed(thread), taken, tasks)


def channels_last(x: Floats) -> Floats:
    """(batch, height, width, channels) copy of x, (batch, channels, height, width).

    x  float32 or float64
    Raises ValueError for other numbers of axes, TypeError for dtypes.
    """
    batch, channels, height, width = _sizes(x, "channels", "height", "width")
    out = empty((batch, height, width, channels), x)
    _turn(out, x, batch, channels, height * width)
    return out


def channels_first(x: Floats) -> Floats:
    """(batch, channels, height, width) copy of x, (batch, height, width, channels).

    x  float32 or float64
    Raises ValueError for other numbers of axes, TypeError for dtypes.
    """
    batch, height, width, channels = _sizes(x, "height", "width", "channels")
    out = empty((batch, channels, height, width), x)
    _turn(out, x, batch, height * width, channels)
    return out


def _sizes(x: Floats, *axes: str) -> tuple[int, ...]:
    Shapes(NUMBA, {}).take("x", x, "batch", *axes)
    return x.shape


def _turn(out: Floats, x: Floats, batch: int, rows: int, columns: int) -> None:
    launch(turn_kernel, flat(out), flat(x), batch, rows, columns, lanes_of(out.dtype), THREADS)
