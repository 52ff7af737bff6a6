"""Tiles of vectors in kernels, as vectors.py has vectors and rows.

A tile is a row of rows: vector (r, c) is number r columns + c of one tuple.
"""

from typing import Any

from numba import types

from .emitter import Emitter, emits
from .vector_types import Constant
from .vectors import store


def add_outers(tile: Any, a: Any, places: Any, offset: int, weights: Any, first: int,
               taps: Constant) -> Any:
    """Add a[places[r] + offset + t] W[t, c] to vector (r, c) of a tile, for every t of `taps`.

    W  weights[first:], by tap, in it the tile's columns, one vector after the other
    """
    lanes, columns = len(tile[0]), len(tile) // len(places)
    for t in range(taps.value):
        row = weights[first + t * columns * lanes:][:columns * lanes].reshape(columns, lanes)
        tile = tuple(each + a[places[n // columns] + offset + t] * row[n % columns]
                     for n, each in enumerate(tile))
    return tile


@emits(add_outers, lambda tile, a, places, offset, weights, first, taps: tile)
def _add_outers(emitter: Emitter, args: Any) -> Any:
    kind, builder = emitter.signature.return_type.dtype, emitter.builder
    array, weights = emitter.array(1, args), emitter.array(4, args)
    offset, first = emitter.whole(3, args), emitter.whole(5, args)
    sums = emitter.members(args[0])
    places = [builder.add(place, offset) for place in emitter.members(args[2])]
    count = len(sums) // len(places)
    # A step away from a pointer costs nothing, where every step on an index costs a register.
    for tap in range(emitter.signature.args[6].value):
        columns = [emitter.load(weights, first, kind, (tap * count + column) * kind.lanes)
                   for column in range(count)]
        for row, at in enumerate(places):
            x = emitter.splat(builder.load(emitter.at(array, at, 1, tap)), kind)
            for column, w in enumerate(columns):
                n = row * count + column
                sums[n] = emitter.fma(x, w, sums[n], kind)
    return emitter.row(sums)


def plus_columns(tile: Any, columns: Any) -> Any:
    """Add columns[c] to vector (r, c) of a tile."""
    return tuple(each + columns[n % len(columns)] for n, each in enumerate(tile))


@emits(plus_columns, lambda tile, columns: tile)
def _plus_columns(emitter: Emitter, args: Any) -> Any:
    columns = emitter.members(args[1])
    return emitter.row([emitter.builder.fadd(each, columns[n % len(columns)])
                        for n, each in enumerate(emitter.members(args[0]))])


def plus_loaded(tile: Any, a: Any, places: Any, offset: int) -> Any:
    """Add a[places[r] + offset + c lanes:...] to vector (r, c) of a tile."""
    columns, lanes = len(tile) // len(places), len(tile[0])
    starts = [place + offset + c * lanes for place in places for c in range(columns)]
    return tuple(each + a[start:start + lanes] for each, start in zip(tile, starts, strict=True))


@emits(plus_loaded, lambda tile, a, places, offset: tile)
def _plus_loaded(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.return_type.dtype, emitter.array(1, args)
    return emitter.row([
        emitter.builder.fadd(each, emitter.load(array, start, kind)) for each, start in zip(
            emitter.members(args[0]), emitter.starts(0, 2, 3, args), strict=True)])


def store_tile(a: Any, places: Any, offset: int, tile: Any) -> None:
    """Write vector (r, c) of a tile to a[places[r] + offset + c lanes:...]."""
    columns, lanes = len(tile) // len(places), len(tile[0])
    for n, each in enumerate(tile):
        store(a, places[n // columns] + offset + n % columns * lanes, each)


@emits(store_tile, lambda a, places, offset, tile: types.void)
def _store_tile(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.args[3].dtype, emitter.array(0, args)
    for each, start in zip(emitter.members(args[3]), emitter.starts(3, 1, 2, args), strict=True):
        emitter.store(array, start, each, kind)
    return emitter.context.get_dummy_value()


def prefetch_rows(a: Any, places: Any, offset: int) -> None:
    """Bring the cache lines of a[places[r] + offset] nearer; places outside are no error."""


@emits(prefetch_rows, lambda a, places, offset: types.void)
def _prefetch_rows(emitter: Emitter, args: Any) -> Any:
    array, offset = emitter.array(0, args), emitter.whole(2, args)
    for place in emitter.members(args[1]):
        emitter.prefetch(array, emitter.builder.add(place, offset))
    return emitter.context.get_dummy_value()
