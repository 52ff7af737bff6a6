"""Sums of products over LANES adjacent numbers: the inner loops of every attention kernel.

Every array is flat, and `o`, `i`, `j` are the first elements of the rows that meet; rows of `a`
and `out` are LANES apart. Indices are unsigned, so that no loop handles counting from the end,
and four products share one load and store of the sum: both are what makes these vector loops.
"""

from typing import Any

import numpy as np

from .jit import helper

# Long enough that starting a loop is cheap, short enough that a strip stays in the first cache.
LANES = 80
U = np.uint64
STEP = U(LANES)
ONE = U(1)


@helper
def clear(out: Any, o: int, count: int) -> None:
    """Set out[o:o + count] to zero."""
    first = U(o)
    for index in range(U(count)):
        out[first + index] = 0


@helper
def dot_one(out: Any, o: int, a: Any, i: int, b: Any, j: int, apart: int) -> None:
    """Add to out[l] the sum of a[u, l] b[u, l] for u < 4; rows of b are `apart`."""
    o0, i0, j0, b_step = U(o), U(i), U(j), U(apart)
    i1, j1 = i0 + STEP, j0 + b_step
    i2, j2 = i1 + STEP, j1 + b_step
    i3, j3 = i2 + STEP, j2 + b_step
    for lane in range(STEP):
        out[o0 + lane] += (a[i0 + lane] * b[j0 + lane] + a[i1 + lane] * b[j1 + lane]
                           + a[i2 + lane] * b[j2 + lane] + a[i3 + lane] * b[j3 + lane])


@helper
def dot_two(out: Any, o: int, a: Any, i: int, b: Any, j: int, apart: int) -> None:
    """Do as `dot_one` for row o with b, and for the next row of out with b one lane on."""
    o0, i0, j0, b_step = U(o), U(i), U(j), U(apart)
    o1 = o0 + STEP
    i1, j1 = i0 + STEP, j0 + b_step
    i2, j2 = i1 + STEP, j1 + b_step
    i3, j3 = i2 + STEP, j2 + b_step
    for lane in range(STEP):
        a0, a1, a2, a3 = a[i0 + lane], a[i1 + lane], a[i2 + lane], a[i3 + lane]
        out[o0 + lane] += (a0 * b[j0 + lane] + a1 * b[j1 + lane]
                           + a2 * b[j2 + lane] + a3 * b[j3 + lane])
        out[o1 + lane] += (a0 * b[j0 + ONE + lane] + a1 * b[j1 + ONE + lane]
                           + a2 * b[j2 + ONE + lane] + a3 * b[j3 + ONE + lane])


@helper
def mix_one(out: Any, o: int, a: Any, i: int, b: Any, j: int, apart: int) -> None:
    """Add to out[u, l] the product a[l] b[u, l] for u < 4; rows of b are `apart`."""
    o0, i0, j0, b_step = U(o), U(i), U(j), U(apart)
    o1, j1 = o0 + STEP, j0 + b_step
    o2, j2 = o1 + STEP, j1 + b_step
    o3, j3 = o2 + STEP, j2 + b_step
    for lane in range(STEP):
        weight = a[i0 + lane]
        out[o0 + lane] += weight * b[j0 + lane]
        out[o1 + lane] += weight * b[j1 + lane]
        out[o2 + lane] += weight * b[j2 + lane]
        out[o3 + lane] += weight * b[j3 + lane]


@helper
def mix_two(out: Any, o: int, a: Any, i: int, b: Any, j: int, apart: int) -> None:
    """Do as `mix_one` with row i of a, then with the next row and b one lane on."""
    o0, i0, j0, b_step = U(o), U(i), U(j), U(apart)
    i1 = i0 + STEP
    o1, j1 = o0 + STEP, j0 + b_step
    o2, j2 = o1 + STEP, j1 + b_step
    o3, j3 = o2 + STEP, j2 + b_step
    for lane in range(STEP):
        here, after = a[i0 + lane], a[i1 + lane]
        out[o0 + lane] += here * b[j0 + lane] + after * b[j0 + ONE + lane]
        out[o1 + lane] += here * b[j1 + lane] + after * b[j1 + ONE + lane]
        out[o2 + lane] += here * b[j2 + lane] + after * b[j2 + ONE + lane]
        out[o3 + lane] += here * b[j3 + lane] + after * b[j3 + ONE + lane]


@helper
def weigh(out: Any, o: int, a: Any, i: int, c: Any, j: int, apart: int, count: int) -> None:
    """Add to out[l] the sum of a[u, l] c[u] for u < count; the numbers of c are `apart`."""
    o0, i0, j0, c_step = U(o), U(i), U(j), U(apart)
    for _ in range(count // 4):
        i1, j1 = i0 + STEP, j0 + c_step
        i2, j2 = i1 + STEP, j1 + c_step
        i3, j3 = i2 + STEP, j2 + c_step
        c0, c1, c2, c3 = c[j0], c[j1], c[j2], c[j3]
        for lane in range(STEP):
            out[o0 + lane] += (a[i0 + lane] * c0 + a[i1 + lane] * c1
                               + a[i2 + lane] * c2 + a[i3 + lane] * c3)
        i0, j0 = i3 + STEP, j3 + c_step
    for _ in range(count % 4):
        c0 = c[j0]
        for lane in range(STEP):
            out[o0 + lane] += a[i0 + lane] * c0
        i0, j0 = i0 + STEP, j0 + c_step
