"""Pools of blocks that do not overlap, and layers that end in one (NET-3, NET-11)."""

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np

from ..estimate import Array
from .choices import Choices

# What may follow the attention of a layer, as fields of Choices name it; a layer that was built
# with stride 2 may well hold the average that NET-3 puts after it.
AVERAGES = ("average", "average floor", "average counted")


def pooled(y: Array, window: int, how: str, *, floor: bool) -> Array:
    """Maxima or averages of window x window blocks; the last ones are cut, or dropped."""
    if floor:
        y = y[:, :y.shape[1] // window * window, :y.shape[2] // window * window]
    batch, height, width, channels = y.shape
    rows, cols = -(-height // window), -(-width // window)
    ends = ((0, 0), (0, rows * window - height), (0, cols * window - width), (0, 0))
    shape = (batch, rows, window, cols, window, channels)
    if how == "maximum":
        return np.asarray(np.pad(y, ends, constant_values=-np.inf).reshape(shape).max(axis=(2, 4)))
    counts = np.pad(np.ones_like(y), ends).reshape(shape).sum(axis=(2, 4))
    return np.asarray(np.pad(y, ends).reshape(shape).sum(axis=(2, 4)) / counts)


def averaged(y: Array, how: str) -> Array:
    """Averages of 2 x 2 pixels: of those that exist, of whole blocks alone, or zeros counted."""
    if how == "none":
        return y
    if how == "average counted":
        y = np.pad(y, [(0, 0), *((0, size % 2) for size in y.shape[1:3]), (0, 0)])
    return pooled(y, 2, "average", floor=how == "average floor")


def smaller(readings: Iterable[Choices], x: Array, y: Array) -> Iterator[Choices]:
    """Readings whose output has the size that was seen, averages after the attention among them."""
    if y.shape[1] >= x.shape[1]:
        yield from (choices for choices in readings if choices.stride == 1)
        return
    whole = []
    for choices in readings:
        if choices.stride > 1:
            yield choices
        else:
            whole.append(choices)
    for choices, how in product(whole, AVERAGES):
        yield choices.but(pool=how)
