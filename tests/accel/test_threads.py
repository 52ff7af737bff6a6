"""The kernels under threads and forks: the same bits for any number, safe from several at once."""

import os
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest

from sasakit.accel import resolve_backend
from sasakit.conformance.judge import same_bits
from sasakit.reference import AttentionOptions, NetworkSpec, random_layer_weights, random_weights

OPTIONS = AttentionOptions(extent=3, heads=2)
SPEC = NetworkSpec(depth=8, blocks=(1, 1), stem="mixture", width=8, heads=2, extent=3,
                   stages=(1, 2), classes=3)


def layer():
    x = np.random.default_rng(0).standard_normal((2, 17, 13, 6)).astype(np.float32)
    weights = random_layer_weights(6, 8, 0, options=OPTIONS, dtype=np.float32)
    return resolve_backend("numba").attention_layer(x, weights, options=OPTIONS)


def network():
    images = np.random.default_rng(0).standard_normal((2, 33, 21, 3)).astype(np.float32)
    model = resolve_backend("numba").load(SPEC, random_weights(SPEC, 0, dtype=np.float32))
    return model(images)


@pytest.mark.parametrize("run", [layer, network])
def test_any_number_of_threads_gives_the_same_bits(run):
    numba_threads = numba.get_num_threads()
    try:
        results = []
        for threads in sorted({1, numba_threads}):
            numba.set_num_threads(threads)
            results.append(run())
    finally:
        numba.set_num_threads(numba_threads)
    for result in results[1:]:
        same_bits(run.__name__, result, results[0])


@pytest.mark.parametrize("run", [layer, network])
def test_several_python_threads_may_call_at_once(run):
    want, results = run(), []
    threads = [threading.Thread(target=lambda: results.append(run())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for result in results:
        same_bits(run.__name__, result, want)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_may_fork_after_a_kernel_ran():
    code = """
import multiprocessing, numpy as np
from sasakit.accel import resolve_backend
pool = resolve_backend("numba").average_pool
first = pool(np.ones((1, 4, 4, 1)))
with multiprocessing.get_context("fork").Pool(2) as workers:
    print(all((second == first).all() for second in workers.map(pool, [np.ones((1, 4, 4, 1))] * 4)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"


def test_importing_leaves_the_number_of_threads_alone():
    code = ("import numba; before = numba.config.NUMBA_NUM_THREADS; "
            "import sasakit.accel.numba_cpu; print(numba.config.NUMBA_NUM_THREADS == before, "
            "numba.get_num_threads() == before)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"
