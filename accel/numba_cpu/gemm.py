"""The matrix product's kernel: tiles of output pixels and channels, whose sums live in registers.

axis     meaning                                        memory
pixel    batch, rows, columns of the output             x and out: the strides of Walk
tap      kernel row and, in it, columns x channels      x: segments of contiguous numbers
lane     one panel of output channels                   contiguous in the packed weights

A tile is TILE_ROWS pixels by one panel. Every tap loads a panel's weights once for all its pixels
and one number of each pixel for the whole panel: with as many sums as there are registers, that
keeps the multipliers busy without copying x. A task is a block of pixels and some panels.
"""

from typing import Any, NamedTuple

import numpy as np

from .jit import helper, kernel, prange, signed
from .vector_tiles import add_outer, plus_columns, plus_loaded, store_tile
from .vectors import loads, rectified, splats, take

BLOCK = 96  # pixels; a multiple of every tile's


class Walk(NamedTuple):
    """Where the numbers of every output pixel lie in x and in the output.

    batch, height, width      pixels of the output
    by_image, by_row, by_col  in x, from one output pixel's first number to the next one's
    segments, by_segment      runs of taps, and from one run to the next
    taps                      numbers in a run
    to_image, to_row, to_col  in the output, from one pixel's first number to the next one's
    """

    batch: int
    height: int
    width: int
    by_image: int
    by_row: int
    by_col: int
    segments: int
    by_segment: int
    taps: int
    to_image: int
    to_row: int
    to_col: int


class Epilogue(NamedTuple):
    """What follows the sums; flat arrays, empty where there is none.

    bias      by channel, as many as all panels hold
    residual  as the output
    relu      whether what is negative becomes zero
    """

    bias: Any
    residual: Any
    relu: bool


@helper
def locate(block: int, sources: Any, targets: Any, walk: Walk) -> int:
    """Write where the block's pixels are; past the last they are the last. Gives their number."""
    first = block * BLOCK
    count = min(BLOCK, walk.batch * walk.height * walk.width - first)
    col, line = first % walk.width, first // walk.width
    row, batch = line % walk.height, line // walk.height
    source, target = 0, 0
    for n in range(BLOCK):
        if n < count:
            source = batch * walk.by_image + row * walk.by_row + col * walk.by_col
            target = batch * walk.to_image + row * walk.to_row + col * walk.to_col
            col += 1
            if col == walk.width:
                col, row = 0, row + 1
            if row == walk.height:
                row, batch = 0, batch + 1
        sources[n], targets[n] = source, target
    return count


@helper
def sums_of(x: Any, at: Any, tap: int, weights: Any, place: int, lanes: Any, columns: Any,
            tile: Any, walk: Walk) -> Any:
    """Every tap of a tile's pixels times the panel's weights, which begin at `place`."""
    wide = lanes.value * columns.value
    sums = splats(lanes, x.dtype.type(0), tile)
    for segment in range(walk.segments):
        first = tap + segment * walk.by_segment
        for offset in range(walk.taps):
            weight = loads(lanes, weights, place, lanes.value, columns)
            sums = add_outer(sums, x, at, first + offset, weight)
            place += wide
    return sums


@helper
def finish_part(out: Any, target: int, scratch: Any, start: int, bias: int, count: int,
                after: Epilogue) -> None:
    """Write the channels of one pixel that a panel at the end has, one by one."""
    zero = out.dtype.type(0)
    for channel in range(count):
        y = scratch[start + channel] + after.bias[bias + channel]
        if after.residual.size > 0:
            y += after.residual[target + channel]
        out[target + channel] = zero if after.relu and y < zero else y


@helper
def finish(out: Any, to: Any, sums: Any, bias: int, lanes: Any, columns: Any,
           after: Epilogue) -> None:
    """Write a tile: sums + bias + residual, then ReLU when asked; NaN passes it."""
    sums = plus_columns(sums, loads(lanes, after.bias, bias, lanes.value, columns))
    if after.residual.size > 0:
        sums = plus_loaded(sums, after.residual, to)
    if after.relu:
        sums = rectified(sums)
    store_tile(out, to, sums)


@helper
def write_panel(panel: int, pixels: int, sources: Any, targets: Any, out: Any, x: Any,
                weights: Any, panels: Any, lanes: Any, rows: Any, columns: Any, tile: Any,
                after: Epilogue, walk: Walk) -> None:
    """Write one panel's channels of a block of pixels."""
    tap, channel, count = panels[panel * 3], panels[panel * 3 + 1], panels[panel * 3 + 2]
    wide = lanes.value * columns.value
    place = panel * walk.segments * walk.taps * wide
    starts, scratch = np.empty(rows.value, np.int64), np.empty(tile.value * lanes.value, out.dtype)
    for first in range(0, pixels, rows.value):
        at = take(sources, first, rows)
        sums = sums_of(x, at, tap, weights, place, lanes, columns, tile, walk)
        for row in range(rows.value):
            starts[row] = targets[first + row] + channel if count == wide else row * wide
        to = take(starts, 0, rows)
        if count == wide:
            finish(out, to, sums, panel * wide, lanes, columns, after)
        else:
            store_tile(scratch, to, sums)
            for row in range(min(rows.value, pixels - first)):
                finish_part(out, targets[first + row] + channel, scratch, row * wide, panel * wide,
                            count, after)


@kernel
def gemm_kernel(out: Any, x: Any, weights: Any, panels: Any, lanes: Any, rows: Any, columns: Any,
                tile: Any, group: int, after: Epilogue, walk: Walk) -> None:
    """Write every number of `out`; a task is a block of pixels and `group` panels."""
    total = walk.batch * walk.height * walk.width
    blocks, count = (total + BLOCK - 1) // BLOCK, panels.size // 3
    groups = (count + group - 1) // group
    for index in prange(blocks * groups):
        task = signed(index)
        block, first = task // groups, task % groups * group
        sources, targets = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
        pixels = locate(block, sources, targets, walk)
        for panel in range(first, min(first + group, count)):
            write_panel(panel, pixels, sources, targets, out, x, weights, panels, lanes, rows,
                        columns, tile, after, walk)
