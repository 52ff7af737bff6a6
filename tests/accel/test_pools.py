"""The pool of a stem at widths that fill vectors, and between them, NaN among its numbers."""

import numpy as np
import pytest

from sasakit.accel.numba_cpu.max_pool import max_pool
from sasakit.accel.numba_cpu.plan import Plan


@pytest.mark.parametrize("channels", [6, 64, 70, 130])
@pytest.mark.parametrize(("window", "stride", "before"), [(3, 2, 1), (4, 4, 0), (2, 2, 0)])
def test_the_largest_of_every_window(window, stride, before, channels):
    x = np.random.default_rng(channels).standard_normal((2, 9, 11, channels)).astype(np.float32)
    x.flat[::37] = np.nan
    rows, cols = (-(-size // stride) for size in x.shape[1:3])
    out, plan = np.zeros((2, rows, cols, channels), np.float32), Plan()
    max_pool(plan, out.reshape(-1), x.reshape(-1), x.shape, window, stride, before)
    plan.run()
    for i in range(rows):
        for j in range(cols):
            top, left = max(i * stride - before, 0), max(j * stride - before, 0)
            part = x[:, top:i * stride - before + window, left:j * stride - before + window]
            assert np.array_equal(out[:, i, j], part.max((1, 2)), equal_nan=True)
