"""An attention stem from its image to its pooled output, heads as lanes: STEM-2, STEM-3, STEM-7.

A block's pixels see only each other, so that everything between the image and the block's one
output stays in the first cache: queries, keys and values, logits, outputs, of which the pool takes
the largest. block_attention.py is the path for other numbers of heads.

A slot is a place in the window, whether or not the image has it; a unit is as many slots as a
vector has room for, `parts`: a query meets all of them at once, its heads repeated for each.

axis     meaning                                    memory, in the scratch of one task
unit     slots of the window, row by row            queries and values: stride vectors lanes
vector   depth, filled up to fours                  keys: stride units lanes
lane     slots of the unit, in each the heads       contiguous
"""

from typing import Any, NamedTuple

import numpy as np

from .head_attention import normalize, put_back
from .head_logits import Sizes
from .jit import helper, inlined, kernel, prange, signed
from .plan import Array, Plan
from .scratch import scratch
from .sharing import THREADS, next_task, none_taken
from .stem_weights import FOUR, StemWeights
from .vector_exp import LOG2E
from .vector_rows import (
    add_both,
    add_products,
    loads,
    maximum,
    splats,
    stores,
    summed_parts,
    times,
)
from .vector_types import Constant
from .vectors import load, span, splat, spread, store


class StemBlocks(NamedTuple):
    """Sizes of one call; given: numbers of the values, none where the weights have matrices."""

    batch: int
    height: int
    width: int
    taps: int
    window: int
    depth: int
    vectors: int
    units: int
    given: int


@inlined
def take_block(x: Any, qkv: Any, image: Any, values: Any, first: int, rows: int, cols: int,
               part: int, sizes: Sizes, blocks: StemBlocks) -> None:
    """Write a block's pixels (unit, tap, lane), and values where they are given; zero outside."""
    heads, lanes, slot = sizes.heads.value, sizes.lanes.value, 0
    nothing = splat(sizes.heads, x.dtype.type(0))
    for row in range(blocks.window):
        for col in range(blocks.window):
            pixel, inside = first + row * blocks.width + col, row < rows and col < cols
            unit, lane = slot // (lanes // heads), slot % (lanes // heads) * heads
            place, source = unit * blocks.taps * lanes + lane, pixel * blocks.taps
            for tap in range(blocks.taps):
                store(x, place + tap * lanes, splat(sizes.heads, image[source + tap])
                      if inside else nothing)
            if blocks.given > 0:
                place, source = 2 * part + unit * blocks.vectors * lanes + lane, \
                    pixel * blocks.vectors * heads
                for vector in range(blocks.vectors):
                    store(qkv, place + vector * lanes,
                          load(sizes.heads, values, source + vector * heads)
                          if inside else nothing)
            slot += 1


@inlined
def project(qkv: Any, place: int, step: int, x: Any, pixels: int, weights: Any, first: int,
            factor: Any, sizes: Sizes, blocks: StemBlocks) -> None:
    """Write one unit times a matrix that begins at `first`, times a factor, `step` apart."""
    lanes = sizes.lanes.value
    for vector in range(0, blocks.vectors, FOUR):
        row = splats(sizes.lanes, x.dtype.type(0), sizes.mixed)
        pixel, weight = pixels, first + vector * lanes
        for _ in range(blocks.taps):
            row = add_products(row, load(sizes.lanes, x, pixel), weights, weight, lanes)
            pixel += lanes
            weight += blocks.vectors * lanes
        stores(qkv, place + vector * step, step, times(row, splat(sizes.lanes, factor)))


@inlined
def project_block(qkv: Any, x: Any, query: Any, key: Any, value: Any, part: int, sizes: Sizes,
                  blocks: StemBlocks) -> None:
    """Write the block's queries, keys and values, each from a multiple of `part` on."""
    lanes, one = sizes.lanes.value, x.dtype.type(1)
    number = blocks.vectors * lanes
    # Probabilities are powers of two of the logits.
    log2e = x.dtype.type(LOG2E)
    for unit in range(blocks.units):
        pixels = unit * blocks.taps * lanes
        project(qkv, unit * number, lanes, x, pixels, query, 0, log2e, sizes, blocks)
        project(qkv, part + unit * lanes, blocks.units * lanes, x, pixels, key, 0, one, sizes,
                blocks)
        if blocks.given == 0:
            project(qkv, 2 * part + unit * number, lanes, x, pixels, value,
                    unit * blocks.taps * number, one, sizes, blocks)


@inlined
def weigh_two(s: Any, one: int, two: int, qkv: Any, slot: int, keys: int, sizes: Sizes,
              blocks: StemBlocks) -> None:
    """Write the logits of the queries `slot` and its next, (unit, lane) from `one` and `two` on."""
    lanes, heads = sizes.lanes.value, sizes.heads.value
    parts = lanes // heads
    p = slot // parts * blocks.vectors * lanes + slot % parts * heads
    q = (slot + 1) // parts * blocks.vectors * lanes + (slot + 1) % parts * heads
    for unit in range(0, blocks.units, FOUR):
        row = splats(sizes.lanes, s.dtype.type(0), sizes.mixed)
        beside = row
        for vector in range(blocks.vectors):
            row, beside = add_both(row, beside,
                                   spread(sizes.lanes, qkv, p + vector * lanes, sizes.heads),
                                   spread(sizes.lanes, qkv, q + vector * lanes, sizes.heads),
                                   qkv, keys + (vector * blocks.units + unit) * lanes)
        # The last query of an odd number has nobody beside it, and is written over what is.
        stores(s, two + unit * lanes, lanes, beside)
        stores(s, one + unit * lanes, lanes, row)


@inlined
def leave_out(s: Any, rows: int, cols: int, sizes: Sizes, blocks: StemBlocks) -> None:
    """Take the slots that lie outside the image out of every query's softmax."""
    heads, lanes, window = sizes.heads.value, sizes.lanes.value, blocks.window
    outside = splat(sizes.heads, s.dtype.type(-np.inf))
    for slot in range(blocks.units * (lanes // heads)):
        if slot // window >= rows or slot % window >= cols:
            for query in range(window * window):
                store(s, query * blocks.units * lanes + slot * heads, outside)


@inlined
def pool_two(best: Any, s: Any, one: int, two: int, qkv: Any, values: int, first: bool, last: bool,
             sizes: Sizes, blocks: StemBlocks) -> None:
    """Raise the block's output, (vector, lane), to two queries'; replace it at the first.

    one, two  first probabilities of the queries
    last      whether there is no second one
    """
    lanes = sizes.lanes.value
    for vector in range(0, blocks.vectors, FOUR):
        row = splats(sizes.lanes, s.dtype.type(0), sizes.mixed)
        beside = row
        for unit in range(blocks.units):
            row, beside = add_both(row, beside, load(sizes.lanes, s, one + unit * lanes),
                                   load(sizes.lanes, s, two + unit * lanes), qkv,
                                   values + (unit * blocks.vectors + vector) * lanes)
        row = summed_parts(row, sizes.heads)
        if not last:
            row = maximum(summed_parts(beside, sizes.heads), row)
        if not first:
            row = maximum(row, loads(sizes.lanes, best, vector * lanes, lanes, sizes.mixed))
        stores(best, vector * lanes, lanes, row)


@inlined
def attend_block(out: Any, target: int, image: Any, values: Any, query: Any, key: Any, value: Any,
                 bias: Any, x: Any, qkv: Any, s: Any, best: Any, first: int, rows: int, cols: int,
                 sizes: Sizes, blocks: StemBlocks) -> None:
    """Write one pixel of the output: the largest of a block of rows x cols pixels."""
    lanes, heads, window = sizes.lanes.value, sizes.heads.value, blocks.window
    part, slots = blocks.units * blocks.vectors * lanes, window * window
    line = blocks.units * lanes
    take_block(x, qkv, image, values, first, rows, cols, part, sizes, blocks)
    project_block(qkv, x, query, key, value, part, sizes, blocks)
    # Step by step for all queries: within one, every step waits for the one before.
    for slot in range(0, slots, 2):
        weigh_two(s, slot * line, min(slot + 1, slots - 1) * line, qkv, slot, part, sizes, blocks)
    if rows * cols < blocks.units * (lanes // heads):
        leave_out(s, rows, cols, sizes, blocks)
    for slot in range(slots):
        normalize(s, slot * line, blocks.units, sizes.mixed, sizes.heads, sizes)
    for row in range(rows):
        for col in range(0, cols, 2):
            slot = row * window + col
            pool_two(best, s, slot * line, min(slot + 1, slots - 1) * line, qkv, 2 * part,
                     slot == 0, col + 1 == cols, sizes, blocks)
    for vector in range(blocks.vectors):
        total = load(sizes.heads, best, vector * lanes) + load(sizes.heads, bias, vector * heads)
        store(best, vector * heads, total)
    put_back(out, target, best, 0, blocks.depth, blocks.depth, sizes)


@helper
def attend_line(line: int, out: Any, image: Any, values: Any, query: Any, key: Any, value: Any,
                bias: Any, x: Any, qkv: Any, s: Any, best: Any, sizes: Sizes,
                blocks: StemBlocks) -> None:
    """Write one row of the output."""
    window = blocks.window
    down, across = (blocks.height + window - 1) // window, (blocks.width + window - 1) // window
    i = line % down * window
    rows = min(window, blocks.height - i)
    for block in range(across):
        j = block * window
        cols = min(window, blocks.width - j)
        attend_block(span(out), (line * across + block) * sizes.heads.value * blocks.depth,
                     span(image), span(values), span(query), span(key), span(value), span(bias),
                     span(x), span(qkv), span(s), span(best),
                     (line // down * blocks.height + i) * blocks.width + j, rows, cols, sizes,
                     blocks)


@kernel
def stem_kernel(out: Any, image: Any, values: Any, query: Any, key: Any, value: Any, bias: Any,
                sizes: Sizes, blocks: StemBlocks, threads: int) -> None:
    """Write every pixel of `out`, flat (batch, block rows, block cols, heads, depth).

    threads  THREADS of sharing.py
    """
    window, line = blocks.window, blocks.units * sizes.lanes.value
    down = (blocks.height + window - 1) // window
    tasks, taken = blocks.batch * down, none_taken(threads)
    for thread in prange(threads):
        task = next_task(signed(thread), taken, tasks)
        while task < tasks:
            # Slots that only fill up units stay zero.
            x, qkv = scratch(blocks.taps * line, out), scratch(3 * blocks.vectors * line, out)
            x[:], qkv[:] = 0, 0
            s = scratch(window * window * line, out)
            best = scratch(blocks.vectors * sizes.lanes.value, out)
            attend_line(task, out, image, values, query, key, value, bias, x, qkv, s, best, sizes,
                        blocks)
            task = next_task(signed(thread), taken, tasks)


def attend_blocks(plan: Plan, out: Array, images: Array, shape: tuple[int, ...],
                  weights: StemWeights, values: Array) -> None:
    """Write (batch, ceil(height / window), ceil(width / window), channels): the pooled outputs.

    images  flat (batch, height, width, channels_in), of that shape
    values  flat (batch, height, width, vectors, heads); empty where the weights have matrices
    """
    batch, height, width, taps = shape
    sizes = Sizes(*map(Constant, (weights.lanes, weights.heads, FOUR, 1, FOUR)))
    plan.launch(stem_kernel, out, images, values, weights.query, weights.key, weights.value,
                weights.bias, sizes,
                StemBlocks(batch, height, width, taps, weights.window, weights.depth,
                           weights.vectors, weights.units, values.size), THREADS)
