"""Attention over a window with heads as lanes: head_layout.py says how everything lies.

A task is a few units (head_logits.py) of one image row and one group of heads. It goes chunk by
chunk of the depth, so that the window of one chunk stays in the first cache for all its units.
"""

from typing import Any, NamedTuple

import numpy as np

from .head_layout import HeadFrame
from .head_logits import Counts, Logits, Sizes, add_content, add_position
from .jit import helper, kernel, prange, signed
from .vector_exp import exponential
from .vectors import (
    add_products,
    larger,
    load,
    loads,
    plus_row,
    rectified,
    splat,
    splats,
    spread,
    store,
    stores,
)

UNITS = 4  # of a task whose depth has several chunks


class Output(NamedTuple):
    """What follows, and how it is stored.

    bias    flat, by place; relu: whether what is negative becomes zero
    arranged  whether channels stay where they are; otherwise they go to (heads, depth)
    depth, channels  of the output
    """

    bias: Any
    relu: bool
    arranged: bool
    depth: int
    channels: int


@helper
def first_slot(at: int, size: int, extent: int, frame: HeadFrame) -> int:
    """The window's first row or column, in the image with its border."""
    if frame.shift:
        return min(max(at - frame.before, 0), size - extent)
    return at


@helper
def exclude(s: Any, place: int, i: int, j: int, counts: Counts, frame: HeadFrame) -> None:
    """Take the slots of one pixel that lie outside the image out of the softmax, PAD-2.

    place  the pixel's first logit
    """
    for slot in range(counts.extent * counts.extent):
        row = i + slot // counts.extent - frame.before
        col = j + slot % counts.extent - frame.before
        if not (0 <= row < frame.height and 0 <= col < frame.width):
            first = place + slot * counts.lanes
            for lane in range(counts.heads):
                s[first + lane] = -np.inf


@helper
def normalize(s: Any, unit: int, slots: int, sizes: Sizes) -> None:
    """Replace a unit's logits by probabilities, lane by lane: ATT-4.

    A lane that holds NaN or +inf becomes NaN throughout: whatever the maximum is then, a
    difference is NaN, and the exponential passes it on.
    """
    lanes, number = sizes.lanes.value, s.dtype.type
    peak = load(sizes.lanes, s, unit)
    for slot in range(1, slots):
        peak = larger(load(sizes.lanes, s, unit + slot * lanes), peak)
    total = splat(sizes.lanes, number(0))
    for slot in range(slots):
        place = unit + slot * lanes
        weight = exponential(load(sizes.lanes, s, place) - peak)
        total = total + weight
        store(s, place, weight)
    # Before the mixture: a sum of weighted values could overflow where their mean cannot.
    share = splat(sizes.lanes, number(1)) / total
    for slot in range(slots):
        place = unit + slot * lanes
        store(s, place, load(sizes.lanes, s, place) * share)


@helper
def mix(s: Any, unit: int, pixel: int, value: Any, near: int, first: int, last: int,
        sizes: Sizes, frame: HeadFrame) -> Any:
    """One chunk of one pixel's output: the values of every slot, each times its probability."""
    lanes, heads, extent = sizes.lanes.value, sizes.heads.value, sizes.extent.value
    step = sizes.vectors.value * lanes
    out = splats(sizes.lanes, s.dtype.type(0), sizes.vectors)
    for row in range(first, last):
        for col in range(extent):
            p = spread(sizes.lanes, s, unit + (row * extent + col) * lanes + pixel * heads,
                       sizes.heads)
            out = add_products(out, p, value, near + row * frame.pitch + col * step, lanes)
    return out


@helper
def put(out: Any, pixel: int, block: int, chunks: int, row: Any, scratch: Any, after: Output,
        sizes: Sizes, counts: Counts) -> None:
    """Write one chunk of one pixel: + bias, then ReLU when asked."""
    lanes, chunk = sizes.lanes.value, sizes.vectors.value * sizes.lanes.value
    row = plus_row(row, loads(sizes.lanes, after.bias, block * chunk, lanes, sizes.vectors))
    if after.relu:
        row = rectified(row)
    if after.arranged:
        stores(out, pixel * after.channels + block * chunk, lanes, row)
        return
    stores(scratch, 0, lanes, row)
    first = block % chunks * counts.depths
    for head in range(counts.heads):
        target = pixel * after.channels + (block // chunks * counts.heads + head) * after.depth
        for d in range(min(counts.depths, after.depth - first)):
            out[target + first + d] = scratch[d * counts.heads + head]


@helper
def attend(line: int, col: int, units: int, group: int, out: Any, qkv: Any, row_table: Any,
           col_table: Any, chunks: int, groups: int, terms: Logits, after: Output, sizes: Sizes,
           counts: Counts, frame: HeadFrame) -> None:
    """Write `units` units of one image row and one group of heads."""
    lanes, extent, vectors = sizes.lanes.value, sizes.extent.value, sizes.vectors.value
    fold, slots, chunk = lanes // sizes.heads.value, extent * extent, vectors * lanes
    number = extent * extent * lanes
    s, scratch = np.empty(units * number, out.dtype), np.empty(chunk, out.dtype)
    own, near = np.empty(units * fold, np.int64), np.empty(units * fold, np.int64)
    entries = np.empty(units * fold, np.int64)
    batch, i = line // frame.height, line % frame.height
    border = 0 if frame.shift else frame.before
    top = first_slot(i, frame.height, extent, frame)
    first = 0 if frame.shift else max(0, frame.before - i)
    last = extent if frame.shift else min(extent, frame.height + frame.before - i)
    row_entry = top - i + extent - 1 if frame.shift else 0
    for pixel in range(units * fold):
        # A pixel past the image's end is its last.
        j = min(col + pixel, frame.width - 1)
        left = first_slot(j, frame.width, extent, frame)
        own[pixel] = ((batch * frame.rows + i + border) * frame.cols + j + border) * chunk
        near[pixel] = ((batch * frame.rows + top) * frame.cols + left) * chunk
        entries[pixel] = left - j + extent - 1 if frame.shift else 0
    queries = group * chunks * frame.plane
    keys, values = queries + groups * chunks * frame.plane, queries + 2 * groups * chunks \
        * frame.plane
    table = group * frame.entries * chunks * chunk
    tables = row_table[table:], col_table[table:]
    for unit in range(units):
        pixel = unit * fold
        add_position(s, unit * number, qkv[queries:], own[pixel:], tables, row_entry,
                     entries[pixel:], chunks, terms, sizes, frame)
    for part in range(chunks if terms.content else 0):
        plane = part * frame.plane
        for unit in range(units):
            pixel = unit * fold
            add_content(s, unit * number, qkv[queries + plane:], own[pixel:], qkv[keys + plane:],
                        near[pixel:], first, last, terms.factor, sizes, frame)
    for unit in range(units):
        if frame.exclude:
            for pixel in range(fold):
                exclude(s, unit * number + pixel * counts.heads, i,
                        min(col + unit * fold + pixel, frame.width - 1), counts, frame)
        normalize(s, unit * number, slots, sizes)
    for part in range(chunks):
        for pixel in range(units * fold):
            j = col + pixel
            if j < frame.width:
                row = mix(s, pixel // fold * number, pixel % fold, qkv,
                          values + part * frame.plane + near[pixel], first, last, sizes, frame)
                put(out, line * frame.width + j, group * chunks + part, chunks, row, scratch,
                    after, sizes, counts)


@kernel
def head_attention_kernel(out: Any, qkv: Any, row_table: Any, col_table: Any, chunks: int,
                          groups: int, units: int, terms: Logits, after: Output, sizes: Sizes,
                          counts: Counts, frame: HeadFrame) -> None:
    """Write every pixel of `out`, flat (batch, height, width, channels)."""
    step = units * (sizes.lanes.value // sizes.heads.value)
    across = (frame.width + step - 1) // step
    for index in prange(frame.batch * frame.height * groups * across):
        task = signed(index)
        col, group = task % across * step, task // across % groups
        pixels = min(step, frame.width - col)
        fold = sizes.lanes.value // sizes.heads.value
        attend(task // across // groups, col, (pixels + fold - 1) // fold, group, out, qkv,
               row_table, col_table, chunks, groups, terms, after, sizes, counts, frame)
