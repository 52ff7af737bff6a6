"""Memory that vectors are read from and written to begins a cache line."""

import numpy as np
import pytest
from numba import njit

from sasakit.accel.numba_cpu import AttentionLayer, load
from sasakit.accel.numba_cpu.arrays import ALIGNMENT, aligned
from sasakit.accel.numba_cpu.scratch import scratch
from sasakit.reference import AttentionOptions, NetworkSpec, random_layer_weights, random_weights


@njit
def astray(like, count):
    """How many arrays of scratch memory, of 1 to `count` numbers, are not as they must be."""
    found = 0
    for size in range(1, count + 1):
        first, second = scratch(size, like), scratch(7, like)
        found += first.ctypes.data % 64 != 0 or second.ctypes.data % 64 != 0 or first.size != size
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scratch(dtype):
    assert ALIGNMENT == 64
    assert astray(np.zeros(1, dtype), 100) == 0


def test_what_a_layer_returns():
    options = AttentionOptions(extent=3, heads=8)
    layer = AttentionLayer(random_layer_weights(64, 64, 0, options=options, dtype=np.float32),
                           options=options)
    for size in (1, 3, 5):
        assert layer(np.zeros((1, size, size, 64), np.float32)).ctypes.data % ALIGNMENT == 0


def test_packed_weights():
    spec = NetworkSpec(depth=26, stem="mixture", width=16, classes=10)
    network = load(spec, random_weights(spec, 0, dtype=np.float32))
    stem = network.stem.packed
    arrays = [stem.query, stem.key, stem.value, stem.bias, network.classifier.weights]
    arrays += [block.reduce.weights for block in network.blocks]
    assert [array.ctypes.data % ALIGNMENT for array in arrays] == [0] * len(arrays)


def test_a_copy():
    x = np.arange(20.0).reshape(4, 5)[:, 1:]
    assert aligned(x).ctypes.data % ALIGNMENT == 0
    assert (aligned(x) == x.reshape(-1)).all()
