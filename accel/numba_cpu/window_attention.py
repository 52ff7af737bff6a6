"""Attention over a window, one strip of LANES pixels of one head at a time.

axis     meaning                             memory, in a strip's scratch
slot     slots of the window, row by row     stride LANES
depth    padded with zeros to 4 quads        stride LANES
lane     pixels and the zeros between rows   contiguous

Keys and values come in the padded rows of frame.py, where a slot is the same number of lanes
away from every lane; nothing is copied per slot. A shifted window is the exception: near the
border its slots are elsewhere for every lane, so one slot at a time is gathered into the scratch.
Queries and outputs are channels-last. A strip writes its own pixels and nothing else.
"""

from typing import Any, NamedTuple

import numpy as np

from .frame import EXCLUDE, SHIFT, Frame
from .jit import helper, kernel, prange, signed
from .lanes import LANES, STEP, U, clear, dot_one, dot_two, mix_one, mix_two, weigh
from .sharing import next_task, none_taken
from .softmax import softmax


class Terms(NamedTuple):
    """What a logit is made of: content factor + (row + col) position_factor.

    The factors are numbers of the arrays' dtype; content and position say whether the term exists.
    start, stride: pixel p of the query has head n, depth d at p stride + start + n depth + d.
    """

    content: bool
    factor: Any
    position: bool
    position_factor: Any
    start: int
    stride: int
    relu: bool


@helper
def locate(strip: int, pixels: Any, rows: Any, cols: Any, frame: Frame) -> None:
    """Write every lane's row, column and pixel in the image; a pixel of -1 is none."""
    for lane in range(LANES):
        place = strip * LANES + lane
        i, j = place // frame.pitch, place % frame.pitch
        inside = i < frame.height and j < frame.width
        rows[lane], cols[lane] = (i, j) if inside else (0, 0)
        pixels[lane] = i * frame.width + j if inside else -1


@helper
def load_query(q: Any, query: Any, first: int, stride: int, pixels: Any, frame: Frame) -> None:
    """Write the strip's queries, zero where there is no pixel and past the depth."""
    clear(q, 0, q.size)
    for lane in range(LANES):
        if pixels[lane] >= 0:
            source = first + pixels[lane] * stride
            for d in range(frame.depth):
                q[d * LANES + lane] = query[source + d]


@helper
def first_slot(at: int, size: int, frame: Frame) -> int:
    """Where a shifted window starts along one axis, PAD-3."""
    return min(max(at - frame.before, 0), size - frame.extent)


@helper
def gather(near: Any, image: Any, first: int, slot_row: int, slot_col: int, rows: Any, cols: Any,
           frame: Frame) -> None:
    """Write (4 quads, LANES): every lane's own neighbour in one slot of its shifted window."""
    for lane in range(LANES):
        row = first_slot(rows[lane], frame.height, frame) + slot_row
        col = first_slot(cols[lane], frame.width, frame) + slot_col
        place = first + frame.margin + row * frame.pitch + col
        for d in range(4 * frame.quads):
            near[d * LANES + lane] = image[place + d * frame.lanes]


@helper
def add_content(s: Any, q: Any, key: Any, first: int, frame: Frame) -> None:
    """Add q . k to the logits of every slot."""
    for quad in range(frame.quads):
        for row in range(frame.extent):
            slot = row * frame.extent * LANES
            place = first + quad * 4 * frame.lanes + row * frame.pitch
            for col in range(0, frame.extent - 1, 2):
                dot_two(s, slot + col * LANES, q, quad * 4 * LANES, key, place + col, frame.lanes)
            if frame.extent % 2:
                col = frame.extent - 1
                dot_one(s, slot + col * LANES, q, quad * 4 * LANES, key, place + col, frame.lanes)


@helper
def add_shifted_content(s: Any, q: Any, key: Any, first: int, near: Any, rows: Any, cols: Any,
                        frame: Frame) -> None:
    """Add q . k to the logits of every slot of a shifted window."""
    for slot in range(frame.extent * frame.extent):
        gather(near, key, first, slot // frame.extent, slot % frame.extent, rows, cols, frame)
        for quad in range(frame.quads):
            dot_one(s, slot * LANES, q, quad * 4 * LANES, near, quad * 4 * LANES, LANES)


@helper
def position_part(part: Any, q: Any, table: Any, head: int, low: int, high: int, at: Any,
                  size: int, frame: Frame) -> None:
    """Write (extent, LANES): q's channels low to high times the table's entry of each slot.

    at  (LANES,) rows or columns, which choose the entries when the window shifts, REL-6
    """
    every = np.empty(frame.table * LANES, part.dtype)
    clear(every, 0, every.size)
    for entry in range(frame.table):
        embedding = (head * frame.table + entry) * frame.depth + low
        weigh(every, entry * LANES, q, low * LANES, table, embedding, 1, high - low)
    for slot in range(frame.extent):
        for lane in range(LANES):
            entry = slot
            if frame.padding == SHIFT:
                entry += first_slot(at[lane], size, frame) - at[lane] + frame.extent - 1
            part[slot * LANES + lane] = every[entry * LANES + lane]


@helper
def add_position(s: Any, row_part: Any, col_part: Any, terms: Terms, frame: Frame) -> None:
    """Add the separable row and column logits, each term under its factor."""
    for row in range(frame.extent):
        for col in range(frame.extent):
            first = U((row * frame.extent + col) * LANES)
            row_first, col_first = U(row * LANES), U(col * LANES)
            for lane in range(STEP):
                position = row_part[row_first + lane] + col_part[col_first + lane]
                s[first + lane] = (s[first + lane] * terms.factor
                                   + position * terms.position_factor)


@helper
def add_relative(s: Any, q: Any, row_table: Any, col_table: Any, halves: Any, head: int,
                 rows: Any, cols: Any, terms: Terms, frame: Frame) -> None:
    """Scale the content's logits and add q . r, from the head's half of the channels for each."""
    row_part, col_part = (np.empty(frame.extent * LANES, s.dtype),
                          np.empty(frame.extent * LANES, s.dtype))
    half = head * 4
    position_part(row_part, q, row_table, head, halves[half], halves[half + 1], rows,
                  frame.height, frame)
    position_part(col_part, q, col_table, head, halves[half + 2], halves[half + 3], cols,
                  frame.width, frame)
    add_position(s, row_part, col_part, terms, frame)


@helper
def scale_logits(s: Any, factor: Any) -> None:
    """Multiply every logit."""
    for index in range(U(s.size)):
        s[index] *= factor


@helper
def exclude(s: Any, rows: Any, cols: Any, frame: Frame) -> None:
    """Take slots outside the image out of the softmax, PAD-2."""
    for row in range(frame.extent):
        for col in range(frame.extent):
            first = (row * frame.extent + col) * LANES
            for lane in range(LANES):
                i, j = rows[lane] + row - frame.before, cols[lane] + col - frame.before
                inside = 0 <= i < frame.height and 0 <= j < frame.width
                s[first + lane] = s[first + lane] if inside else -np.inf


@helper
def mix(o: Any, p: Any, value: Any, first: int, frame: Frame) -> None:
    """Add the values of every slot, each times its probability."""
    for quad in range(frame.quads):
        out = quad * 4 * LANES
        for row in range(frame.extent):
            slot = row * frame.extent * LANES
            place = first + quad * 4 * frame.lanes + row * frame.pitch
            for col in range(0, frame.extent - 1, 2):
                mix_two(o, out, p, slot + col * LANES, value, place + col, frame.lanes)
            if frame.extent % 2:
                col = frame.extent - 1
                mix_one(o, out, p, slot + col * LANES, value, place + col, frame.lanes)


@helper
def mix_shifted(o: Any, p: Any, value: Any, first: int, near: Any, rows: Any, cols: Any,
                frame: Frame) -> None:
    """Do as `mix` for a shifted window."""
    for slot in range(frame.extent * frame.extent):
        gather(near, value, first, slot // frame.extent, slot % frame.extent, rows, cols, frame)
        for quad in range(frame.quads):
            mix_one(o, quad * 4 * LANES, p, slot * LANES, near, quad * 4 * LANES, LANES)


@helper
def store(out: Any, o: Any, bias: Any, relu: bool, first: int, channel: int, pixels: Any,
          frame: Frame) -> None:
    """Write the strip's pixels: values + bias, and ReLU when asked; NaN passes both."""
    for lane in range(LANES):
        if pixels[lane] >= 0:
            target = (first + pixels[lane]) * frame.heads * frame.depth + channel
            for d in range(frame.depth):
                y = o[d * LANES + lane] + bias[channel + d]
                out[target + d] = o.dtype.type(0) if relu and y < 0 else y


@helper
def attend(image: int, strip: int, out: Any, query: Any, key: Any, value: Any, row_table: Any,
           col_table: Any, halves: Any, bias: Any, terms: Terms, frame: Frame) -> None:
    """Compute one strip of one head of one image."""
    batch, head = image // frame.heads, image % frame.heads
    pixels, rows, cols = (np.empty(LANES, np.int64), np.empty(LANES, np.int64),
                          np.empty(LANES, np.int64))
    locate(strip, pixels, rows, cols, frame)
    shifted, depths = frame.padding == SHIFT, 4 * frame.quads
    q, o = np.empty(depths * LANES, out.dtype), np.empty(depths * LANES, out.dtype)
    near = np.empty(depths * LANES if shifted else 0, out.dtype)
    s = np.empty(frame.extent * frame.extent * LANES, out.dtype)
    pixel, channel = batch * frame.height * frame.width, head * frame.depth
    load_query(q, query, pixel * terms.stride + terms.start + channel, terms.stride, pixels, frame)
    # A slot's first lane is the strip's first lane: the margin is as long as the way to slot 0.
    origin = image * depths * frame.lanes
    first = origin + strip * LANES
    clear(s, 0, s.size)
    if terms.content and shifted:
        add_shifted_content(s, q, key, origin, near, rows, cols, frame)
    elif terms.content:
        add_content(s, q, key, first, frame)
    if terms.position:
        add_relative(s, q, row_table, col_table, halves, head, rows, cols, terms, frame)
    else:
        scale_logits(s, terms.factor)
    if frame.padding == EXCLUDE:
        exclude(s, rows, cols, frame)
    softmax(s, frame.extent * frame.extent)
    clear(o, 0, o.size)
    if shifted:
        mix_shifted(o, s, value, origin, near, rows, cols, frame)
    else:
        mix(o, s, value, first, frame)
    store(out, o, bias, terms.relu, pixel, channel, pixels, frame)


@kernel
def window_attention_kernel(out: Any, query: Any, key: Any, value: Any, row_table: Any,
                            col_table: Any, halves: Any, bias: Any, terms: Terms,
                            frame: Frame, threads: int) -> None:
    """Write every pixel of `out`, flat (batch, height, width, heads, depth).

    threads  THREADS of sharing.py
    """
    tasks, taken = frame.batch * frame.heads * frame.strips, none_taken(threads)
    for thread in prange(threads):
        task = next_task(signed(thread), taken, tasks)
        while task < tasks:
            attend(task // frame.strips, task % frame.strips, out, query, key, value, row_table,
                   col_table, halves, bias, terms, frame)
            task = next_task(signed(thread), taken, tasks)
