"""How the threads of a kernel share its tasks.

Tasks are split into as many parts as there can be threads, each of tasks side by side. A thread
begins with its own part and goes on with what is left of the others, so that none waits long for
one that was held up. Which thread does a task changes nothing but the time.

A kernel that shares its tasks so reads

    taken = none_taken(threads)
    for thread in prange(threads):
        task = next_task(signed(thread), taken, tasks)
        while task < tasks:
            ...
            task = next_task(signed(thread), taken, tasks)

With fewer threads than that, one does several turns of the loop, of which only the first finds
tasks.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types

from .emitter import Emitter, emits
from .jit import helper

_config: Any = numba.config
# The most there can be.
THREADS: int = _config.NUMBA_NUM_THREADS
APART = 8  # numbers from one count to the next, so that threads share no cache line


def count_up(counts: Any, place: int) -> int:
    """Read counts[place] and add one to it; no two threads read the same."""
    counts[place] += 1
    return int(counts[place]) - 1


@emits(count_up, lambda counts, place: types.int64)
def _count_up(emitter: Emitter, args: Any) -> Any:
    pointer = emitter.at(emitter.array(0, args), emitter.whole(1, args))
    # Only the numbers themselves are shared: what tasks write is seen when the kernel ends.
    return emitter.builder.atomic_rmw("add", pointer, ir.Constant(ir.IntType(64), 1), "monotonic")


@helper
def none_taken(threads: int) -> Any:
    """How many tasks of each thread's part are taken."""
    return np.zeros(threads * APART, np.int64)


@helper
def next_task(thread: int, taken: Any, total: int) -> int:
    """A task of `total` to do next, of the thread's part if one is left; `total` if none is."""
    threads = taken.size // APART
    for turn in range(threads):
        owner = (thread + turn) % threads
        first, last = owner * total // threads, (owner + 1) * total // threads
        # Read before it is counted up, for that takes the cache line away from other threads.
        if first + taken[owner * APART] < last:
            task = first + count_up(taken, owner * APART)
            if task < last:
                return task
    return total
