"""Copies queries, keys or values into the blocks of head_layout.py.

axis     meaning                                 memory
pixel    batch, height, width                    x: stride; blocks: rows with a border, `chunk` each
place    the channels of a head, by `places`     x: contiguous per head; blocks: whole vectors
"""

from typing import Any

import numpy as np

from .arrays import Floats, Integers
from .head_layout import HeadFrame
from .jit import helper, kernel, prange, signed
from .plan import Array, Plan


@helper
def arrange_line(line: int, out: Any, x: Any, start: int, stride: int, taken: bool, factor: Any,
                 embedding: Any, places: Any, depth: int, chunk: int, frame: HeadFrame) -> None:
    """Write one image row."""
    border = 0 if frame.shift else frame.before
    batch, i = line // frame.height, line % frame.height
    pixels = frame.height * frame.width
    for j in range(frame.width):
        first = ((batch * frame.rows + i + border) * frame.cols + j + border) * chunk
        source = start + (line * frame.width + j) * stride
        for channel in range(places.size):
            y = factor * x[source + channel] if taken else x.dtype.type(0)
            if embedding.size > 0:
                y += embedding[channel % depth * pixels + i * frame.width + j]
            place = places[channel]
            out[first + place // chunk * frame.plane + place % chunk] = y


@kernel
def arrange_kernel(out: Any, x: Any, start: int, stride: int, taken: bool, factor: Any,
                   embedding: Any, places: Any, depth: int, chunk: int,
                   frame: HeadFrame) -> None:
    """Write every image row."""
    for index in prange(frame.batch * frame.height):
        arrange_line(signed(index), out, x, start, stride, taken, factor, embedding, places, depth,
                     chunk, frame)


def arrange(plan: Plan, out: Floats, x: Array, start: int, stride: int, places: Integers,
            chunk: int, frame: HeadFrame, *, taken: bool = True, factor: float = 1.0,
            embedding: Floats | None = None) -> None:
    """Write factor x + embedding to the blocks `out`; the border and unused depths are left alone.

    x          flat; pixel p has head n, depth d at p stride + start + n depth + d
    places     (heads, depth), from `channel_places`
    taken      whether x is part of the sum at all
    embedding  flat (depth, height, width), the same for every head
    """
    plan.launch(arrange_kernel, out, x, start, stride, taken, x.dtype.type(factor),
                np.zeros(0, x.dtype) if embedding is None else embedding, places.reshape(-1),
                places.shape[1], chunk, frame)
