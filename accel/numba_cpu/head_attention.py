"""Attention over a window with heads as lanes: head_layout.py says how everything lies.

A unit is as many pixels as a vector holds depths, `fold`: one, or two whose sums are folded into
one vector, so that logits and probabilities are (slot, lane) rows of full vectors. A task is a few
units of one image row and one group of heads; it goes chunk by chunk of the depth, so that the
window of one chunk stays in the first cache for all its units.

axis     meaning                                        memory, in a task's scratch
unit     pixels side by side                            stride slots lanes
slot     slots of the window, row by row                stride lanes
lane     pixels of the unit, in each the heads          contiguous
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from .head_layout import HeadFrame
from .jit import helper, kernel, prange, signed
from .vector_exp import exponential
from .vectors import (
    add_products,
    folded,
    larger,
    load,
    loads,
    plus,
    plus_row,
    rectified,
    splat,
    splats,
    spread,
    store,
    stores,
    times,
)

UNITS = 4  # of a task whose depth has several chunks


class Sizes(NamedTuple):
    """What kernels are compiled for: Constants.

    lanes, heads, vectors  of head_layout.HeadLanes
    extent                 of the window
    """

    lanes: Any
    heads: Any
    vectors: Any
    extent: Any


class Counts(NamedTuple):
    """Some of the same numbers for loops that are not worth unrolling.

    depths  of a chunk
    """

    lanes: int
    heads: int
    extent: int
    depths: int


class Logits(NamedTuple):
    """What a logit is made of: factor q . k + position_factor (row + col).

    content, position  whether the term exists
    row_first, row_last, col_first, col_last  vectors of the queries that meet the tables
    """

    content: bool
    factor: Any
    position: bool
    position_factor: Any
    row_first: int
    row_last: int
    col_first: int
    col_last: int


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
def meet_table(row: Any, query: Any, place: int, table: Any, entry: int, first: int, last: int,
               chunks: int, sizes: Sizes, frame: HeadFrame) -> Any:
    """Add the products of one pixel's queries with `extent` entries of a table."""
    lanes, vectors = sizes.lanes.value, sizes.vectors.value
    step = chunks * vectors * lanes
    for vector in range(first, last):
        q = load(sizes.lanes, query, place + vector // vectors * frame.plane
                 + vector % vectors * lanes)
        row = add_products(row, q, table, entry * step + vector * lanes, step)
    return row


@helper
def position_rows(query: Any, own: int, tables: Any, row_entry: int, col_entry: int, chunks: int,
                  terms: Logits, sizes: Sizes, frame: HeadFrame) -> Any:
    """One pixel's logits by row and by column of its window; zero without a position."""
    rows = splats(sizes.lanes, query.dtype.type(0), sizes.extent)
    cols = rows
    if terms.position:
        rows = meet_table(rows, query, own, tables[0], row_entry, terms.row_first, terms.row_last,
                          chunks, sizes, frame)
        cols = meet_table(cols, query, own, tables[1], col_entry, terms.col_first, terms.col_last,
                          chunks, sizes, frame)
    return rows, cols


@helper
def start_logits(s: Any, unit: int, rows: Any, cols: Any, terms: Logits, sizes: Sizes) -> None:
    """Write a unit's logits without their content, row + column."""
    lanes, extent = sizes.lanes.value, sizes.extent.value
    factor = splat(sizes.lanes, terms.position_factor)
    parts = np.empty(extent * lanes, s.dtype)
    stores(parts, 0, lanes, times(rows, factor))
    cols = times(cols, factor)
    for row in range(extent):
        stores(s, unit + row * extent * lanes, lanes,
               plus(cols, load(sizes.lanes, parts, row * lanes)))


@helper
def content_of_one(s: Any, unit: int, query: Any, own: Any, key: Any, near: Any, first: int,
                   last: int, factor: Any, sizes: Sizes, frame: HeadFrame) -> None:
    """Add one chunk of q . k of a unit's one pixel to the rows `first` to `last` of its window.

    Two rows at a time, or the even and the odd vectors of one: so many sums fill the registers.
    """
    lanes, vectors = sizes.lanes.value, sizes.vectors.value
    step, line = vectors * lanes, sizes.extent.value * lanes
    scale = splat(sizes.lanes, factor)
    for row in range(first, last - 1, 2):
        place, here = near[0] + row * frame.pitch, unit + row * line
        one = loads(sizes.lanes, s, here, lanes, sizes.extent)
        two = loads(sizes.lanes, s, here + line, lanes, sizes.extent)
        for vector in range(vectors):
            q = load(sizes.lanes, query, own[0] + vector * lanes) * scale
            one = add_products(one, q, key, place + vector * lanes, step)
            two = add_products(two, q, key, place + frame.pitch + vector * lanes, step)
        stores(s, here, lanes, one)
        stores(s, here + line, lanes, two)
    if (last - first) % 2:
        place, here = near[0] + (last - 1) * frame.pitch, unit + (last - 1) * line
        one = loads(sizes.lanes, s, here, lanes, sizes.extent)
        two = splats(sizes.lanes, s.dtype.type(0), sizes.extent)
        for vector in range(0, vectors, 2):
            q = load(sizes.lanes, query, own[0] + vector * lanes) * scale
            one = add_products(one, q, key, place + vector * lanes, step)
            q = load(sizes.lanes, query, own[0] + (vector + 1) * lanes) * scale
            two = add_products(two, q, key, place + (vector + 1) * lanes, step)
        stores(s, here, lanes, plus_row(one, two))


@helper
def content_of_two(s: Any, unit: int, query: Any, own: Any, key: Any, near: Any, first: int,
                   last: int, factor: Any, sizes: Sizes, frame: HeadFrame) -> None:
    """Do as `content_of_one` for a unit of two pixels."""
    lanes, vectors = sizes.lanes.value, sizes.vectors.value
    step, line = vectors * lanes, sizes.extent.value * lanes
    scale = splat(sizes.lanes, factor)
    for row in range(first, last):
        one = splats(sizes.lanes, s.dtype.type(0), sizes.extent)
        two = splats(sizes.lanes, s.dtype.type(0), sizes.extent)
        for vector in range(vectors):
            place = row * frame.pitch + vector * lanes
            q = load(sizes.lanes, query, own[0] + vector * lanes) * scale
            one = add_products(one, q, key, near[0] + place, step)
            q = load(sizes.lanes, query, own[1] + vector * lanes) * scale
            two = add_products(two, q, key, near[1] + place, step)
        here = unit + row * line
        before = loads(sizes.lanes, s, here, lanes, sizes.extent)
        stores(s, here, lanes, plus_row(before, folded(one, two)))


@helper
def position_of_one(s: Any, unit: int, query: Any, own: Any, tables: Any, row_entry: int,
                    entries: Any, chunks: int, terms: Logits, sizes: Sizes,
                    frame: HeadFrame) -> None:
    """Write the logits of a unit's one pixel without their content."""
    rows, cols = position_rows(query, own[0], tables, row_entry, entries[0], chunks, terms, sizes,
                               frame)
    start_logits(s, unit, rows, cols, terms, sizes)


@helper
def position_of_two(s: Any, unit: int, query: Any, own: Any, tables: Any, row_entry: int,
                    entries: Any, chunks: int, terms: Logits, sizes: Sizes,
                    frame: HeadFrame) -> None:
    """Do as `position_of_one` for a unit of two pixels."""
    rows, cols = position_rows(query, own[0], tables, row_entry, entries[0], chunks, terms, sizes,
                               frame)
    rows_beside, cols_beside = position_rows(query, own[1], tables, row_entry, entries[1], chunks,
                                             terms, sizes, frame)
    start_logits(s, unit, folded(rows, rows_beside), folded(cols, cols_beside), terms, sizes)


def add_position(*args: Any) -> None:
    """Write a unit's logits without their content, for as many pixels as it has."""
    sizes = args[-2]
    one = sizes.lanes.value == sizes.heads.value
    (position_of_one if one else position_of_two)(*args)


def add_content(*args: Any) -> None:
    """Add one chunk of a unit's q . k, for as many pixels as it has."""
    sizes = args[-2]
    one = sizes.lanes.value == sizes.heads.value
    (content_of_one if one else content_of_two)(*args)


def _one_pixel(args: Any) -> bool:
    lanes, heads = args[-2].types[:2]
    return bool(lanes.value == heads.value)


# Chosen when a kernel is compiled: only one of the two becomes part of it.
@overload(add_position)
def _add_position(*args: Any) -> Any:
    def one(*args: Any) -> None:
        position_of_one(*args)

    def two(*args: Any) -> None:
        position_of_two(*args)

    return one if _one_pixel(args) else two


@overload(add_content)
def _add_content(*args: Any) -> Any:
    def one(*args: Any) -> None:
        content_of_one(*args)

    def two(*args: Any) -> None:
        content_of_two(*args)

    return one if _one_pixel(args) else two


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
