"""Relative tables of every head side by side in lanes: REL-2, REL-4, REL-5.

axis     meaning                                  memory
entry    of a group's table                       stride vectors of all chunks, lanes
depth    of a head; filled up to whole chunks     stride heads
lane     heads of a group                         contiguous
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sasakit.reference.contract.options import AttentionOptions

from .head_layout import HeadLanes
from .jit import serial_kernel
from .plan import Array, Plan
from .tables import half_starts, head_halves


class LaneTables(NamedTuple):
    """Relative tables for heads as lanes; empty where there are none.

    row, col  flat (groups, entries, depths of all chunks, heads)
    row_first, row_last, col_first, col_last  vectors that are not zero, the last one exclusive
    """

    row: Array
    col: Array
    row_first: int = 0
    row_last: int = 0
    col_first: int = 0
    col_last: int = 0


@serial_kernel
def table_kernel(out: Any, table: Any, start: int, half: int, by_head: int, by_channel: int,
                 entries: int, depth: int, padded: int, heads: int) -> None:
    """Write every number of `out`; channels that do not meet this offset are zero.

    start    channel of the span that meets the table's first; half: so many do
    by_head, by_channel  in the table, and in the span, from one head to the next
    """
    place = 0
    for group in range(out.size // (entries * padded * heads)):
        for entry in range(entries):
            for d in range(padded):
                for head in range(group * heads, (group + 1) * heads):
                    channel = head * by_channel + d - start
                    inside = d < depth and 0 <= channel < half
                    out[place] = table[head * by_head + entry * half + channel] if inside \
                        else out.dtype.type(0)
                    place += 1


def lane_tables(plan: Plan, tables: Sequence[Array | None], arranged: HeadLanes, heads: int,
                depth: int, options: AttentionOptions) -> LaneTables | None:
    """Flat rel_row and rel_col, side by side in lanes; None where there are none."""
    rel_row, rel_col = tables
    if rel_row is None or rel_col is None:
        return None
    layer = options.relative == "layer_halves"
    padded, half = arranged.padded, rel_row.size
    half //= options.table_rows * (heads if options.relative == "per_head" else 1)
    outs = []
    for table, start in zip((rel_row, rel_col), half_starts(heads, depth, options), strict=True):
        out = plan.buffer(arranged.groups * options.table_rows * padded * arranged.heads,
                          table.dtype)
        plan.launch(table_kernel, out, table, start, half,
                    options.table_rows * half if options.relative == "per_head" else 0,
                    depth if layer else 0, options.table_rows, depth, padded, arranged.heads)
        outs.append(out)
    halves = head_halves(heads, depth, options).reshape(heads, 4)
    bounds = [int(edge) for first in (0, 2) for edge in (
        halves[:, first].min() // arranged.fold, -(-halves[:, first + 1].max() // arranged.fold))]
    return LaneTables(outs[0], outs[1], *bounds)
