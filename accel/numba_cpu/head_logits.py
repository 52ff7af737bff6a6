"""Logits where heads are the lanes of a vector: position and content of one unit of pixels.

A unit is as many pixels as a vector holds depths, `fold`: one, or two whose sums are folded into
one vector, so that logits are (slot, lane) rows of full vectors.

axis     meaning                                        memory, in a task's scratch
unit     pixels side by side                            stride slots lanes
slot     slots of the window, row by row                stride lanes
lane     pixels of the unit, in each the heads          contiguous
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from .head_layout import HeadFrame
from .jit import helper
from .vectors import (
    add_products,
    folded,
    load,
    loads,
    plus,
    plus_row,
    splat,
    splats,
    stores,
    times,
)


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
