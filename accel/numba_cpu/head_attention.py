"""Attention over a window with heads as lanes: head_layout.py says how everything lies.

A strip is a few units (head_logits.py) of one image row and one group of heads. It goes chunk by
chunk of the depth, so that the window of one chunk stays in the first cache for all its units.
"""

from typing import Any, NamedTuple

import numpy as np

from .head_layout import HeadFrame
from .head_logits import Counts, Logits, Sizes, add_content, add_position
from .jit import helper, inlined, kernel, prange, signed
from .scratch import scratch
from .sharing import next_task, none_taken
from .vector_exp import scaled_powers
from .vector_rows import (
    add_both,
    add_products,
    largest_parts,
    loads,
    plus,
    plus_row,
    rectified,
    splats,
    stores,
    summed,
    summed_parts,
    transposed,
)
from .vectors import larger, load, span, splat, spread, store

PIXELS = 8  # of a strip; even, for they are mixed two at a time


class Output(NamedTuple):
    """What follows, and how it is stored.

    relu      whether what is negative becomes zero
    arranged  whether channels stay where they are; otherwise they go to (heads, depth)
    depth, channels  of the output
    """

    relu: bool
    arranged: bool
    depth: int
    channels: int


@inlined
def first_slot(at: int, size: int, extent: int, frame: HeadFrame) -> int:
    """The window's first row or column, in the image with its border."""
    if frame.shift:
        return min(max(at - frame.before, 0), size - extent)
    return at


@inlined
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


@inlined
def normalize(s: Any, unit: int, slots: int, group: Any, own: Any, sizes: Sizes) -> None:
    """Replace a unit's logits by probabilities, lane by lane: ATT-4.

    group  slots whose powers are taken together, a Constant that divides their number: so many
           chains of operations keep the multipliers busy
    own    lanes of one slot, a Constant: where a vector holds several, one softmax is of them all
    A lane that holds NaN or +inf becomes NaN throughout: whatever the maximum is then, a
    difference is NaN, and the power passes it on.
    """
    lanes, number = sizes.lanes.value, s.dtype.type
    peak = load(sizes.lanes, s, unit)
    for slot in range(1, slots):
        peak = larger(load(sizes.lanes, s, unit + slot * lanes), peak)
    peak = largest_parts((peak,), own)[0]
    total = splat(sizes.lanes, number(0))
    lowered = total - peak
    for slot in range(0, slots, group.value):
        place = unit + slot * lanes
        weights = scaled_powers(plus(loads(sizes.lanes, s, place, lanes, group), lowered))
        stores(s, place, lanes, weights)
        total = total + summed(weights)
    # Before the mixture: a sum of weighted values could overflow where their mean cannot. The
    # weights and their sum are scaled alike.
    share = splat(sizes.lanes, number(1)) / summed_parts((total,), own)[0]
    for slot in range(slots):
        place = unit + slot * lanes
        store(s, place, load(sizes.lanes, s, place) * share)


@inlined
def mix(s: Any, one: int, two: int, value: Any, near: int, lag: int, first: int,
        last: int, sizes: Sizes, frame: HeadFrame) -> Any:
    """Some vectors of two pixels' outputs: the values of every slot, times their probabilities.

    one, two  first probability of each pixel's first slot
    near      first number of the first pixel's window; the other's begins `lag`, 0 or 1, columns on
    """
    lanes, extent = sizes.lanes.value, sizes.extent.value
    step = sizes.vectors.value * lanes
    out = splats(sizes.lanes, s.dtype.type(0), sizes.mixed)
    beside = out
    for row in range(first, last):
        place, slot = near + row * frame.pitch, row * extent * lanes
        p, q = one + slot, two + slot
        # Columns that both windows have are read once for both.
        if lag == 1:
            out = add_products(out, spread(sizes.lanes, s, p, sizes.heads), value, place, lanes)
        for col in range(lag, extent):
            x = spread(sizes.lanes, s, p + col * lanes, sizes.heads)
            y = spread(sizes.lanes, s, q + (col - lag) * lanes, sizes.heads)
            out, beside = add_both(out, beside, x, y, value, place + col * step)
        if lag == 1:
            y = spread(sizes.lanes, s, q + (extent - 1) * lanes, sizes.heads)
            beside = add_products(beside, y, value, place + extent * step, lanes)
    return out, beside


@inlined
def put(out: Any, pixel: int, place: int, row: Any, bias: Any, scratch: Any, start: int,
        after: Output, sizes: Sizes) -> None:
    """Write some vectors of one pixel that begin at a place: + bias, then ReLU when asked.

    bias     flat, by place
    scratch  where the pixel's chunk waits, from `start` on, for `put_back`; unless channels stay
    """
    lanes = sizes.lanes.value
    row = plus_row(row, loads(sizes.lanes, bias, place, lanes, sizes.mixed))
    if after.relu:
        row = rectified(row)
    if after.arranged:
        stores(out, pixel * after.channels + place, lanes, row)
    else:
        stores(scratch, start + place % (sizes.vectors.value * lanes), lanes, row)


@inlined
def put_back(out: Any, target: int, scratch: Any, start: int, depths: int, depth: int,
             sizes: Sizes) -> None:
    """Write one chunk of one group of heads, (depth, head) from `start` on, as (head, depth)."""
    heads = sizes.heads.value
    square = depths // heads * heads
    for d in range(0, square, heads):
        rows = transposed(loads(sizes.heads, scratch, start + d * heads, heads, sizes.heads))
        stores(out, target + d, depth, rows)
    for d in range(square, depths):
        for head in range(heads):
            out[target + head * depth + d] = scratch[start + d * heads + head]


@inlined
def attend(line: int, col: int, units: int, group: int, out: Any, qkv: Any, row_table: Any,
           col_table: Any, bias: Any, s: Any, waiting: Any, parts: Any, own: Any, near: Any,
           entries: Any, chunks: int, groups: int, terms: Logits, after: Output, sizes: Sizes,
           counts: Counts, frame: HeadFrame) -> None:
    """Write `units` units of one image row and one group of heads."""
    lanes, extent, vectors = sizes.lanes.value, sizes.extent.value, sizes.vectors.value
    fold, slots, chunk = lanes // sizes.heads.value, extent * extent, vectors * lanes
    number = extent * extent * lanes
    batch, i = line // frame.height, line % frame.height
    border = 0 if frame.shift else frame.before
    top = first_slot(i, frame.height, extent, frame)
    first = 0 if frame.shift else max(0, frame.before - i)
    last = extent if frame.shift else min(extent, frame.height + frame.before - i)
    queries = group * chunks * frame.plane
    keys, values = queries + groups * chunks * frame.plane, queries + 2 * groups * chunks \
        * frame.plane
    table = group * frame.entries * counts.numbers
    row_entry = table + (top - i + extent - 1 if frame.shift else 0) * counts.numbers
    for pixel in range(units * fold):
        # A pixel past the image's end is its last.
        j = min(col + pixel, frame.width - 1)
        left = first_slot(j, frame.width, extent, frame)
        own[pixel] = queries + ((batch * frame.rows + i + border) * frame.cols + j + border) * chunk
        near[pixel] = ((batch * frame.rows + top) * frame.cols + left) * chunk
        entries[pixel] = table + (left - j + extent - 1 if frame.shift else 0) * counts.numbers
    for unit in range(units):
        add_position(s, unit * number, parts, qkv, own, unit * fold, row_table, col_table,
                     row_entry, entries, terms, counts, sizes, frame)
    for part in range(chunks if terms.content else 0):
        for unit in range(units):
            add_content(s, unit * number, waiting, qkv, own, keys + part * frame.plane, near,
                        unit * fold, first, last, terms.factor, sizes, frame)
        for pixel in range(units * fold):
            own[pixel] += frame.plane
    for unit in range(units):
        if frame.exclude:
            for pixel in range(fold):
                exclude(s, unit * number + pixel * counts.heads, i,
                        min(col + unit * fold + pixel, frame.width - 1), counts, frame)
        normalize(s, unit * number, slots, sizes.extent, sizes.lanes, sizes)
    for part in range(chunks):
        block, depths = group * chunks + part, min(counts.depths,
                                                   after.depth - part * counts.depths)
        head = group * counts.heads * after.depth + part * counts.depths
        for pixel in range(0, units * fold, 2):
            lag = (near[pixel + 1] - near[pixel]) // chunk
            p = pixel // fold * number + pixel % fold * counts.heads
            q = (pixel + 1) // fold * number + (pixel + 1) % fold * counts.heads
            window = values + part * frame.plane + near[pixel]
            target, both = line * frame.width + col + pixel, col + pixel + 1 < frame.width
            for vector in range(0, vectors, sizes.mixed.value):
                one, two = mix(s, p, q, qkv, window + vector * lanes, lag, first, last, sizes,
                               frame)
                place = block * chunk + vector * lanes
                put(out, target, place, one, bias, waiting, 0, after, sizes)
                if both:
                    put(out, target + 1, place, two, bias, waiting, chunk, after, sizes)
            if not after.arranged:
                for n in range(2 if both else 1):
                    put_back(out, (target + n) * after.channels + head, waiting, n * chunk, depths,
                             after.depth, sizes)


@helper
def attend_strips(line: int, first: int, last: int, units: int, group: int, out: Any, qkv: Any,
                  row_table: Any, col_table: Any, bias: Any, s: Any, waiting: Any, parts: Any,
                  own: Any, near: Any, entries: Any, chunks: int, groups: int, terms: Logits,
                  after: Output, sizes: Sizes, counts: Counts, frame: HeadFrame) -> None:
    """Write the strips `first` to `last` of one image row, `units` units each."""
    fold = sizes.lanes.value // sizes.heads.value
    for strip in range(first, last):
        col = strip * units * fold
        pixels = min(units * fold, frame.width - col)
        attend(line, col, (pixels + 1) // 2 * 2 // fold, group, span(out), span(qkv),
               span(row_table), span(col_table), span(bias), span(s), span(waiting), span(parts),
               span(own), span(near), span(entries), chunks, groups, terms, after, sizes, counts,
               frame)


@kernel
def head_attention_kernel(out: Any, qkv: Any, row_table: Any, col_table: Any, bias: Any,
                          chunks: int, groups: int, units: int, run: int, terms: Logits,
                          after: Output, sizes: Sizes, counts: Counts, frame: HeadFrame,
                          threads: int) -> None:
    """Write every pixel of `out`, flat (batch, height, width, channels).

    A task is `run` strips of one image row and group of heads, `units` units each.
    threads  THREADS of sharing.py
    """
    lanes, chunk = sizes.lanes.value, sizes.vectors.value * sizes.lanes.value
    pixels = units * (lanes // sizes.heads.value)
    strips = (frame.width + pixels - 1) // pixels
    across = (strips + run - 1) // run
    tasks, taken = frame.batch * frame.height * groups * across, none_taken(threads)
    for thread in prange(threads):
        s = scratch(units * counts.extent * counts.extent * lanes, out)
        waiting, parts = scratch(2 * chunk, out), scratch(counts.extent * lanes, out)
        own, near, entries = (np.empty(pixels, np.int64), np.empty(pixels, np.int64),
                              np.empty(pixels, np.int64))
        task = next_task(signed(thread), taken, tasks)
        while task < tasks:
            first, group = task % across * run, task // across % groups
            attend_strips(task // across // groups, first, min(first + run, strips), units, group,
                          out, qkv, row_table, col_table, bias, s, waiting, parts, own, near,
                          entries, chunks, groups, terms, after, sizes, counts, frame)
            task = next_task(signed(thread), taken, tasks)
