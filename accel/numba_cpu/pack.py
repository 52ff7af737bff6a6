"""Copies keys or values into the padded rows of frame.py.

axis     meaning                       memory
image    batch, then heads             stride 4 quads lanes
depth    padded with zeros to 4 quads  stride lanes
lane     pixels and zeros, frame.py    contiguous
"""

from typing import Any

import numpy as np

from .arrays import Floats
from .frame import Frame
from .jit import helper, kernel, prange, serial_kernel, signed
from .lanes import clear
from .plan import Array, Plan

# Numbers below which one thread is done before a second has started.
SERIAL = 1 << 19


@helper
def pack_image(image: int, out: Any, x: Any, start: int, stride: int, taken: bool, factor: Any,
               embedding: Any, frame: Frame) -> None:
    """Write all depths of one head of one image.

    A pixel's depths lie together in x and far apart in `out`, where the next pixel's lie beside
    them: so pixels come one after the other, and the lines that are written stay in the cache.
    """
    depths = 4 * frame.quads
    first = image * depths * frame.lanes
    clear(out, first, depths * frame.lanes)
    pixels = frame.height * frame.width
    source = start + (image // frame.heads) * pixels * stride + (image % frame.heads) * frame.depth
    for pixel in range(pixels if taken else 0):
        lane = first + frame.margin + pixel // frame.width * frame.pitch + pixel % frame.width
        for d in range(frame.depth):
            out[lane + d * frame.lanes] = factor * x[source + pixel * stride + d]
    if embedding.size > 0:
        for d in range(frame.depth):
            for pixel in range(pixels):
                lane = frame.margin + pixel // frame.width * frame.pitch + pixel % frame.width
                out[first + d * frame.lanes + lane] += embedding[d * pixels + pixel]


@kernel
def pack_kernel(out: Any, x: Any, start: int, stride: int, taken: bool, factor: Any,
                embedding: Any, frame: Frame) -> None:
    """Write every head of every image."""
    for index in prange(frame.batch * frame.heads):
        pack_image(signed(index), out, x, start, stride, taken, factor, embedding, frame)


@serial_kernel
def serial_pack_kernel(out: Any, x: Any, start: int, stride: int, taken: bool, factor: Any,
                       embedding: Any, frame: Frame) -> None:
    """Write every head of every image, in this thread."""
    for image in range(frame.batch * frame.heads):
        pack_image(image, out, x, start, stride, taken, factor, embedding, frame)


def pack(plan: Plan, x: Array, start: int, stride: int, frame: Frame, *, taken: bool = True,
         factor: float = 1.0, embedding: Floats | None = None) -> Floats:
    """Flat (batch, heads, 4 quads, lanes), a buffer: factor x + embedding in padded rows.

    x          flat; pixel p has head n, depth d at p stride + start + n depth + d
    taken      whether x is part of the sum at all
    embedding  flat (depth, height, width), the same for every head
    """
    out = plan.buffer(frame.batch * frame.heads * 4 * frame.quads * frame.lanes, x.dtype)
    added = np.zeros(0, x.dtype) if embedding is None else embedding
    plan.launch(serial_pack_kernel if out.size < SERIAL else pack_kernel, out, x, start, stride,
                taken, x.dtype.type(factor), added, frame)
    return out
