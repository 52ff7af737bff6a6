"""Copies queries, keys or values into the blocks of head_layout.py.

axis     meaning                                 memory
pixel    batch, height, width                    x: stride; blocks: rows with a border, `chunk` each
depth    of a group of heads                     x: contiguous; blocks: stride heads
head     of a group                              x: stride depth; blocks: contiguous
"""

from typing import Any, NamedTuple

import numpy as np

from .arrays import Floats
from .head_layout import HeadFrame, HeadLanes
from .jit import inlined, kernel, prange, signed
from .plan import Array, Plan
from .vector_rows import loads, stores, times, transposed
from .vector_types import Constant
from .vectors import splat


class Arranging(NamedTuple):
    """What becomes of x, and where its numbers are.

    start, stride  pixel p has head n, depth d at p stride + start + n depth + d
    depth          of a head; depths: of a chunk
    groups         of heads
    taken          whether x is part of the sum at all, times the factor
    """

    start: int
    stride: int
    depth: int
    depths: int
    groups: int
    taken: bool
    factor: Any


@inlined
def arrange_squares(out: Any, target: int, x: Any, source: int, heads: Any, how: Arranging,
                    frame: HeadFrame) -> int:
    """Write as many depths of one pixel and group as whole squares of them hold; how many."""
    count = heads.value
    whole = how.depth // count * count if how.depths % count == 0 else 0
    for d in range(0, whole, count):
        rows = transposed(loads(heads, x, source + d, how.depth, heads))
        place = target + d // how.depths * frame.plane + d % how.depths * count
        stores(out, place, count, times(rows, splat(heads, how.factor)))
    return whole


@inlined
def arrange_pixel(out: Any, target: int, x: Any, source: int, embedding: Any, pixel: int,
                  heads: Any, how: Arranging, frame: HeadFrame) -> None:
    """Write every depth of one pixel and one group of heads."""
    whole = 0
    if how.taken and embedding.size == 0:
        whole = arrange_squares(out, target, x, source, heads, how, frame)
    for d in range(whole, how.depth):
        place = target + d // how.depths * frame.plane + d % how.depths * heads.value
        for head in range(heads.value):
            y = how.factor * x[source + head * how.depth + d] if how.taken else x.dtype.type(0)
            if embedding.size > 0:
                y += embedding[d * frame.height * frame.width + pixel]
            out[place + head] = y


@kernel
def arrange_kernel(out: Any, x: Any, embedding: Any, heads: Any, chunk: int, chunks: int,
                   how: Arranging, frame: HeadFrame) -> None:
    """Write every image row."""
    for index in prange(frame.batch * frame.height):
        line = signed(index)
        batch, i = line // frame.height, line % frame.height
        border = 0 if frame.shift else frame.before
        for j in range(frame.width):
            first = ((batch * frame.rows + i + border) * frame.cols + j + border) * chunk
            source = how.start + (line * frame.width + j) * how.stride
            for group in range(how.groups):
                arrange_pixel(out, first + group * chunks * frame.plane, x,
                              source + group * heads.value * how.depth, embedding,
                              i * frame.width + j, heads, how, frame)


def arrange(plan: Plan, out: Floats, x: Array, start: int, stride: int, depth: int,
            arranged: HeadLanes, frame: HeadFrame, *, taken: bool = True, factor: float = 1.0,
            embedding: Floats | None = None) -> None:
    """Write factor x + embedding to the blocks `out`; the border and unused depths are left alone.

    x          flat; pixel p has head n, depth d at p stride + start + n depth + d
    taken      whether x is part of the sum at all
    embedding  flat (depth, height, width), the same for every head
    """
    how = Arranging(start, stride, depth, arranged.depths, arranged.groups,
                    taken, x.dtype.type(factor))
    plan.launch(arrange_kernel, out, x, np.zeros(0, x.dtype) if embedding is None else embedding,
                Constant(arranged.heads), arranged.chunk, arranged.chunks, how, frame)
