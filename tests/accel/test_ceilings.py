"""The kernels of the ceilings do the work that they are timed for."""

import numpy as np
import pytest

from sasakit.accel.numba_cpu import ceilings
from sasakit.accel.numba_cpu.jit import launch
from sasakit.accel.numba_cpu.vector_types import Constant
from sasakit.accel.numba_cpu.vector_width import lanes_of
from sasakit.conformance.judge import same_bits

LANES = lanes_of(np.dtype(np.float32))


def test_every_multiply_add_is_done():
    # Whole numbers this small are exact in float32.
    start = np.arange(ceilings.SUMS * LANES.value, dtype=np.float32)
    out = np.full(2 * start.size, np.nan, np.float32)
    launch(ceilings.multiply_add_kernel, out, start, np.full(1, 3, np.float32), 10, LANES,
           Constant(ceilings.SUMS))
    added = np.tile(start[:LANES.value], ceilings.SUMS)
    same_bits("sums", out, np.tile(start + 10 * 3 * added, 2).astype(np.float32))


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_every_number_is_copied(tasks):
    x = np.arange(7 * LANES.value * ceilings.COPIED, dtype=np.float32)
    out = np.full(x.size, np.nan, np.float32)
    launch(ceilings.copy_kernel, out, x, tasks, LANES, Constant(ceilings.COPIED))
    same_bits("copy", out, x)


def test_rates_are_work_by_the_shortest_time(monkeypatch):
    monkeypatch.setattr(ceilings.numba, "get_num_threads", lambda: 2)
    monkeypatch.setattr(ceilings, "_shortest", lambda run, runs: 0.5)
    assert ceilings.multiply_add_rate(steps=10) == 2 * 2 * ceilings.SUMS * LANES.value * 10 / 0.5
    assert ceilings.copy_rate(numbers=4096) == 2 * 4 * 4096 / 0.5
