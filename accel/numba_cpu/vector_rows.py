"""Rows of vectors in kernels, as vectors.py has vectors.

A row is a tuple of vectors, which lives in registers.
"""

from typing import Any

import numpy as np
from numba import types

from .emitter import Emitter, emits
from .vector_types import Constant, VectorType
from .vectors import load, splat, store


def _row_of(dtype: Any, lanes: Any, count: Any) -> types.UniTuple:
    return types.UniTuple(VectorType(dtype, lanes.value), count.value)


def splats(lanes: Constant, number: Any, count: Constant) -> Any:
    """Row of `count` vectors, the number in every lane."""
    return (splat(lanes, number),) * count.value


@emits(splats, lambda lanes, number, count: _row_of(number, lanes, count))
def _splats(emitter: Emitter, args: Any) -> Any:
    kind = emitter.signature.return_type
    return emitter.row([emitter.splat(args[1], kind.dtype)] * kind.count)


def loads(lanes: Constant, a: Any, place: int, step: int, count: Constant) -> Any:
    """Row of `count` vectors, read `step` apart."""
    return tuple(load(lanes, a, place + n * step) for n in range(count.value))


@emits(loads, lambda lanes, a, place, step, count: _row_of(a.dtype, lanes, count))
def _loads(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.return_type, emitter.array(1, args)
    return emitter.row([emitter.load(array, place, kind.dtype)
                        for place in emitter.places(2, 3, kind.count, args)])


def stores(a: Any, place: int, step: int, row: Any) -> None:
    """Write a row's vectors `step` apart."""
    for n, x in enumerate(row):
        store(a, place + n * step, x)


@emits(stores, lambda a, place, step, row: types.void)
def _stores(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.args[3], emitter.array(0, args)
    places = emitter.places(1, 2, kind.count, args)
    for place, x in zip(places, emitter.members(args[3]), strict=True):
        emitter.store(array, place, x, kind.dtype)
    return emitter.context.get_dummy_value()


def plus(row: Any, x: Any) -> Any:
    """Add one vector to every vector of a row."""
    return tuple(each + x for each in row)


@emits(plus, lambda row, x: row)
def _plus(emitter: Emitter, args: Any) -> Any:
    return emitter.row([emitter.builder.fadd(each, args[1]) for each in emitter.members(args[0])])


def plus_row(row: Any, other: Any) -> Any:
    """Add two rows, vector by vector."""
    return tuple(x + y for x, y in zip(row, other, strict=True))


@emits(plus_row, lambda row, other: row)
def _plus_row(emitter: Emitter, args: Any) -> Any:
    pairs = zip(*map(emitter.members, args), strict=True)
    return emitter.row([emitter.builder.fadd(x, y) for x, y in pairs])


def times(row: Any, x: Any) -> Any:
    """Multiply every vector of a row by one vector."""
    return tuple(each * x for each in row)


@emits(times, lambda row, x: row)
def _times(emitter: Emitter, args: Any) -> Any:
    return emitter.row([emitter.builder.fmul(each, args[1]) for each in emitter.members(args[0])])


def summed(row: Any) -> Any:
    """Add all vectors of a row, lane by lane."""
    return sum(row[1:], row[0])


@emits(summed, lambda row: row.dtype)
def _summed(emitter: Emitter, args: Any) -> Any:
    first, *rest = emitter.members(args[0])
    for each in rest:
        first = emitter.builder.fadd(first, each)
    return first


def summed_parts(row: Any, lanes: Constant) -> Any:
    """In every lane of every vector, the sum of those that are a multiple of `lanes` away."""
    return tuple(np.tile(x.reshape(-1, lanes.value).sum(0), len(x) // lanes.value) for x in row)


@emits(summed_parts, lambda row, lanes: row)
def _summed_parts(emitter: Emitter, args: Any) -> Any:
    return _with_parts(emitter, args, emitter.builder.fadd)


def largest_parts(row: Any, lanes: Constant) -> Any:
    """The same with the largest for the sum; of numbers that are NaN, some are passed over."""
    return tuple(np.tile(np.fmax.reduce(x.reshape(-1, lanes.value)), len(x) // lanes.value)
                 for x in row)


@emits(largest_parts, lambda row, lanes: row)
def _largest_parts(emitter: Emitter, args: Any) -> Any:
    return _with_parts(emitter, args, emitter.larger)


def _with_parts(emitter: Emitter, args: Any, join: Any) -> Any:
    lanes, row = emitter.signature.return_type.dtype.lanes, emitter.members(args[0])
    apart = emitter.signature.args[1].value
    while apart < lanes:
        turned = [(lane + apart) % lanes for lane in range(lanes)]
        row = [join(x, emitter.shuffle(x, x, turned)) for x in row]
        apart *= 2
    return emitter.row(row)


def maximum(row: Any, other: Any) -> Any:
    """Take the larger of two rows, number by number, and NaN where either is."""
    return tuple(np.maximum(x, y) for x, y in zip(row, other, strict=True))


@emits(maximum, lambda row, other: row)
def _maximum(emitter: Emitter, args: Any) -> Any:
    kind = emitter.signature.return_type.dtype
    return emitter.row([emitter.maximum(x, y, kind)
                        for x, y in zip(*map(emitter.members, args), strict=True)])


def add_products(row: Any, x: Any, a: Any, place: int, step: int) -> Any:
    """Add x times the vectors of `a` that are `step` apart, each to its own vector of the row."""
    return tuple(each + x * a[place + n * step:place + n * step + len(x)]
                 for n, each in enumerate(row))


@emits(add_products, lambda row, x, a, place, step: row)
def _add_products(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.return_type, emitter.array(2, args)
    places = emitter.places(3, 4, kind.count, args)
    return emitter.row([
        emitter.fma(args[1], emitter.load(array, place, kind.dtype), each, kind.dtype)
        for place, each in zip(places, emitter.members(args[0]), strict=True)])


def add_both(row: Any, other: Any, x: Any, y: Any, a: Any, place: int) -> Any:
    """Add x times adjacent vectors of `a` to a row, and y times them to another row."""
    step = len(x)
    return (add_products(row, x, a, place, step), add_products(other, y, a, place, step))


@emits(add_both, lambda row, other, x, y, a, place: types.UniTuple(row, 2))
def _add_both(emitter: Emitter, args: Any) -> Any:
    kind, array = emitter.signature.args[0], emitter.array(4, args)
    place = emitter.whole(5, args)
    rows: tuple[list[Any], list[Any]] = ([], [])
    for n, sums in enumerate(zip(*map(emitter.members, args[:2]), strict=True)):
        vector = emitter.load(array, place, kind.dtype, n * kind.dtype.lanes)
        for row, factor, each in zip(rows, args[2:4], sums, strict=True):
            row.append(emitter.fma(factor, vector, each, kind.dtype))
    pair = [emitter.context.make_tuple(emitter.builder, kind, row) for row in rows]
    return emitter.context.make_tuple(emitter.builder, emitter.signature.return_type, pair)


def transposed(row: Any) -> Any:
    """Turn lanes into rows and rows into lanes; there are as many of both, a power of two."""
    return tuple(np.stack(row).T.copy())


@emits(transposed, lambda row: row)
def _transposed(emitter: Emitter, args: Any) -> Any:
    rows, lanes = emitter.members(args[0]), emitter.signature.return_type.dtype.lanes
    # Blocks of 1, 2, 4 ... lanes change places with those across the diagonal.
    bits = [1 << bit for bit in range(lanes.bit_length() - 1)]
    for block in reversed(bits):
        for n in range(lanes):
            if not n & block:
                x, y = rows[n], rows[n + block]
                rows[n] = emitter.shuffle(x, y, [
                    lanes + lane - block if lane & block else lane for lane in range(lanes)])
                rows[n + block] = emitter.shuffle(x, y, [
                    lanes + lane if lane & block else lane + block for lane in range(lanes)])
    return emitter.row(rows)


def folded(row: Any, other: Any) -> Any:
    """Fold every vector of two rows to half its lanes by adding its halves, and join the two."""
    half = len(row[0]) // 2
    return tuple(np.concatenate([x[:half] + x[half:], y[:half] + y[half:]])
                 for x, y in zip(row, other, strict=True))


@emits(folded, lambda row, other: row)
def _folded(emitter: Emitter, args: Any) -> Any:
    lanes = emitter.signature.return_type.dtype.lanes
    first = [lane for start in (0, lanes) for lane in range(start, start + lanes // 2)]
    second = [lane + lanes // 2 for lane in first]
    return emitter.row([
        emitter.builder.fadd(emitter.shuffle(x, y, first), emitter.shuffle(x, y, second))
        for x, y in zip(*map(emitter.members, args), strict=True)])


def rectified(row: Any) -> Any:
    """Zero where a number is negative; NaN stays NaN."""
    return tuple(np.where(each < 0, each.dtype.type(0), each) for each in row)


@emits(rectified, lambda row: row)
def _rectified(emitter: Emitter, args: Any) -> Any:
    zero = emitter.constant(0.0, emitter.signature.return_type.dtype)
    return emitter.row([emitter.larger(zero, each) for each in emitter.members(args[0])])
