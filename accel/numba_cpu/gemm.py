"""The matrix product's kernel: tiles of output pixels and channels, whose sums live in registers.

axis     meaning                                        memory
pixel    batch, rows, columns of the output             x and out: the strides of Walk
tap      kernel row and, in it, columns x channels      x: segments of contiguous numbers
lane     one panel of output channels                   contiguous in the packed weights

A tile is a few pixels by one panel. Every tap loads a panel's weights once for all its pixels
and one number of each pixel for the whole panel: with as many sums as there are registers, that
keeps the multipliers busy without copying x. A task is a block of pixels and some panels.

What is read for the first time comes from far away, the pixels with the first panel and the
weights with the first block. The hardware foresees neither well, rows of pixels are too short for
it; so the next tile's pixels, or the next weights, are asked for while a tile is computed.
"""

from typing import Any, NamedTuple

import numpy as np

from .jit import helper, inlined, kernel, prange, signed
from .scratch import scratch
from .sharing import next_task, none_taken
from .vector_rows import loads, rectified, splats, stores
from .vector_tiles import add_outers, plus_columns, plus_loaded, prefetch_rows, store_tile
from .vectors import prefetch, take

PIECE = 256  # taps whose weights stay in the first cache together
UNROLLED = 4  # taps
LINE = 64  # bytes
FEWEST_TAPS = 128  # in a run of them, for something to be asked for
NOTHING, PIXELS, WEIGHTS = 0, 1, 2


class Tile(NamedTuple):
    """What kernels are compiled for: Constants.

    lanes             of a vector
    rows, columns     pixels, and vectors of a panel; vectors: the tile's
    unrolled, single  numbers of taps at a time
    lines             of the next pixels, asked for with so many taps
    """

    lanes: Any
    rows: Any
    columns: Any
    vectors: Any
    unrolled: Any
    single: Any
    lines: Any


class Fetch(NamedTuple):
    """What is asked for before it is read: Constants, for each of which code is compiled."""

    nothing: Any
    pixels: Any
    weights: Any


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
    ahead     what is read where the output is written: the residual, or the output itself
    relu      whether what is negative becomes zero
    """

    bias: Any
    residual: Any
    ahead: Any
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
def add_taps(sums: Any, x: Any, at: Any, start: int, weights: Any, weight: int, taps: int,
             shape: Tile) -> Any:
    """Add `taps` taps: a tile's pixels times the panel's weights.

    start, weight  tap 0, in every pixel's numbers and in the weights
    """
    wide = shape.lanes.value * shape.columns.value
    tap = 0
    # Not ranges: where it knows that few taps are left, the compiler unrolls them and spills sums.
    while tap + UNROLLED <= taps:
        sums = add_outers(sums, x, at, start + tap, weights, weight + tap * wide, shape.unrolled)
        tap += UNROLLED
    while tap < taps:
        sums = add_outers(sums, x, at, start + tap, weights, weight + tap * wide, shape.single)
        tap += 1
    return sums


@inlined
def add_and_fetch_pixels(sums: Any, x: Any, at: Any, start: int, weights: Any, weight: int,
                         taps: int, shape: Tile, sources: Any, first: int) -> Any:
    """Add `taps` taps, a multiple of UNROLLED, and ask for those of the next tile's pixels.

    first  the first of these, in `sources`
    """
    wide, line = shape.lanes.value * shape.columns.value, LINE // x.itemsize
    share = (taps // UNROLLED + shape.rows.value - 1) // shape.rows.value * UNROLLED
    for row in range(shape.rows.value):
        place = sources[first + row] + start
        for tap in range(min(row * share, taps), min((row + 1) * share, taps), UNROLLED):
            for number in range(shape.lines.value):
                prefetch(x, place + number * line)
            place += shape.lines.value * line
            sums = add_outers(sums, x, at, start + tap, weights, weight + tap * wide,
                              shape.unrolled)
    return sums


@inlined
def add_and_fetch_weights(sums: Any, x: Any, at: Any, start: int, weights: Any, weight: int,
                          taps: int, shape: Tile, place: int, step: int) -> Any:
    """Add `taps` taps, a multiple of UNROLLED, and ask for weights: `step` numbers with each few.

    place  the first of these
    """
    wide = shape.lanes.value * shape.columns.value
    for tap in range(0, taps, UNROLLED):
        prefetch(weights, place)
        place += step
        sums = add_outers(sums, x, at, start + tap, weights, weight + tap * wide, shape.unrolled)
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
def finish(out: Any, to: Any, channel: int, sums: Any, bias: int, shape: Tile,
           after: Epilogue) -> None:
    """Write a tile: sums + bias + residual, then ReLU when asked; NaN passes it."""
    sums = plus_columns(sums, loads(shape.lanes, after.bias, bias, shape.lanes.value,
                                    shape.columns))
    if after.residual.size > 0:
        sums = plus_loaded(sums, after.residual, to, channel)
    if after.relu:
        sums = rectified(sums)
    store_tile(out, to, channel, sums)


@helper
def write_panel(panel: int, pixels: int, sources: Any, targets: Any, partial: Any, out: Any,
                x: Any, weights: Any, panels: Any, shape: Tile, ahead: Any, after: Epilogue,
                walk: Walk) -> None:
    """Write one panel's channels of a block of pixels.

    Taps come piece by piece: a piece's weights stay in the first cache for all the block's tiles,
    whose sums wait in `partial`.
    """
    tap, channel, count = panels[panel * 3], panels[panel * 3 + 1], panels[panel * 3 + 2]
    lanes, rows = shape.lanes.value, shape.rows.value
    wide = lanes * shape.columns.value
    place = panel * walk.segments * walk.taps * wide
    together, tiles = max(1, PIECE // walk.taps), (pixels + rows - 1) // rows
    for segment in range(0, walk.segments, together):
        for piece in range(0, walk.taps, PIECE):
            last = segment + together >= walk.segments and piece + PIECE >= walk.taps
            taps, runs = min(PIECE, walk.taps - piece), min(together, walk.segments - segment)
            here = place + (segment * walk.taps + piece) * wide
            coming, step = here + taps * wide, -(-UNROLLED * wide // tiles)
            for first in range(0, pixels, rows):
                if last:
                    # Where the tile is written is on its way while it is computed.
                    to = take(targets, first, shape.rows)
                    prefetch_rows(out, to, channel)
                    prefetch_rows(after.ahead, to, channel)
                at, waiting = take(sources, first, shape.rows), first * wide
                if segment + piece == 0:
                    sums = splats(shape.lanes, x.dtype.type(0), shape.vectors)
                else:
                    sums = loads(shape.lanes, partial, waiting, lanes, shape.vectors)
                if ahead.value == PIXELS:
                    sums = add_and_fetch_pixels(sums, x, at, tap + piece, weights, here, taps,
                                                shape, sources, first + rows)
                elif ahead.value == WEIGHTS:
                    sums = add_and_fetch_weights(sums, x, at, tap + piece, weights, here, taps,
                                                 shape, coming, step)
                    coming += taps // UNROLLED * step
                else:
                    for run in range(runs):
                        sums = add_taps(sums, x, at,
                                        tap + (segment + run) * walk.by_segment + piece, weights,
                                        here + run * walk.taps * wide, taps, shape)
                if not last or count < wide:
                    stores(partial, waiting, lanes, sums)
                else:
                    finish(out, take(targets, first, shape.rows), channel, sums, panel * wide,
                           shape, after)
    if count < wide:
        for pixel in range(pixels):
            finish_part(out, targets[pixel] + channel, partial, pixel * wide, panel * wide, count,
                        after)


@kernel
def gemm_kernel(out: Any, x: Any, weights: Any, panels: Any, bias: Any, residual: Any, relu: bool,
                shape: Tile, fetch: Fetch, block: int, group: int, walk: Walk,
                threads: int) -> None:
    """Write every number of `out`; a task is `block` pixels, whole tiles, and `group` panels.

    threads  THREADS of sharing.py
    """
    after = Epilogue(bias, residual, residual if residual.size > 0 else out, relu)
    total, rows = walk.batch * walk.height * walk.width, shape.rows.value
    blocks, count = (total + block - 1) // block, panels.size // 3
    groups = (count + group - 1) // group
    apart = weights.size > total * walk.segments * walk.taps
    far = walk.segments == 1 and walk.taps >= FEWEST_TAPS and walk.taps % UNROLLED == 0
    tasks, taken = blocks * groups, none_taken(threads)
    for thread in prange(threads):
        # Past the block come the pixels that are read next.
        sources, targets = np.empty(block + rows, np.int64), np.empty(block + rows, np.int64)
        partial = scratch(block * shape.lanes.value * shape.columns.value, out)
        task = next_task(signed(thread), taken, tasks)
        while task < tasks:
            # Neighbouring tasks share the larger of the two.
            number, first = ((task % blocks, task // blocks * group) if apart
                             else (task // groups, task % groups * group))
            pixels = min(block, locate(number * block, sources, targets, walk))
            for panel in range(first, min(first + group, count)):
                if far and panel == 0 and not apart:
                    write_panel(panel, pixels, sources, targets, partial, out, x, weights, panels,
                                shape, fetch.pixels, after, walk)
                elif far and number == 0:
                    write_panel(panel, pixels, sources, targets, partial, out, x, weights, panels,
                                shape, fetch.weights, after, walk)
                else:
                    write_panel(panel, pixels, sources, targets, partial, out, x, weights, panels,
                                shape, fetch.nothing, after, walk)
            task = next_task(signed(thread), taken, tasks)
