"""An attention stem from its image to its pooled output, heads as lanes: STEM-2, STEM-3, STEM-7.

A block's pixels see only each other, so that everything between the image and the block's one
output stays in the first cache: queries, keys and values, logits, outputs, of which the pool takes
the largest. block_attention.py is the path for other numbers of heads.

axis     meaning                                  memory, in the scratch of one task
slot     pixels of the block, row by row          stride VECTORS chunks lanes
vector   depth, filled up to whole chunks         stride lanes
lane     heads                                    contiguous
"""

from typing import Any, NamedTuple

import numpy as np

from .arrays import Floats
from .head_attention import normalize, put_back
from .head_logits import Sizes
from .jit import helper, inlined, kernel, prange, signed
from .plan import Array, Plan
from .vector_exp import LOG2E
from .vector_rows import add_products, loads, maximum, plus_row, splats, stores, times
from .vector_types import Constant
from .vectors import load, span, splat

VECTORS = 8  # of a chunk: sums that are computed together
HEADS = (4, 8, 16)


class StemWeights(NamedTuple):
    """Projections with heads as lanes.

    query, key  flat (channels_in, vectors, lanes)
    value       flat (window, window, channels_in, vectors, lanes); empty where values are given
    bias        flat (vectors, lanes)
    depth       of a head; vectors: of a pixel
    heads       the lanes of a vector
    """

    query: Floats
    key: Floats
    value: Floats
    bias: Floats
    depth: int
    vectors: int
    heads: int


class StemBlocks(NamedTuple):
    """Sizes of one call; given: numbers of the values, none where the weights have matrices."""

    batch: int
    height: int
    width: int
    taps: int
    window: int
    depth: int
    vectors: int
    given: int


def lanes_last(w: Floats, heads: int) -> Floats:
    """Flat (..., vectors, heads) of (..., heads depth): depths first, filled up to whole chunks."""
    depth = w.shape[-1] // heads
    out = np.zeros((*w.shape[:-1], -(-depth // VECTORS) * VECTORS, heads), w.dtype)
    out[..., :depth, :] = w.reshape(*w.shape[:-1], heads, depth).swapaxes(-1, -2)
    return out.reshape(-1)


@inlined
def project(out: Any, place: int, image: Any, pixel: int, weights: Any, first: int, factor: Any,
            sizes: Sizes, blocks: StemBlocks) -> None:
    """Write one pixel times a matrix that begins at `first`, times a factor."""
    lanes = sizes.lanes.value
    for vector in range(0, blocks.vectors, sizes.vectors.value):
        row = splats(sizes.lanes, out.dtype.type(0), sizes.vectors)
        for tap in range(blocks.taps):
            row = add_products(row, splat(sizes.lanes, image[pixel * blocks.taps + tap]), weights,
                               first + (tap * blocks.vectors + vector) * lanes, lanes)
        stores(out, place + vector * lanes, lanes, times(row, splat(sizes.lanes, factor)))


@inlined
def project_block(qkv: Any, image: Any, values: Any, query: Any, key: Any, value: Any, first: int,
                  rows: int, cols: int, part: int, sizes: Sizes, blocks: StemBlocks) -> None:
    """Write the block's queries, keys and values, each from a multiple of `part` on."""
    number, one = blocks.vectors * sizes.lanes.value, qkv.dtype.type(1)
    # Probabilities are powers of two of the logits.
    log2e = qkv.dtype.type(LOG2E)
    for slot in range(rows * cols):
        row, col = slot // cols, slot % cols
        pixel, place = first + row * blocks.width + col, slot * number
        project(qkv, place, image, pixel, query, 0, log2e, sizes, blocks)
        project(qkv, part + place, image, pixel, key, 0, one, sizes, blocks)
        if blocks.given == 0:
            matrix = (row * blocks.window + col) * blocks.taps * number
            project(qkv, 2 * part + place, image, pixel, value, matrix, one, sizes, blocks)
        else:
            for n in range(number):
                qkv[2 * part + place + n] = values[pixel * number + n]


@inlined
def weigh_block(s: Any, qkv: Any, query: int, keys: int, slots: int, sizes: Sizes,
                blocks: StemBlocks) -> None:
    """Write one query's probabilities, (slot, lane); slots come in eights, the last ones unread."""
    lanes, eight = sizes.lanes.value, sizes.vectors.value
    number = blocks.vectors * lanes
    for slot in range(0, slots, eight):
        row = splats(sizes.lanes, s.dtype.type(0), sizes.vectors)
        for vector in range(blocks.vectors):
            q = load(sizes.lanes, qkv, query + vector * lanes)
            row = add_products(row, q, qkv, keys + slot * number + vector * lanes, number)
        stores(s, slot * lanes, lanes, row)
    normalize(s, 0, slots, sizes)


@inlined
def pool_query(best: Any, s: Any, qkv: Any, values: int, slots: int, whole: bool, sizes: Sizes,
               blocks: StemBlocks) -> None:
    """Raise the block's output, (vector, lane), to one query's; replace it when `whole`."""
    lanes = sizes.lanes.value
    for vector in range(0, blocks.vectors, sizes.vectors.value):
        row = splats(sizes.lanes, s.dtype.type(0), sizes.vectors)
        for slot in range(slots):
            p = load(sizes.lanes, s, slot * lanes)
            place = values + (slot * blocks.vectors + vector) * lanes
            row = add_products(row, p, qkv, place, lanes)
        if not whole:
            row = maximum(row, loads(sizes.lanes, best, vector * lanes, lanes, sizes.vectors))
        stores(best, vector * lanes, lanes, row)


@inlined
def attend_block(out: Any, target: int, image: Any, values: Any, query: Any, key: Any, value: Any,
                 bias: Any, qkv: Any, s: Any, best: Any, first: int, rows: int, cols: int,
                 part: int, sizes: Sizes, blocks: StemBlocks) -> None:
    """Write one pixel of the output: the largest of a block of rows x cols pixels."""
    lanes = sizes.lanes.value
    project_block(qkv, image, values, query, key, value, first, rows, cols, part, sizes, blocks)
    for slot in range(rows * cols):
        weigh_block(s, qkv, slot * blocks.vectors * lanes, part, rows * cols, sizes, blocks)
        pool_query(best, s, qkv, 2 * part, rows * cols, slot == 0, sizes, blocks)
    for vector in range(0, blocks.vectors, sizes.vectors.value):
        row = loads(sizes.lanes, best, vector * lanes, lanes, sizes.vectors)
        shift = loads(sizes.lanes, bias, vector * lanes, lanes, sizes.vectors)
        stores(best, vector * lanes, lanes, plus_row(row, shift))
    put_back(out, target, best, 0, blocks.depth, blocks.depth, sizes)


@helper
def attend_line(line: int, out: Any, image: Any, values: Any, query: Any, key: Any, value: Any,
                bias: Any, qkv: Any, s: Any, best: Any, part: int, sizes: Sizes,
                blocks: StemBlocks) -> None:
    """Write one row of the output."""
    window = blocks.window
    down, across = (blocks.height + window - 1) // window, (blocks.width + window - 1) // window
    i = line % down * window
    rows = min(window, blocks.height - i)
    for block in range(across):
        j = block * window
        cols = min(window, blocks.width - j)
        attend_block(span(out), (line * across + block) * sizes.lanes.value * blocks.depth,
                     span(image), span(values), span(query), span(key), span(value), span(bias),
                     span(qkv), span(s), span(best),
                     (line // down * blocks.height + i) * blocks.width + j, rows, cols, part,
                     sizes, blocks)


@kernel
def stem_kernel(out: Any, image: Any, values: Any, query: Any, key: Any, value: Any, bias: Any,
                sizes: Sizes, blocks: StemBlocks) -> None:
    """Write every pixel of `out`, flat (batch, block rows, block cols, heads, depth)."""
    window, lanes, eight = blocks.window, sizes.lanes.value, sizes.vectors.value
    down, number = (blocks.height + window - 1) // window, blocks.vectors * lanes
    slots = (window * window + eight - 1) // eight * eight
    for index in prange(blocks.batch * down):
        qkv, s = np.zeros(3 * slots * number, out.dtype), np.empty(slots * lanes, out.dtype)
        best = np.empty(number, out.dtype)
        attend_line(signed(index), out, image, values, query, key, value, bias, qkv, s, best,
                    slots * number, sizes, blocks)


def attend_blocks(plan: Plan, out: Array, images: Array, shape: tuple[int, ...],
                  weights: StemWeights, values: Array, window: int) -> None:
    """Write (batch, ceil(height / window), ceil(width / window), channels): the pooled outputs.

    images  flat (batch, height, width, channels_in), of that shape
    values  flat (batch, height, width, vectors, lanes); empty where the weights have matrices
    """
    batch, height, width, taps = shape
    sizes = Sizes(*map(Constant, (weights.heads, weights.heads, VECTORS, 1, VECTORS)))
    plan.launch(stem_kernel, out, images, values, weights.query, weights.key, weights.value,
                weights.bias, sizes,
                StemBlocks(batch, height, width, taps, window, weights.depth, weights.vectors,
                           values.size))
