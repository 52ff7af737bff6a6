"""Chapters 1 and 2, window and padding: which pixels a query sees. WIN-1 to PAD-3."""

import numpy as np
import numpy.typing as npt

from .arrays import Floats
from .contract.options import AttentionOptions

Positions = npt.NDArray[np.intp]


def window_positions(at: int, size: int, options: AttentionOptions) -> Positions:
    """(extent,) positions along one axis of `size` pixels that the query at `at` sees.

    Ascending. Under padding zero and exclude they may lie outside 0 to size - 1.
    """
    # SPEC WIN-1, WIN-2: odd windows are centred; even ones have their extra slot before (or after).
    start = at - options.slots_before
    # SPEC PAD-3: the window keeps its extent and moves inside the image.
    if options.padding == "shift":
        start = min(max(start, 0), size - options.extent)
    return start + np.arange(options.extent)


def table_slots(at: int, positions: Positions, options: AttentionOptions) -> Positions:
    """(extent,) entry of the relative table for each position of the window of the query at `at`.

    SPEC REL-3: entries ascend with the offset a - i. REL-6: under padding shift the first entry
    is the offset -(extent - 1), otherwise that of the window's first slot.
    """
    first = options.extent - 1 if options.padding == "shift" else options.slots_before
    return positions - at + first


def inside_image(positions: Positions, size: int) -> npt.NDArray[np.bool_]:
    """(extent,) whether each position lies in the image."""
    return (positions >= 0) & (positions < size)


def neighbours(image: Floats, rows: Positions, cols: Positions) -> Floats:
    """(batch, rows, cols, ...) pixels of (batch, height, width, ...), zero outside the image."""
    height, width = image.shape[1:3]
    seen = image[:, rows.clip(0, height - 1)][:, :, cols.clip(0, width - 1)]
    inside = inside_image(rows, height)[:, None] & inside_image(cols, width)
    # SPEC PAD-1: zero, whatever the nearest pixel holds, NaN included.
    seen[:, ~inside] = 0
    return seen
