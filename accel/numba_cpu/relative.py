"""relative_logits: chapter 3, one image row at a time.

axis     meaning                            memory
pixel    batch, height, width               stride heads extent extent
head     heads                              stride extent extent
slot     rows, then cols of the window      contiguous

q . r is separable: extent row dots and extent column dots, then their sums.
"""

from typing import Any

import numpy as np

from sasakit.reference.contract.checks import check_relative_logits
from sasakit.reference.contract.options import AttentionOptions

from .arrays import NUMBA, Floats, empty, flat
from .frame import SHIFT, Frame, frame_of
from .jit import helper, kernel, launch, prange, signed
from .tables import head_tables
from .window_attention import first_slot


@helper
def dots(out: Any, query: Any, source: int, table: Any, head: int, low: int, high: int, at: int,
         size: int, frame: Frame) -> None:
    """Write (extent,): the query's channels low to high times the entry of every slot."""
    entry = 0
    if frame.padding == SHIFT:
        entry = first_slot(at, size, frame) - at + frame.extent - 1
    for slot in range(frame.extent):
        first = (head * frame.table + entry + slot) * frame.depth
        total = out.dtype.type(0)
        for d in range(low, high):
            total += query[source + d] * table[first + d]
        out[slot] = total


@kernel
def relative_kernel(out: Any, query: Any, row_table: Any, col_table: Any, halves: Any,
                    frame: Frame) -> None:
    """Write every logit of `out`, flat (batch, height, width, heads, rows, cols)."""
    for index in prange(frame.batch * frame.height):
        image_row = signed(index)
        row, col = np.empty(frame.extent, out.dtype), np.empty(frame.extent, out.dtype)
        for j in range(frame.width):
            for head in range(frame.heads):
                place = (image_row * frame.width + j) * frame.heads + head
                dots(row, query, place * frame.depth, row_table, head, halves[head * 4],
                     halves[head * 4 + 1], image_row % frame.height, frame.height, frame)
                dots(col, query, place * frame.depth, col_table, head, halves[head * 4 + 2],
                     halves[head * 4 + 3], j, frame.width, frame)
                for slot in range(frame.extent * frame.extent):
                    out[place * frame.extent * frame.extent + slot] = (
                        row[slot // frame.extent] + col[slot % frame.extent])


def relative_logits(query: Floats, rel_row: Floats, rel_col: Floats, *,
                    options: AttentionOptions) -> Floats:
    """(batch, height, width, heads, rows, cols): q . r for every slot of the window, SPEC REL-1.

    query    (batch, height, width, heads, depth), float32 or float64
    rel_row  (table_rows, depth / 2) shared; (heads, table_rows, depth / 2) per_head;
             (table_rows, heads depth / 2) layer_halves; table_rows is extent, or 2 extent - 1
             when the window shifts
    rel_col  like rel_row
    No scale is applied. Slots outside the image have a logit like any other.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_relative_logits(NUMBA, query, rel_row, rel_col, options)
    frame = frame_of(query.shape, options)
    out = empty((*query.shape[:4], options.extent, options.extent), query)
    tables = head_tables(rel_row, rel_col, frame.heads, frame.depth, options, query)
    launch(relative_kernel, out.reshape(-1), flat(query), *tables, frame)
    return out
