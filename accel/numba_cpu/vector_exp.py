"""Powers of two, of vectors of numbers that are not positive.

2^x = 2^n 2^r, where n is whole and r within a half: a polynomial gives 2^r, and n is added to its
exponent. Results are scaled by a power of two, so that what would be subnormal is rounded once, by
whoever divides the scale out with the rest of a sum. Within 2 ulp; NaN stays NaN.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from .emitter import Emitter, emits

# 2^(x LOG2E) is e^x.
LOG2E = math.log2(math.e)


class Format(NamedTuple):
    """What the two precisions need.

    fraction    bits of a number's fraction
    spare       logarithm of the scale, which keeps every result normal
    least       2 to the power of what is smaller is that of this, and zero once it is unscaled
    polynomial  of 2^r, the constant term first: minimax to 1.1 ulp of the result, and Taylor's
    """

    fraction: int
    spare: int
    least: float
    polynomial: tuple[float, ...]


FLOAT32 = Format(23, 64, -160.0, (
    1.0, 0.6931468292474321, 0.2402223703598392, 0.05550891438819461, 0.009671762953874185,
    0.001322570749609335))
FLOAT64 = Format(52, 128, -1100.0, tuple(
    math.log(2) ** power / math.factorial(power) for power in range(14)))


def scaled_powers(row: Any) -> Any:
    """2^x times 2^spare of every vector of a row, none of whose numbers are positive."""
    number = row[0].dtype.type
    form = FLOAT32 if number is np.float32 else FLOAT64
    return tuple(np.exp2(np.maximum(x, number(form.least)) + number(form.spare)) for x in row)


@emits(scaled_powers, lambda row: row)
def _scaled_powers(emitter: Emitter, args: Any) -> Any:
    return emitter.row(_powers(emitter, emitter.signature.return_type.dtype,
                               emitter.members(args[0])))


def _powers(emitter: Emitter, kind: Any, row: list[Any]) -> list[Any]:
    # Step by step for all of them: each is a chain in which every step waits for the one before.
    builder = emitter.builder
    form = FLOAT32 if kind.dtype == types.float32 else FLOAT64

    def number(value: float) -> Any:
        return emitter.constant(value, kind)

    # Added and taken away, this rounds to a whole number, and leaves it in the low bits. A sum
    # that has a flag is given no others, and is not simplified to nothing.
    magic, flags = number(1.5 * 2.0 ** form.fraction + form.spare), ("nsz",)
    row = [emitter.larger(number(form.least), x) for x in row]
    shifted = [builder.fadd(x, magic, flags=flags) for x in row]
    whole = [builder.fsub(x, magic, flags=flags) for x in shifted]
    r = [builder.fsub(x, n, flags=flags) for x, n in zip(row, whole, strict=True)]
    y = [number(form.polynomial[-1])] * len(row)
    for coefficient in form.polynomial[-2::-1]:
        y = [emitter.fma(each, x, number(coefficient), kind) for each, x in zip(y, r, strict=True)]
    places = ir.Constant(kind.llvm_bits, [form.fraction] * kind.lanes)
    bits = [builder.shl(builder.bitcast(x, kind.llvm_bits), places) for x in shifted]
    return [builder.bitcast(builder.add(builder.bitcast(each, kind.llvm_bits), exponent),
                            kind.llvm) for each, exponent in zip(y, bits, strict=True)]
