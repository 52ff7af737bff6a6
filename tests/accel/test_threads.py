"""The kernels under threads and forks: the same bits for any number, safe from several at once."""

import os
import threading

import numba
import numpy as np
import pytest
from kernel_processes import words_printed

from sasakit.accel import resolve_backend
from sasakit.conformance.judge import same_bits
from sasakit.reference import AttentionOptions, NetworkSpec, random_layer_weights, random_weights

OPTIONS = AttentionOptions(extent=3, heads=2)
SPEC = NetworkSpec(depth=8, blocks=(1, 1), stem="mixture", width=8, heads=2, extent=3,
                   stages=(1, 2), classes=3)


# Wide enough for heads as lanes.
WIDE = NetworkSpec(depth=8, blocks=(1, 1), stem="conv", width=64, heads=8, extent=5, stages=(1, 2),
                   classes=5)


def layer():
    x = np.random.default_rng(0).standard_normal((2, 17, 13, 6)).astype(np.float32)
    weights = random_layer_weights(6, 8, 0, options=OPTIONS, dtype=np.float32)
    return resolve_backend("numba").attention_layer(x, weights, options=OPTIONS)


def network():
    images = np.random.default_rng(0).standard_normal((2, 33, 21, 3)).astype(np.float32)
    model = resolve_backend("numba").load(SPEC, random_weights(SPEC, 0, dtype=np.float32))
    return model(images)


def wide_layer():
    options = AttentionOptions(extent=5, heads=8)
    x = np.random.default_rng(0).standard_normal((2, 17, 13, 24)).astype(np.float32)
    weights = random_layer_weights(24, 64, 0, options=options, dtype=np.float32)
    return resolve_backend("numba").attention_layer(x, weights, options=options)


RUNS = [layer, wide_layer, network]


@pytest.mark.parametrize("run", RUNS)
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


@pytest.mark.parametrize("run", RUNS)
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


def images_of(seed, batch=1):
    return np.random.default_rng(seed).standard_normal((batch, 33, 27, 3)).astype(np.float32)


def test_one_network_serves_several_threads():
    model = resolve_backend("numba").load(WIDE, random_weights(WIDE, 0, dtype=np.float32))
    want, found = [model(images_of(seed)) for seed in range(8)], {}

    def run(seed):
        found[seed] = [model(images_of(seed)) for _ in range(4)]

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, results in found.items():
        for result in results:
            same_bits("logits", result, want[seed])
    assert len(found) == 8


def test_any_split_of_a_batch_gives_the_same_bits():
    model = resolve_backend("numba").load(WIDE, random_weights(WIDE, 0, dtype=np.float32))
    images = images_of(0, batch=5)
    whole = model(images)
    for sizes in ((1, 4), (2, 3), (1, 1, 1, 1, 1)):
        edges = np.cumsum(sizes)[:-1]
        parts = [model(part) for part in np.split(images, edges)]
        same_bits("logits", np.concatenate(parts), whole)


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
    assert words_printed(code, timeout=300) == ["True"]


def test_importing_leaves_the_number_of_threads_alone():
    code = ("import numba; before = numba.config.NUMBA_NUM_THREADS; "
            "import sasakit.accel.numba_cpu; print(numba.config.NUMBA_NUM_THREADS == before, "
            "numba.get_num_threads() == before)")
    assert words_printed(code) == ["True", "True"]
