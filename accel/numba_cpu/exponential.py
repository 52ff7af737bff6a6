"""exp of numbers that are not positive, in a form that compilers turn into vector code.

exp(x) = 2^n exp(r), r = x - n ln 2 in -0.35 to 0.35. Within 2 ulp; subnormal results are kept,
exp(-inf) = 0, NaN stays NaN. Both versions are branchless: a choice is a select, not a jump.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from .jit import helper_in_order

# Added and taken away, 1.5 * 2^mantissa rounds to an integer and leaves it in the low bits.
MAGIC_32, MAGIC_64 = np.float32(1.5 * 2**23), np.float64(1.5 * 2**52)
MAGIC_BITS_32, MAGIC_BITS_64 = MAGIC_32.view(np.int32), MAGIC_64.view(np.int64)
LOG2E_32, LOG2E_64 = np.float32(1.4426950408889634), np.float64(1.4426950408889634)
# ln 2 in two parts, the first with so few bits that n times it is exact.
HIGH_32, LOW_32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
HIGH_64, LOW_64 = np.float64(6.93145751953125e-1), np.float64(1.42860682030941723212e-6)
# Below these the result rounds to zero.
LEAST_32, LEAST_64 = np.float32(-110), np.float64(-750)
ONE_32, BIAS_32, BIAS_64 = np.float32(1), np.int32(127), np.int64(1023)
C0, C1, C2, C3, C4, C5 = (np.float32(c) for c in (
    5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2,
    8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4))
P0, P1, P2 = 9.99999999999999999910e-1, 3.02994407707441961300e-2, 1.26177193074810590878e-4
Q0, Q1, Q2, Q3 = (2.00000000000000000009e0, 2.27265548208155028766e-1,
                  2.52448340349684104192e-3, 3.00198505138664455042e-6)


@helper_in_order
def exp_float32(x: Any) -> Any:
    """exp(x) for a float32 that is not positive."""
    z = x if x > LEAST_32 else LEAST_32
    t = z * LOG2E_32 + MAGIC_32
    n = t - MAGIC_32
    r = (z - n * HIGH_32) - n * LOW_32
    y = ((((C5 * r + C4) * r + C3) * r + C2) * r + C1) * r + C0
    y = y * r * r + r + ONE_32
    whole = np.int32(np.float32(t).view(np.int32) - MAGIC_BITS_32)
    # Two factors: one could not hold the power of a subnormal result.
    half = np.int32(whole >> 1)
    first = np.int32((half + BIAS_32) << 23).view(np.float32)
    second = np.int32((whole - half + BIAS_32) << 23).view(np.float32)
    y = y * first * second
    return y if x == x else x


@helper_in_order
def exp_float64(x: Any) -> Any:
    """exp(x) for a float64 that is not positive."""
    z = x if x > LEAST_64 else LEAST_64
    t = z * LOG2E_64 + MAGIC_64
    n = t - MAGIC_64
    r = (z - n * HIGH_64) - n * LOW_64
    rr = r * r
    odd = r * ((P2 * rr + P1) * rr + P0)
    y = 1.0 + 2.0 * (odd / ((((Q3 * rr + Q2) * rr + Q1) * rr + Q0) - odd))
    whole = np.float64(t).view(np.int64) - MAGIC_BITS_64
    half = whole >> 1
    first = np.int64((half + BIAS_64) << 52).view(np.float64)
    second = np.int64((whole - half + BIAS_64) << 52).view(np.float64)
    y = y * first * second
    return y if x == x else x


def exp_nonpositive(x: Any) -> Any:
    """exp(x) for a float32 or float64 that is not positive, in that precision."""
    return exp_float32(x) if x.dtype == np.float32 else exp_float64(x)


@overload(exp_nonpositive)
def _exp_nonpositive(x: Any) -> Callable[[Any], Any]:
    def in_float32(x: Any) -> Any:
        return exp_float32(x)

    def in_float64(x: Any) -> Any:
        return exp_float64(x)

    return in_float32 if x == types.float32 else in_float64
