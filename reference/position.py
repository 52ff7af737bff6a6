"""Chapter 4, absolute positions: the two-dimensional sinusoid. POS-2."""

import numpy as np
import numpy.typing as npt

from .arrays import Floats
from .contract.errors import broken, one_of, whole_number
from .contract.options import FIRST_HALVES


def absolute_embedding(height: int, width: int, depth: int, *, first_half: str = "row",
                       dtype: npt.DTypeLike = np.float64) -> Floats:
    """(height, width, depth): the embedding e of every pixel's position, SPEC POS-2.

    The half that meets the row is sinusoid(row), the other sinusoid(column).
    Raises ValueError for an odd depth or sizes below 1.
    """
    for name, size in (("height", height), ("width", width), ("depth", depth)):
        whole_number(name, size)
    if depth % 2:
        raise ValueError(broken("depth", "be even", depth))
    one_of("first_half", first_half, FIRST_HALVES)
    row = np.broadcast_to(sinusoid(height, depth // 2)[:, None], (height, width, depth // 2))
    col = np.broadcast_to(sinusoid(width, depth // 2)[None, :], (height, width, depth // 2))
    halves = (row, col) if first_half == "row" else (col, row)
    return np.concatenate(halves, axis=-1).astype(dtype)


def sinusoid(positions: int, channels: int) -> Floats:
    """(positions, channels): sin at even channels, cos at odd, of angles p / 10000^(...), POS-2."""
    channel = np.arange(channels)
    angle = np.arange(positions)[:, None] / 10000.0 ** (2 * (channel // 2) / channels)
    return np.where(channel % 2 == 0, np.sin(angle), np.cos(angle))
