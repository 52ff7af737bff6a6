"""What this machine can do at most: multiply-adds in a second, and bytes copied in a second.

Both kernels do nothing else, in vectors of the same width as the operations' kernels, on as many
threads as Numba may use now. The best of some runs counts: a ceiling is what was once reached.
"""

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from .arrays import aligned_zeros
from .jit import kernel, launch, prange, signed
from .vector_rows import add_products, loads, stores
from .vector_types import Constant
from .vector_width import lanes_of
from .vectors import splat

# Independent sums: more than two multipliers have in flight, and with both factors no more than
# 16 registers hold.
SUMS = 12
# Vectors that one step copies.
COPIED = 4
STEPS = 1 << 22
# Numbers to copy: 128 MiB read and as much written, more than caches hold.
NUMBERS = 1 << 25
RUNS = 20


@kernel
def multiply_add_kernel(out: Any, start: Any, factor: Any, steps: int, lanes: Any,
                        sums: Any) -> None:
    """Write start + steps x factor start[:lanes] to each task's sums; `out` is flat (tasks, sums).

    start   flat (sums, lanes); they differ, or the compiler would compute one sum for all
    factor  (1,)
    """
    wide = lanes.value * sums.value
    for index in prange(out.size // wide):
        task = signed(index)
        row = loads(lanes, start, 0, lanes.value, sums)
        x = splat(lanes, factor[0])
        for _ in range(steps):
            row = add_products(row, x, start, 0, 0)
        stores(out, task * wide, lanes.value, row)


@kernel
def copy_kernel(out: Any, x: Any, tasks: int, lanes: Any, vectors: Any) -> None:
    """Copy x to `out`, of one size that `vectors` vectors divide."""
    wide = lanes.value * vectors.value
    blocks = x.size // wide
    for index in prange(tasks):
        task = signed(index)
        for block in range(blocks * task // tasks, blocks * (task + 1) // tasks):
            stores(out, block * wide, lanes.value,
                   loads(lanes, x, block * wide, lanes.value, vectors))


def multiply_add_rate(*, steps: int = STEPS, runs: int = RUNS) -> float:
    """FLOPs in a second at most, float32, a multiply-add counted as 2."""
    lanes, tasks = lanes_of(np.dtype(np.float32)), numba.get_num_threads()
    start = np.linspace(0, 1, SUMS * lanes.value, dtype=np.float32)
    out, factor = np.empty(tasks * start.size, np.float32), np.full(1, 0.5, np.float32)
    seconds = _shortest(lambda: launch(multiply_add_kernel, out, start, factor, steps, lanes,
                                       Constant(SUMS)), runs)
    return 2 * out.size * steps / seconds


def copy_rate(*, numbers: int = NUMBERS, runs: int = RUNS) -> float:
    """Bytes in a second at most, read and written counted each, of arrays no cache holds.

    numbers  float32 numbers in one array
    """
    lanes, tasks = lanes_of(np.dtype(np.float32)), numba.get_num_threads()
    size = numbers - numbers % (lanes.value * COPIED)
    x, out = (aligned_zeros(size, np.dtype(np.float32)) for _ in range(2))
    x[:] = 1  # memory that was never written may all be one page of zeros
    seconds = _shortest(lambda: launch(copy_kernel, out, x, tasks, lanes, Constant(COPIED)), runs)
    return 2 * out.nbytes / seconds


def _shortest(run: Callable[[], None], runs: int) -> float:
    """Seconds of the fastest run; the first compiles and is not counted."""
    run()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
