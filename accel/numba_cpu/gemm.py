"""The matrix product's kernel: tiles of output pixels and channels, whose sums live in registers.

axis     meaning                                        memory
pixel    batch, rows, columns of the output             x and out: the strides of Walk
tap      kernel row and, in it, columns x channels      x: segments of contiguous numbers
lane     one panel of output channels                   contiguous in the packed weights

A tile is a few pixels by one panel. Every tap loads a panel's weights once for all its pixels
and one number of each pixel for the whole panel: with as many sums as there are registers, that
keeps the multipliers busy without copying x. A task is a block of pixels and some panels.
"""

from typing import Any, NamedTuple

import numpy as np

from .jit import helper, inlined, kernel, prange, signed
from .scratch import scratch
from .vector_rows import loads, rectified, splats, stores
from .vector_tiles import add_outers, plus_columns, plus_loaded, store_tile
from .vectors import prefetch, take

PIECE = 256  # taps whose weights stay in the first cache together
UNROLLED = 4  # taps


class Tile(NamedTuple):
    """What kernels are compiled for: Constants.

    lanes             of a vector
    rows, columns     pixels, and vectors of a panel; vectors: the tile's
    unrolled, single  numbers of taps at a time
    """

    lanes: Any
    rows: Any
    columns: Any
    vectors: Any
    unrolled: Any
    single: Any


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
def locate(first: int, sources: Any, targets: Any, walk: Walk) -> int:
    """Write where the pixels from `first` are, and give their number; past it they are the last."""
    count = min(sources.size, walk.batch * walk.height * walk.width - first)
    col, line = first % walk.width, first // walk.width
    row, batch = line % walk.height, line // walk.height
    source, target = 0, 0
    for n in range(sources.size):
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


@inlined
def add_runs(sums: Any, x: Any, at: Any, first: int, segments: int, taps: int, weights: Any,
             place: int, shape: Tile, walk: Walk) -> Any:
    """Add `taps` taps of every one of `segments`: a tile's pixels times the panel's weights.

    first, place  the first of them, in every pixel's numbers and in the weights
    """
    wide = shape.lanes.value * shape.columns.value
    for segment in range(segments):
        start, weight = first + segment * walk.by_segment, place + segment * walk.taps * wide
        even = taps // UNROLLED * UNROLLED
        for offset in range(0, even, UNROLLED):
            sums = add_outers(sums, x, at, start + offset, weights, weight + offset * wide,
                              shape.unrolled)
        for offset in range(even, taps):
            sums = add_outers(sums, x, at, start + offset, weights, weight + offset * wide,
                              shape.single)
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


@inlined
def finish(out: Any, to: Any, sums: Any, bias: int, shape: Tile, after: Epilogue) -> None:
    """Write a tile: sums + bias + residual, then ReLU when asked; NaN passes it."""
    sums = plus_columns(sums, loads(shape.lanes, after.bias, bias, shape.lanes.value,
                                    shape.columns))
    if after.residual.size > 0:
        sums = plus_loaded(sums, after.residual, to)
    if after.relu:
        sums = rectified(sums)
    store_tile(out, to, sums)


@helper
def write_panel(panel: int, pixels: int, sources: Any, targets: Any, partial: Any, out: Any,
                x: Any, weights: Any, panels: Any, shape: Tile, after: Epilogue,
                walk: Walk) -> None:
    """Write one panel's channels of a block of pixels.

    Taps come piece by piece: a piece's weights stay in the first cache for all the block's tiles,
    whose sums wait in `partial`.
    """
    tap, channel, count = panels[panel * 3], panels[panel * 3 + 1], panels[panel * 3 + 2]
    lanes, rows = shape.lanes.value, shape.rows.value
    wide = lanes * shape.columns.value
    place = panel * walk.segments * walk.taps * wide
    starts, together = np.empty(rows, np.int64), max(1, PIECE // walk.taps)
    for segment in range(0, walk.segments, together):
        for piece in range(0, walk.taps, PIECE):
            last = segment + together >= walk.segments and piece + PIECE >= walk.taps
            taps, runs = min(PIECE, walk.taps - piece), min(together, walk.segments - segment)
            here = place + (segment * walk.taps + piece) * wide
            for first in range(0, pixels, rows):
                # Where the tile is written is on its way while it is computed.
                for row in range(rows):
                    starts[row] = targets[first + row] + channel
                    if last:
                        prefetch(out, starts[row])
                        prefetch(after.residual, starts[row])
                at, waiting = take(sources, first, shape.rows), first * wide
                if segment + piece == 0:
                    sums = splats(shape.lanes, x.dtype.type(0), shape.vectors)
                else:
                    sums = loads(shape.lanes, partial, waiting, lanes, shape.vectors)
                sums = add_runs(sums, x, at, tap + segment * walk.by_segment + piece, runs, taps,
                                weights, here, shape, walk)
                if not last or count < wide:
                    stores(partial, waiting, lanes, sums)
                else:
                    finish(out, take(starts, 0, shape.rows), sums, panel * wide, shape, after)
    if count < wide:
        for pixel in range(pixels):
            finish_part(out, targets[pixel] + channel, partial, pixel * wide, panel * wide, count,
                        after)


@kernel
def gemm_kernel(out: Any, x: Any, weights: Any, panels: Any, bias: Any, residual: Any, relu: bool,
                shape: Tile, block: int, group: int, walk: Walk) -> None:
    """Write every number of `out`; a task is `block` pixels, whole tiles, and `group` panels."""
    after = Epilogue(bias, residual, relu)
    total = walk.batch * walk.height * walk.width
    blocks, count = (total + block - 1) // block, panels.size // 3
    groups = (count + group - 1) // group
    apart = weights.size > total * walk.segments * walk.taps
    for index in prange(blocks * groups):
        task = signed(index)
        # Threads take neighbouring tasks: the larger of the two is shared out among them.
        number, part = (task % blocks, task // blocks) if apart else (task // groups, task % groups)
        first = part * group
        sources, targets = np.empty(block, np.int64), np.empty(block, np.int64)
        partial = scratch(block * shape.lanes.value * shape.columns.value, out)
        pixels = locate(number * block, sources, targets, walk)
        for panel in range(first, min(first + group, count)):
            write_panel(panel, pixels, sources, targets, partial, out, x, weights, panels, shape,
                        after, walk)
