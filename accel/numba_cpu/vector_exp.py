"""exp of vectors of numbers that are not positive.

exp(x) = 2^n exp(r), r = x - n ln 2 in -0.35 to 0.35: a polynomial gives exp(r), and n becomes the
bits of an exponent. Within 2 ulp; subnormal results are kept, exp(-inf) = 0, NaN stays NaN.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from .emitter import Emitter, emits


class Format(NamedTuple):
    """What the two precisions need.

    fraction    bits of a number's fraction
    bias        of its exponent, and as much more, `spare`, as keeps 2^n normal for every result
    least       exp of what is smaller is zero
    high, low   ln 2 in two parts
    polynomial  of exp(r), the constant term first: minimax to 4e-9, and Taylor's
    """

    fraction: int
    bias: int
    spare: int
    least: float
    high: float
    low: float
    polynomial: tuple[float, ...]


FLOAT32 = Format(23, 127 + 64, 64, -110.0, 0.693359375, -2.12194440e-4, (
    1.0, 1.0, 0.4999999403953552, 0.1666652113199234, 0.04166838899254799,
    0.00836874544620514, 0.0013814540579915047))
FLOAT64 = Format(52, 1023 + 128, 128, -750.0, 6.93145751953125e-1, 1.42860682030941723212e-6,
                 tuple(1 / math.factorial(power) for power in range(14)))


def exponential(x: Any) -> Any:
    """exp(x) of a vector whose numbers are not positive."""
    return np.exp(x)


@emits(exponential, lambda x: x)
def _exponential(emitter: Emitter, args: Any) -> Any:
    builder, kind = emitter.builder, emitter.signature.return_type
    form = FLOAT32 if kind.dtype == types.float32 else FLOAT64

    def number(value: float) -> Any:
        return emitter.constant(value, kind)

    # Added and taken away, this rounds to a whole number and leaves it, biased, in the low bits.
    magic = number(1.5 * 2.0 ** form.fraction + form.bias)
    x = emitter.larger(number(form.least), args[0])
    shifted = emitter.fma(x, number(math.log2(math.e)), magic, kind)
    n = builder.fsub(shifted, magic)
    r = emitter.fma(n, number(-form.high), x, kind)
    r = emitter.fma(n, number(-form.low), r, kind)
    y = number(form.polynomial[-1])
    for coefficient in form.polynomial[-2::-1]:
        y = emitter.fma(y, r, number(coefficient), kind)
    places = ir.Constant(kind.llvm_bits, [form.fraction] * kind.lanes)
    power = builder.bitcast(builder.shl(builder.bitcast(shifted, kind.llvm_bits), places),
                            kind.llvm)
    # Scaled last: a subnormal result is rounded once.
    return builder.fmul(builder.fmul(y, power), number(2.0 ** -form.spare))
