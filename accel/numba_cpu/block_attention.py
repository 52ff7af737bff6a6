"""Attention of every pixel to the pixels of its own block: STEM-2, STEM-7.

axis     meaning                                memory, in the scratch of one block and head
slot     pixels of the block, row by row        stride LANES
depth    depth                                  stride LANES
lane     queries of the block, row by row       contiguous

All queries of a block see the same keys, so a key is a number that meets every lane. Blocks with
more than LANES pixels take several strips of queries; blocks at the end of the image are cut.
"""

from typing import Any, NamedTuple

import numpy as np

from .arrays import Floats
from .jit import helper, kernel, prange, signed
from .lanes import LANES, clear, weigh
from .plan import Array, Plan
from .softmax import softmax


class Blocks(NamedTuple):
    """Sizes of one call. Pixel p has head n, depth d at p stride + start + n depth + d."""

    batch: int
    height: int
    width: int
    heads: int
    depth: int
    window: int
    query_start: int
    key_start: int
    stride: int
    value_start: int
    value_stride: int


@helper
def attend_block(out: Any, x: Any, values: Any, bias: Any, head: int, first: int, rows: int,
                 cols: int, blocks: Blocks) -> None:
    """Write one head of one block of rows x cols pixels; `first` is its first pixel."""
    count, depth, channel = rows * cols, blocks.depth, head * blocks.depth
    q, o = np.empty(depth * LANES, out.dtype), np.empty(LANES, out.dtype)
    s, pixels = np.empty(count * LANES, out.dtype), np.empty(count, np.int64)
    near = np.empty(count, out.dtype)
    for slot in range(count):
        pixels[slot] = first + slot // cols * blocks.width + slot % cols
    for strip in range(0, count, LANES):
        lanes = min(LANES, count - strip)
        clear(q, 0, q.size)
        clear(s, 0, s.size)
        for lane in range(lanes):
            source = pixels[strip + lane] * blocks.stride + blocks.query_start + channel
            for d in range(depth):
                q[d * LANES + lane] = x[source + d]
        for slot in range(count):
            source = pixels[slot] * blocks.stride + blocks.key_start + channel
            weigh(s, slot * LANES, q, 0, x, source, 1, depth)
        softmax(s, count)
        for d in range(depth):
            for slot in range(count):
                near[slot] = values[pixels[slot] * blocks.value_stride + blocks.value_start
                                    + channel + d]
            clear(o, 0, LANES)
            weigh(o, 0, s, 0, near, 0, 1, count)
            for lane in range(lanes):
                target = pixels[strip + lane] * blocks.heads * depth + channel + d
                out[target] = o[lane] + bias[channel + d]


@kernel
def block_attention_kernel(out: Any, x: Any, values: Any, bias: Any, blocks: Blocks) -> None:
    """Write every pixel of `out`, flat (batch, height, width, heads, depth)."""
    window = blocks.window
    block_rows = (blocks.height + window - 1) // window
    for index in prange(blocks.batch * block_rows):
        image, i = signed(index) // block_rows, signed(index) % block_rows * window
        for j in range(0, blocks.width, window):
            first = (image * blocks.height + i) * blocks.width + j
            for head in range(blocks.heads):
                attend_block(out, x, values, bias, head, first, min(window, blocks.height - i),
                             min(window, blocks.width - j), blocks)


def block_attention(plan: Plan, out: Array, x: Array, values: Array, bias: Floats,
                    blocks: Blocks) -> None:
    """Write (batch, height, width, heads, depth) of queries and keys x and values; + bias."""
    plan.launch(block_attention_kernel, out, x, values, bias, blocks)
