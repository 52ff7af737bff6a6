"""Tiles of vectors in kernels, as vectors.py has vectors and rows.

A tile is a row of rows: vector (r, c) is number r columns + c of one tuple.
"""

from typing import Any

from numba import types

from .emitter import Emitter, emits
from .vectors import store


def add_outer(tile: Any, a: Any, places: Any, offset: int, columns: Any) -> Any:
    """Add a[places[r] + offset] columns[c] to vector (r, c) of a tile."""
    return tuple(each + a[places[n // len(columns)] + offset] * columns[n % len(columns)]
                 for n, each in enumerate(tile))


@emits(add_outer, lambda tile, a, places, offset, columns: tile)
def _add_outer(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.return_type.dtype, emitter.array(1, args)
    builder, offset, out = emitter.builder, emitter.whole(3, args), []
    sums, columns = iter(emitter.members(args[0])), emitter.members(args[4])
    for place in emitter.members(args[2]):
        x = emitter.splat(builder.load(emitter.at(array, builder.add(place, offset))), kind)
        out += [emitter.fma(x, column, next(sums), kind) for column in columns]
    return emitter.row(out)


def plus_columns(tile: Any, columns: Any) -> Any:
    """Add columns[c] to vector (r, c) of a tile."""
    return tuple(each + columns[n % len(columns)] for n, each in enumerate(tile))


@emits(plus_columns, lambda tile, columns: tile)
def _plus_columns(emitter: Emitter, args: Any) -> Any:
    columns = emitter.members(args[1])
    return emitter.row([emitter.builder.fadd(each, columns[n % len(columns)])
                        for n, each in enumerate(emitter.members(args[0]))])


def plus_loaded(tile: Any, a: Any, places: Any) -> Any:
    """Add a[places[r] + c lanes:...] to vector (r, c) of a tile."""
    columns, lanes = len(tile) // len(places), len(tile[0])
    starts = [place + c * lanes for place in places for c in range(columns)]
    return tuple(each + a[start:start + lanes] for each, start in zip(tile, starts, strict=True))


@emits(plus_loaded, lambda tile, a, places: tile)
def _plus_loaded(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.return_type.dtype, emitter.array(1, args)
    return emitter.row([
        emitter.builder.fadd(each, emitter.load(array, start, kind)) for each, start in zip(
            emitter.members(args[0]), emitter.starts(0, 2, args), strict=True)])


def store_tile(a: Any, places: Any, tile: Any) -> None:
    """Write vector (r, c) of a tile to a[places[r] + c lanes:...]."""
    columns, lanes = len(tile) // len(places), len(tile[0])
    for n, each in enumerate(tile):
        store(a, places[n // columns] + n % columns * lanes, each)


@emits(store_tile, lambda a, places, tile: types.void)
def _store_tile(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.args[2].dtype, emitter.array(0, args)
    for each, start in zip(emitter.members(args[2]), emitter.starts(2, 1, args), strict=True):
        emitter.store(array, start, each, kind)
    return emitter.context.get_dummy_value()
