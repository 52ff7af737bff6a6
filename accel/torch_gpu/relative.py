"""Relative logits by rows and by columns: 2 extent products instead of extent squared.

q . r splits into the half of q that meets the row offset and the half that meets the column
offset; the logit of a slot is the sum of one number per row and one per column.
"""

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from sasakit.reference.contract.checks import check_relative_logits
from sasakit.reference.contract.options import AttentionOptions

from .arrays import TORCH, widen
from .window import first_slots


def relative_logits(query: Tensor, rel_row: Tensor, rel_col: Tensor, *,
                    options: AttentionOptions) -> Tensor:
    """(batch, height, width, heads, rows, cols): q . r for every slot of the window, SPEC REL-1.

    query    (batch, height, width, heads, depth), float16, bfloat16, float32 or float64
    rel_row  (table_rows, depth / 2) shared; (heads, table_rows, depth / 2) per_head;
             (table_rows, heads depth / 2) layer_halves; table_rows is extent, or 2 extent - 1
             when the window shifts
    rel_col  like rel_row
    No scale is applied. Slots outside the image have a logit like any other.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_relative_logits(TORCH, query, rel_row, rel_col, options)
    wide = separable_logits(widen(query), rel_row, rel_col, options)
    return wide.to(query.dtype).movedim((0, 1), (-2, -1)).contiguous()


def separable_logits(query: Tensor, rel_row: Tensor, rel_col: Tensor,
                     options: AttentionOptions) -> Tensor:
    """(rows, cols, batch, height, width, heads): the same, unchecked, in the query's dtype."""
    row_table, col_table = rel_row.to(query.dtype), rel_col.to(query.dtype)
    # SPEC REL-2: the first half meets the row offset, the second the column offset.
    row_first = options.first_half == "row"
    first_table, second_table = (row_table, col_table) if row_first else (col_table, row_table)
    products = _layer_halves if options.relative == "layer_halves" else _head_halves
    first, second = products(query, first_table, second_table)
    row, col = (first, second) if row_first else (second, first)
    if options.padding == "shift":
        row, col = _own_entries(row, 1, options), _own_entries(col, 2, options)
    # Contiguous, so that the sum, which is far larger, is laid out like the products.
    return row.movedim(-1, 0).contiguous()[:, None] + col.movedim(-1, 0).contiguous()


def _head_halves(query: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """(batch, height, width, heads, table_rows) twice: each half of each head, SPEC REL-4."""
    axes = "bhwnd,nad->bhwna" if first.ndim == 3 else "bhwnd,ad->bhwna"
    half = query.shape[-1] // 2
    return (torch.einsum(axes, query[..., :half], first),
            torch.einsum(axes, query[..., half:], second))


def _layer_halves(query: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The same for the halves of the whole layer, of which each head has its slice, SPEC REL-5.

    With an odd number of heads the middle one has channels of both. Each half is filled up with
    channels that are zero in query and table alike, so that nothing of the other half is touched.
    """
    heads, depth = query.shape[-2:]
    some, others = -(-heads // 2), heads // 2
    spare = some * depth - heads * depth // 2
    whole = query.flatten(-2)
    half = heads * depth // 2
    parts = ((whole[..., :half], first, (0, spare), (0, others)),
             (whole[..., half:], second, (spare, 0), (others, 0)))
    logits = []
    for channels, table, fill, absent in parts:
        q = torch.unflatten(F.pad(channels, fill), -1, (some, depth))
        r = torch.unflatten(F.pad(table, fill), -1, (some, depth))
        logits.append(F.pad(torch.einsum("bhwnd,and->bhwna", q, r), (0, 0, *absent)))
    return logits[0], logits[1]


def _own_entries(logits: Tensor, axis: int, options: AttentionOptions) -> Tensor:
    """(batch, height, width, heads, extent) of logits with every table entry, SPEC REL-6."""
    size = logits.shape[axis]
    at = torch.arange(size, device=logits.device)
    first = first_slots(size, options, logits.device) - at + options.extent - 1
    slots = first[:, None] + torch.arange(options.extent, device=logits.device)
    shape = [1, 1, 1, 1, options.extent]
    shape[axis] = size
    return logits.take_along_dim(slots.view(shape), dim=-1)
