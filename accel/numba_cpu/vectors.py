"""Vectors in kernels: each function says in NumPy what it means, and emits it as vector code.

Kernels call these functions as they would any other. Compiled, a call becomes the instructions of
its emitter; with compilation off, it runs as it stands. Arrays are flat, and places in them are
counted in numbers; nothing need be aligned.
"""

import operator
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from .emitter import Emitter, emits
from .vector_types import Constant, SpanType, VectorType


def span(a: Any) -> Any:
    """Numbers of an array whose owner outlives whoever is given them."""
    return a


@emits(span, lambda a: SpanType(a.dtype))
def _span(emitter: Emitter, args: Any) -> Any:
    array, kind = emitter.array(0, args), emitter.signature.return_type
    made = cgutils.create_struct_proxy(kind)(emitter.context, emitter.builder)
    made.data, made.nitems = array.data, array.nitems
    return made._getvalue()


@emits(operator.getitem, lambda a, place: a.dtype if isinstance(a, SpanType) else None, SpanType,
       types.Integer)
def _get(emitter: Emitter, args: Any) -> Any:
    return emitter.builder.load(emitter.at(emitter.array(0, args), emitter.whole(1, args)))


@emits(operator.setitem, lambda a, place, x: types.void if isinstance(a, SpanType) else None,
       SpanType, types.Integer, types.Any)
def _set(emitter: Emitter, args: Any) -> Any:
    builder, array = emitter.builder, emitter.array(0, args)
    number = emitter.context.cast(builder, args[2], emitter.signature.args[2],
                                  emitter.signature.args[0].dtype)
    builder.store(number, emitter.at(array, emitter.whole(1, args)))
    return emitter.context.get_dummy_value()


def splat(lanes: Constant, number: Any) -> Any:
    """The number in every lane."""
    return np.full(lanes.value, number)


@emits(splat, lambda lanes, number: VectorType(number, lanes.value))
def _splat(emitter: Emitter, args: Any) -> Any:
    return emitter.splat(args[1], emitter.signature.return_type)


def load(lanes: Constant, a: Any, place: int) -> Any:
    """Read a[place:place + lanes]."""
    return a[place:place + lanes.value].copy()


@emits(load, lambda lanes, a, place: VectorType(a.dtype, lanes.value))
def _load(emitter: Emitter, args: Any) -> Any:
    return emitter.load(emitter.array(1, args), emitter.whole(2, args),
                        emitter.signature.return_type)


def store(a: Any, place: int, x: Any) -> None:
    """Write a vector to a[place:place + lanes]."""
    a[place:place + len(x)] = x


@emits(store, lambda a, place, x: types.void)
def _store(emitter: Emitter, args: Any) -> Any:
    emitter.store(emitter.array(0, args), emitter.whole(1, args), args[2],
                  emitter.signature.args[2])
    return emitter.context.get_dummy_value()


def _both_vectors(x: Any, y: Any) -> Any:
    return x if isinstance(x, VectorType) and x == y else None


@emits(operator.add, _both_vectors, VectorType, VectorType)
def _add(emitter: Emitter, args: Any) -> Any:
    return emitter.builder.fadd(*args)


@emits(operator.sub, _both_vectors, VectorType, VectorType)
def _subtract(emitter: Emitter, args: Any) -> Any:
    return emitter.builder.fsub(*args)


@emits(operator.mul, _both_vectors, VectorType, VectorType)
def _multiply(emitter: Emitter, args: Any) -> Any:
    return emitter.builder.fmul(*args)


@emits(operator.truediv, _both_vectors, VectorType, VectorType)
def _divide(emitter: Emitter, args: Any) -> Any:
    return emitter.builder.fdiv(*args)


def larger(x: Any, y: Any) -> Any:
    """Take x where it is larger than y, otherwise y: a NaN in x is passed over, one in y stays."""
    return np.where(x > y, x, y)


@emits(larger, lambda x, y: x)
def _larger(emitter: Emitter, args: Any) -> Any:
    return emitter.larger(*args)


def take(a: Any, place: int, count: Constant) -> Any:
    """Read a[place:place + count] as a tuple of numbers, which lives in registers."""
    return tuple(a[place + n] for n in range(count.value))


@emits(take, lambda a, place, count: types.UniTuple(a.dtype, count.value))
def _take(emitter: Emitter, args: Any) -> Any:
    array, first = emitter.array(0, args), emitter.whole(1, args)
    builder = emitter.builder
    return emitter.row([
        builder.load(emitter.at(array, builder.add(first, emitter.number(n))))
        for n in range(emitter.signature.return_type.count)])


def spread(lanes: Constant, a: Any, place: int, count: Constant) -> Any:
    """Read a[place:place + count], repeated until every lane is filled."""
    return np.tile(a[place:place + count.value], lanes.value // count.value)


@emits(spread, lambda lanes, a, place, count: VectorType(a.dtype, lanes.value))
def _spread(emitter: Emitter, args: Any) -> Any:
    kind, count = emitter.signature.return_type, emitter.signature.args[3].value
    part = emitter.load(emitter.array(1, args), emitter.whole(2, args),
                        VectorType(kind.dtype, count))
    return emitter.shuffle(part, part, [lane % count for lane in range(kind.lanes)])


def prefetch(a: Any, place: int) -> None:
    """Bring the cache line that holds a[place] nearer; a place outside is no error."""


@emits(prefetch, lambda a, place: types.void)
def _prefetch(emitter: Emitter, args: Any) -> Any:
    emitter.prefetch(emitter.array(0, args), emitter.whole(1, args))
    return emitter.context.get_dummy_value()
