"""Chapter 3, relative logits: how much a query cares about an offset. REL-1 to REL-6."""

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .contract.checks import check_relative_logits
from .contract.options import AttentionOptions
from .window import table_slots, window_positions


@SILENT
def relative_logits(query: Floats, rel_row: Floats, rel_col: Floats, *,
                    options: AttentionOptions) -> Floats:
    """(batch, height, width, heads, rows, cols): q . r for every slot of the window, SPEC REL-1.

    query    (batch, height, width, heads, depth), any float dtype
    rel_row  (table_rows, depth / 2) shared; (heads, table_rows, depth / 2) per_head;
             (table_rows, heads depth / 2) layer_halves; table_rows is extent, or 2 extent - 1
             when the window shifts
    rel_col  like rel_row
    No scale is applied. Slots outside the image have a logit like any other.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_relative_logits(NUMPY, query, rel_row, rel_col, options)
    batch, height, width, heads, depth = query.shape
    extent = options.extent
    logits = np.empty((batch, height, width, heads, extent, extent), query.dtype)
    for i in range(height):
        rows = table_slots(i, window_positions(i, height, options), options)
        for j in range(width):
            cols = table_slots(j, window_positions(j, width, options), options)
            embedding = relative_embedding(rel_row, rel_col, rows, cols, heads, depth, options)
            # SPEC REL-1
            logits[:, i, j] = np.einsum("bnd,nrcd->bnrc", query[:, i, j], embedding)
    return logits


def relative_embedding(rel_row: Floats, rel_col: Floats, rows: np.ndarray, cols: np.ndarray,
                       heads: int, depth: int, options: AttentionOptions) -> Floats:
    """(heads, rows, cols, depth): r of every slot of one window, SPEC REL-1, REL-2, REL-4, REL-5.

    rows, cols  (extent,) entries of the tables, from `table_slots`
    """
    row = rel_row[..., rows, :][..., :, None, :]
    col = rel_col[..., cols, :][..., None, :, :]
    # SPEC REL-2: the first half meets the row offset, the second the column offset.
    halves = np.broadcast_arrays(row, col)
    if options.first_half == "column":
        halves = (halves[1], halves[0])
    r = np.concatenate(halves, axis=-1)
    # SPEC REL-5: the halves are those of the whole layer; each head takes its slice.
    if options.relative == "layer_halves":
        extents = r.shape[:2]
        return np.moveaxis(r.reshape(*extents, heads, depth), 2, 0)
    # SPEC REL-4: one table for all heads, or one for each.
    return np.broadcast_to(r, (heads, *r.shape[-3:]))
