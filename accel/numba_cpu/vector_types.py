"""What kernels know about vectors when they are compiled: numbers that are constants, and lanes.

A Constant is a number that belongs to the type, so that a kernel is compiled for each of its
values; a Vector holds adjacent numbers of one dtype in one register, or in as many as it takes. A
span is an array's numbers without the array: who passes it on counts no owners.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import (
    NativeValue,
    models,
    overload_attribute,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np.numpy_support import as_dtype


class Constant:
    """A whole number that kernels are compiled for."""

    def __init__(self, value: int) -> None:
        self.value = value


class ConstantType(types.Type):
    """Type of one Constant."""

    def __init__(self, value: int) -> None:
        self.value = value
        super().__init__(f"constant({value})")


class VectorType(types.Type):
    """Type of a vector: `lanes` numbers of a dtype."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(f"vector({dtype} x {lanes})")

    @property
    def llvm(self) -> ir.VectorType:
        """The same for LLVM."""
        return ir.VectorType(number_type(self.dtype), self.lanes)

    @property
    def llvm_bits(self) -> ir.VectorType:
        """Whole numbers as wide as its own."""
        return ir.VectorType(ir.IntType(self.dtype.bitwidth), self.lanes)


class SpanType(types.Type):
    """Type of a span of numbers of a dtype."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"span({dtype})")


def number_type(dtype: Any) -> Any:
    """LLVM's type of a float."""
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


@typeof_impl.register(Constant)
def _typeof_constant(value: Constant, context: Any) -> ConstantType:
    return ConstantType(value.value)


@register_model(ConstantType)
class _ConstantModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: ConstantType) -> None:
        # Nothing is in it, but parallel loops pass on what has a size.
        super().__init__(manager, kind, ir.IntType(8))


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: VectorType) -> None:
        super().__init__(manager, kind, kind.llvm)


@register_model(SpanType)
class _SpanModel(models.StructModel):
    def __init__(self, manager: Any, kind: SpanType) -> None:
        super().__init__(manager, kind, [("data", types.CPointer(kind.dtype)),
                                         ("nitems", types.intp)])


@unbox(ConstantType)
def _unbox_constant(kind: ConstantType, value: Any, context: Any) -> NativeValue:
    return NativeValue(ir.Constant(ir.IntType(8), 0))


@overload_attribute(ConstantType, "value")
def _constant_value(constant: ConstantType) -> Any:
    value = constant.value

    def get(constant: ConstantType) -> int:
        return value

    return get


@overload_attribute(SpanType, "dtype")
def _span_dtype(span: SpanType) -> Any:
    dtype = as_dtype(span.dtype)

    def get(span: SpanType) -> Any:
        return dtype

    return get
