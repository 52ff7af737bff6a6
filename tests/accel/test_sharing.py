"""Every task is done once, whoever does it."""

import numba
import numpy as np
import pytest

from sasakit.accel.numba_cpu.jit import signed
from sasakit.accel.numba_cpu.sharing import count_up, next_task, none_taken

TASKS = 10_000


@numba.njit(parallel=True)
def count_tasks(done, threads):
    taken = none_taken(threads)
    for thread in numba.prange(threads):
        task = next_task(signed(thread), taken, done.size)
        while task < done.size:
            done[task] += 1
            task = next_task(signed(thread), taken, done.size)


@numba.njit(parallel=True)
def count_together(seen):
    counts = none_taken(1)
    for _ in numba.prange(seen.size):
        seen[count_up(counts, 0)] += 1


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
@pytest.mark.parametrize("tasks", [0, 1, 2, 7, TASKS])
def test_every_task_is_done_once(tasks, threads):
    done = np.zeros(tasks, np.int64)
    for _ in range(10):
        count_tasks(done, threads)
    assert (done == 10).all()


def test_no_two_threads_read_the_same_count():
    seen = np.zeros(TASKS, np.int64)
    count_together(seen)
    assert (seen == 1).all()


@numba.njit
def take_turns(turns, total, threads):
    taken = none_taken(threads)
    return [next_task(thread, taken, total) for thread in turns]


@pytest.mark.parametrize("compiled", [True, False])
def test_a_thread_does_its_part_and_then_what_is_left_of_others(compiled, monkeypatch):
    call = take_turns
    if not compiled:
        call = take_turns.py_func
        for helper in (none_taken, next_task):
            monkeypatch.setitem(globals(), helper.__name__, helper.py_func)
    turns = np.array([1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0])
    assert call(turns, 9, 3) == [3, 4, 0, 5, 6, 7, 8, 1, 2, 9, 9]
