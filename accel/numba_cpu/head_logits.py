"""Logits where heads are the lanes of a vector: position and content of one unit of pixels.

A unit is as many pixels as a vector holds depths, `fold`: one, or two whose sums are folded into
one vector, so that logits are (slot, lane) rows of full vectors.

axis     meaning                                        memory, in a task's scratch
unit     pixels side by side                            stride slots lanes
slot     slots of the window, row by row                stride lanes
lane     pixels of the unit, in each the heads          contiguous
"""

from typing import Any, NamedTuple

from numba.extending import overload

from .head_layout import HeadFrame
from .jit import inlined
from .vector_rows import add_products, folded, loads, plus, plus_row, splats, stores, times
from .vectors import load, splat, store


class Sizes(NamedTuple):
    """What kernels are compiled for: Constants.

    lanes, heads, vectors  of head_layout.HeadLanes
    extent                 of the window
    mixed                  vectors of two pixels that are mixed at a time; divides `vectors`
    """

    lanes: Any
    heads: Any
    vectors: Any
    extent: Any
    mixed: Any


class Counts(NamedTuple):
    """Some of the same numbers for loops that are not worth unrolling.

    depths   of a chunk
    numbers  of all chunks of a pixel
    """

    lanes: int
    heads: int
    extent: int
    depths: int
    numbers: int


class Logits(NamedTuple):
    """What a logit is made of: factor q . k + position_factor (row + col), in powers of two.

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


@inlined
def meet_table(row: Any, qkv: Any, own: int, table: Any, entry: int, first: int, last: int,
               sizes: Sizes, counts: Counts, frame: HeadFrame) -> Any:
    """Add the products of one pixel's queries with `extent` entries of a table."""
    lanes, vectors = sizes.lanes.value, sizes.vectors.value
    for vector in range(first, last):
        q = load(sizes.lanes, qkv, own + vector // vectors * frame.plane + vector % vectors * lanes)
        row = add_products(row, q, table, entry + vector * lanes, counts.numbers)
    return row


@inlined
def position_rows(qkv: Any, own: int, row_table: Any, col_table: Any, row_entry: int,
                  col_entry: int, terms: Logits, sizes: Sizes, counts: Counts,
                  frame: HeadFrame) -> Any:
    """One pixel's logits by row and by column of its window; zero without a position."""
    rows = splats(sizes.lanes, qkv.dtype.type(0), sizes.extent)
    cols = rows
    if terms.position:
        rows = meet_table(rows, qkv, own, row_table, row_entry, terms.row_first, terms.row_last,
                          sizes, counts, frame)
        cols = meet_table(cols, qkv, own, col_table, col_entry, terms.col_first, terms.col_last,
                          sizes, counts, frame)
    return rows, cols


@inlined
def start_logits(s: Any, unit: int, parts: Any, rows: Any, cols: Any, terms: Logits,
                 sizes: Sizes) -> None:
    """Write a unit's logits without their content, row + column; the rows pass through `parts`."""
    lanes, extent = sizes.lanes.value, sizes.extent.value
    factor = splat(sizes.lanes, terms.position_factor)
    stores(parts, 0, lanes, times(rows, factor))
    cols = times(cols, factor)
    for row in range(extent):
        stores(s, unit + row * extent * lanes, lanes,
               plus(cols, load(sizes.lanes, parts, row * lanes)))


@inlined
def scale_query(scaled: Any, first: int, qkv: Any, own: int, factor: Any, sizes: Sizes) -> None:
    """Write one chunk of one pixel's queries, times the factor of the content."""
    lanes = sizes.lanes.value
    for vector in range(sizes.vectors.value):
        store(scaled, first + vector * lanes,
              load(sizes.lanes, qkv, own + vector * lanes) * splat(sizes.lanes, factor))


@inlined
def content_of_one(s: Any, unit: int, scaled: Any, qkv: Any, own: Any, keys: int, near: Any,
                   pixel: int, first: int, last: int, factor: Any, sizes: Sizes,
                   frame: HeadFrame) -> None:
    """Add one chunk of q . k of a unit's one pixel to the rows `first` to `last` of its window.

    Two rows at a time, or the even and the odd vectors of one: so many sums fill the registers.
    """
    window = keys + near[pixel]
    lanes, vectors = sizes.lanes.value, sizes.vectors.value
    step, line = vectors * lanes, sizes.extent.value * lanes
    scale_query(scaled, 0, qkv, own[pixel], factor, sizes)
    for row in range(first, last - 1, 2):
        place, here = window + row * frame.pitch, unit + row * line
        one = loads(sizes.lanes, s, here, lanes, sizes.extent)
        two = loads(sizes.lanes, s, here + line, lanes, sizes.extent)
        for vector in range(vectors):
            q = load(sizes.lanes, scaled, vector * lanes)
            one = add_products(one, q, qkv, place + vector * lanes, step)
            two = add_products(two, q, qkv, place + frame.pitch + vector * lanes, step)
        stores(s, here, lanes, one)
        stores(s, here + line, lanes, two)
    if (last - first) % 2:
        place, here = window + (last - 1) * frame.pitch, unit + (last - 1) * line
        one = loads(sizes.lanes, s, here, lanes, sizes.extent)
        two = splats(sizes.lanes, s.dtype.type(0), sizes.extent)
        for vector in range(0, vectors, 2):
            q = load(sizes.lanes, scaled, vector * lanes)
            one = add_products(one, q, qkv, place + vector * lanes, step)
            q = load(sizes.lanes, scaled, (vector + 1) * lanes)
            two = add_products(two, q, qkv, place + (vector + 1) * lanes, step)
        stores(s, here, lanes, plus_row(one, two))


@inlined
def content_of_two(s: Any, unit: int, scaled: Any, qkv: Any, own: Any, keys: int, near: Any,
                   pixel: int, first: int, last: int, factor: Any, sizes: Sizes,
                   frame: HeadFrame) -> None:
    """Do as `content_of_one` for a unit of two pixels."""
    window, beside = keys + near[pixel], keys + near[pixel + 1]
    lanes, vectors = sizes.lanes.value, sizes.vectors.value
    step, line = vectors * lanes, sizes.extent.value * lanes
    scale_query(scaled, 0, qkv, own[pixel], factor, sizes)
    scale_query(scaled, step, qkv, own[pixel + 1], factor, sizes)
    for row in range(first, last):
        one = splats(sizes.lanes, s.dtype.type(0), sizes.extent)
        two = splats(sizes.lanes, s.dtype.type(0), sizes.extent)
        for vector in range(vectors):
            place = row * frame.pitch + vector * lanes
            q = load(sizes.lanes, scaled, vector * lanes)
            one = add_products(one, q, qkv, window + place, step)
            q = load(sizes.lanes, scaled, step + vector * lanes)
            two = add_products(two, q, qkv, beside + place, step)
        here = unit + row * line
        before = loads(sizes.lanes, s, here, lanes, sizes.extent)
        stores(s, here, lanes, plus_row(before, folded(one, two)))


@inlined
def position_of_one(s: Any, unit: int, parts: Any, qkv: Any, own: Any, pixel: int, row_table: Any,
                    col_table: Any, row_entry: int, entries: Any, terms: Logits, counts: Counts,
                    sizes: Sizes, frame: HeadFrame) -> None:
    """Write the logits of a unit's one pixel without their content."""
    rows, cols = position_rows(qkv, own[pixel], row_table, col_table, row_entry, entries[pixel],
                               terms, sizes, counts, frame)
    start_logits(s, unit, parts, rows, cols, terms, sizes)


@inlined
def position_of_two(s: Any, unit: int, parts: Any, qkv: Any, own: Any, pixel: int, row_table: Any,
                    col_table: Any, row_entry: int, entries: Any, terms: Logits, counts: Counts,
                    sizes: Sizes, frame: HeadFrame) -> None:
    """Do as `position_of_one` for a unit of two pixels."""
    rows, cols = position_rows(qkv, own[pixel], row_table, col_table, row_entry, entries[pixel],
                               terms, sizes, counts, frame)
    rows_beside, cols_beside = position_rows(qkv, own[pixel + 1], row_table, col_table, row_entry,
                                             entries[pixel + 1], terms, sizes, counts, frame)
    start_logits(s, unit, parts, folded(rows, rows_beside), folded(cols, cols_beside), terms,
                 sizes)


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
