"""Chapter 12, gradients of relative logits, and of the tables wherever they are read. GRAD-2."""

from collections.abc import Mapping

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .contract.options import AttentionOptions
from .contract.upstream import check_relative_logits_vjp
from .relative import relative_embedding
from .window import Positions, table_slots, window_positions


@SILENT
def relative_logits_vjp(upstream: Floats, query: Floats, rel_row: Floats, rel_col: Floats, *,
                        options: AttentionOptions) -> dict[str, Floats]:
    """Gradients query, rel_row and rel_col, each of its argument's shape and dtype, SPEC GRAD-2.

    upstream  (batch, height, width, heads, rows, cols), the dtype of query
    The other arguments are those of `relative_logits`.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_relative_logits_vjp(NUMPY, upstream, query, rel_row, rel_col, options)
    _, height, width, heads, depth = query.shape
    grads = zeros_like({"query": query, "rel_row": rel_row, "rel_col": rel_col})
    for i in range(height):
        rows = table_slots(i, window_positions(i, height, options), options)
        for j in range(width):
            cols = table_slots(j, window_positions(j, width, options), options)
            r = relative_embedding(rel_row, rel_col, rows, cols, heads, depth, options)
            # SPEC GRAD-2: a query gathers from its slots, an entry from every slot that reads it.
            grads["query"][:, i, j] = np.einsum("bnrc,nrcd->bnd", upstream[:, i, j], r)
            dr = np.einsum("bnrc,bnd->nrcd", upstream[:, i, j], query[:, i, j])
            add_to_tables(grads, dr, rows, cols, options)
    return grads


def zeros_like(arrays: Mapping[str, Floats | None]) -> dict[str, Floats]:
    """Zeros in the form of every array, those that are None left out, SPEC GRAD-1."""
    return {name: np.zeros(array.shape, array.dtype)
            for name, array in arrays.items() if array is not None}


def add_to_tables(grads: Mapping[str, Floats], dr: Floats, rows: Positions, cols: Positions,
                  options: AttentionOptions) -> None:
    """Add the gradient of one window's embeddings to those of the tables, SPEC GRAD-2.

    grads       "rel_row" and "rel_col", added to in place
    dr          (heads, rows, cols, depth)
    rows, cols  (extent,) entries of the tables, from `table_slots`
    """
    if options.relative == "layer_halves":
        whole = np.moveaxis(dr, 0, 2)
        dr = whole.reshape(*whole.shape[:2], dr.shape[0] * dr.shape[3])
    elif options.relative == "shared":
        # SPEC GRAD-2: heads that share a table add up in it.
        dr = dr.sum(axis=0)
    first, second = np.split(dr, 2, axis=-1)
    row, col = (first, second) if options.first_half == "row" else (second, first)
    # A window reads no entry twice along an axis, so that nothing is lost in adding by index.
    grads["rel_row"][..., rows, :] += row.sum(axis=-2)
    grads["rel_col"][..., cols, :] += col.sum(axis=-3)
