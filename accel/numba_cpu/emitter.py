"""How a function that kernels call becomes vector instructions, in LLVM's terms."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable

from .vector_types import VectorType

Emit = Callable[["Emitter", Any], Any]


class Emitter:
    """One call being compiled: its types, and the builder of its instructions."""

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        self.context, self.builder, self.signature = context, builder, signature

    def whole(self, argument: int, args: Any) -> Any:
        """An argument as a place in an array."""
        return self.context.cast(self.builder, args[argument], self.signature.args[argument],
                                 types.intp)

    def array(self, argument: int, args: Any) -> Any:
        """An array's data and size."""
        kind = self.signature.args[argument]
        return cgutils.create_struct_proxy(kind)(self.context, self.builder, args[argument])

    def at(self, array: Any, place: Any, count: int = 1, beyond: int = 0) -> Any:
        """Pointer to `count` numbers, `beyond` a place; checked where Numba checks indices."""
        if self.context.enable_boundscheck:
            builder = self.builder
            after = builder.add(place, self.number(beyond + count))
            outside = builder.or_(builder.icmp_signed("<", place, self.number(-beyond)),
                                  builder.icmp_signed(">", after, array.nitems))
            with builder.if_then(outside, likely=False):
                self.context.call_conv.return_user_exc(
                    builder, IndexError, ("vector is out of bounds of its array",))
        first = self.builder.gep(array.data, [place])
        return self.builder.gep(first, [self.number(beyond)]) if beyond else first

    def load(self, array: Any, place: Any, kind: VectorType, beyond: int = 0) -> Any:
        """The vector that begins `beyond` a place."""
        first = self.at(array, place, kind.lanes, beyond)
        vector = self.builder.load(self.builder.bitcast(first, kind.llvm.as_pointer()))
        vector.align = kind.dtype.bitwidth // 8
        return vector

    def store(self, array: Any, place: Any, vector: Any, kind: VectorType) -> None:
        """Write the vector that begins at a place."""
        first = self.at(array, place, kind.lanes)
        self.builder.store(vector, self.builder.bitcast(first, kind.llvm.as_pointer()),
                           align=kind.dtype.bitwidth // 8)

    def prefetch(self, array: Any, place: Any) -> None:
        """Ask for the cache line at a place, which need not exist; it is soon read or written."""
        pointer = self.builder.bitcast(self.builder.gep(array.data, [place]),
                                       ir.IntType(8).as_pointer())
        whole = ir.IntType(32)
        declared = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(ir.VoidType(), [pointer.type, whole, whole, whole]),
            "llvm.prefetch.p0i8")
        read, keep, data = (ir.Constant(whole, value) for value in (0, 2, 1))
        self.builder.call(declared, [pointer, read, keep, data])

    def splat(self, number: Any, kind: VectorType) -> Any:
        """A number in every lane."""
        nothing = ir.Constant(kind.llvm, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, nothing, [0] * kind.lanes)

    def shuffle(self, x: Any, y: Any, lanes: list[int]) -> Any:
        """A vector of these lanes, those of x counted first, then those of y."""
        chosen = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(x, y, chosen)

    def constant(self, number: float, kind: VectorType) -> Any:
        """A number that is known now, in every lane."""
        rounded = float(np.float32(number)) if kind.dtype == types.float32 else float(number)
        return ir.Constant(kind.llvm, [rounded] * kind.lanes)

    def fma(self, x: Any, y: Any, z: Any, kind: VectorType) -> Any:
        """x y + z, rounded once."""
        return self._call("fma", [x, y, z], kind)

    def larger(self, x: Any, y: Any) -> Any:
        """X where it is larger than y, otherwise y, NaN too."""
        return self.builder.select(self.builder.fcmp_ordered(">", x, y), x, y)

    def maximum(self, x: Any, y: Any, kind: VectorType) -> Any:
        """The larger of x and y, NaN where either is."""
        # Compared and selected, it would become a masked store where y was just loaded.
        return self._call("maximum", [x, y], kind, ("nsz",))

    def _call(self, name: str, vectors: list[Any], kind: VectorType,
              flags: tuple[str, ...] = ()) -> Any:
        """One of LLVM's functions of vectors."""
        declared = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(kind.llvm, [kind.llvm] * len(vectors)),
            f"llvm.{name}.v{kind.lanes}f{kind.dtype.bitwidth}")
        return self.builder.call(declared, vectors, fastmath=flags)

    def number(self, value: int) -> Any:
        """A place that is known now."""
        return ir.Constant(ir.IntType(64), value)

    def places(self, first: int, step: int, count: int, args: Any) -> list[Any]:
        """Places `step` apart, from arguments."""
        place, apart, found = self.whole(first, args), self.whole(step, args), []
        for _ in range(count):
            found.append(place)
            place = self.builder.add(place, apart)
        return found

    def starts(self, tile: int, rows: int, offset: int, args: Any) -> list[Any]:
        """Where every vector of a tile is in an array, an offset from the places of its rows."""
        kind, places = self.signature.args[tile], self.members(args[rows])
        columns, offset = kind.count // len(places), self.whole(offset, args)
        firsts = [self.builder.add(place, offset) for place in places]
        return [self.builder.add(first, self.number(column * kind.dtype.lanes))
                for first in firsts for column in range(columns)]

    def members(self, row: Any) -> list[Any]:
        """The vectors of a row."""
        return [self.builder.extract_value(row, n) for n in range(row.type.count)]

    def row(self, vectors: list[Any]) -> Any:
        """A row of vectors."""
        return self.context.make_tuple(self.builder, self.signature.return_type, vectors)


def emits(function: Callable[..., Any], result: Callable[..., Any],
          *kinds: Any) -> Callable[[Emit], Emit]:
    """Let kernels call `function`: `result` is its type from its arguments' types.

    kinds  what its arguments are, where others' functions of this name take something else
    """
    def register(emit: Emit) -> Emit:
        type_callable(function)(lambda context: result)

        @lower_builtin(function, *(kinds or (types.VarArg(types.Any),)))
        def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return emit(Emitter(context, builder, signature), args)

        return emit
    return register
