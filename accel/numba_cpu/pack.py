"""Copies keys or values into the padded rows of frame.py.

axis     meaning                       memory
image    batch, then heads             stride 4 quads lanes
depth    padded with zeros to 4 quads  stride lanes
lane     pixels and zeros, frame.py    contiguous
"""

from typing import Any

import numpy as np

from .arrays import Floats, zeros
from .frame import Frame
from .jit import helper, kernel, launch, prange, signed
from .lanes import clear


@helper
def pack_row(row: int, out: Any, x: Any, start: int, stride: int, taken: bool, factor: Any,
             embedding: Any, frame: Frame) -> None:
    """Write one row: one depth of one head of one image."""
    depths = 4 * frame.quads
    image, d = row // depths, row % depths
    first = row * frame.lanes
    clear(out, first, frame.lanes)
    if d >= frame.depth:
        return
    pixel = (image // frame.heads) * frame.height * frame.width
    channel = start + (image % frame.heads) * frame.depth + d
    plane = d * frame.height * frame.width
    for i in range(frame.height):
        lane = first + frame.margin + i * frame.pitch
        source = (pixel + i * frame.width) * stride + channel
        if taken:
            for j in range(frame.width):
                out[lane + j] = factor * x[source + j * stride]
        if embedding.size > 0:
            for j in range(frame.width):
                out[lane + j] += embedding[plane + i * frame.width + j]


@kernel
def pack_kernel(out: Any, x: Any, start: int, stride: int, taken: bool, factor: Any,
                embedding: Any, frame: Frame) -> None:
    """Write every row of `out`."""
    for index in prange(frame.batch * frame.heads * 4 * frame.quads):
        pack_row(signed(index), out, x, start, stride, taken, factor, embedding, frame)


def pack(x: Floats, start: int, stride: int, frame: Frame, *, taken: bool = True,
         factor: float = 1.0, embedding: Floats | None = None) -> Floats:
    """Flat (batch, heads, 4 quads, lanes): factor x + embedding in padded rows.

    x          flat; pixel p has head n, depth d at p stride + start + n depth + d
    taken      whether x is part of the sum at all
    embedding  flat (depth, height, width), the same for every head
    """
    out = np.empty(frame.batch * frame.heads * 4 * frame.quads * frame.lanes, x.dtype)
    added = zeros(0, x) if embedding is None else embedding
    launch(pack_kernel, out, x, start, stride, taken, x.dtype.type(factor), added, frame)
    return out
