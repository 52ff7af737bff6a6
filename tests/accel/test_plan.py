"""Plans: memory that is used again, runs on other arrays, and layers packed once."""

import tracemalloc
import weakref

import numpy as np
import pytest

from sasakit.accel.numba_cpu import (
    AttentionLayer,
    arranged_attention,
    attention_layer,
    heads,
    load,
    local_attention,
)
from sasakit.accel.numba_cpu.canvas import Canvas, canvas_kernel
from sasakit.accel.numba_cpu.plan import Plan, Plans
from sasakit.reference import AttentionOptions, NetworkSpec, random_layer_weights, random_weights

FLOAT32 = np.dtype(np.float32)
OPTIONS = AttentionOptions(extent=3, heads=8)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_released_memory_is_used_again():
    plan = Plan()
    large, small = plan.buffer(100, FLOAT32), plan.buffer(10, FLOAT32)
    plan.release(large)
    assert np.shares_memory(plan.buffer(60, FLOAT32), large)
    assert not np.shares_memory(plan.buffer(60, FLOAT32), small)
    assert plan.nbytes == 4 * (100 + 10 + 60)


def test_the_smallest_that_is_large_enough_is_taken():
    plan = Plan()
    buffers = [plan.buffer(size, FLOAT32) for size in (50, 20, 30)]
    for buffer in buffers:
        plan.release(buffer)
    assert np.shares_memory(plan.buffer(25, FLOAT32), buffers[2])


def test_zeros_are_shared_by_those_who_write_the_same_places():
    plan = Plan()
    zeros = plan.zeros("borders", 5, FLOAT32)
    assert plan.zeros("borders", 5, FLOAT32) is zeros
    assert not np.shares_memory(plan.zeros("others", 5, FLOAT32), zeros)


def test_every_run_takes_its_own_arrays():
    plan, numbers = Plan(), np.arange(6, dtype=np.float32)
    out, x = plan.input(np.zeros(6, np.float32)), plan.input(numbers)
    plan.launch(canvas_kernel, out, x, Canvas(1, 2, 3, 3, 0, 6, 3))
    for factor in (1, 2):
        found = np.zeros(6, np.float32)
        plan.run(found, numbers * np.float32(factor))
        assert (found == numbers * factor).all()


def test_a_run_takes_parts_of_its_arrays():
    plan = Plan()
    out, x = plan.input(np.zeros(6, np.float32)), plan.input(np.zeros(12, np.float32))
    plan.launch(canvas_kernel, out[:6], x[4:][2:8], Canvas(1, 2, 3, 3, 0, 6, 3))
    found = np.zeros(6, np.float32)
    plan.run(found, np.arange(12, dtype=np.float32))
    assert (found == np.arange(6, 12)).all()


def test_a_plan_keeps_no_array_that_it_ran_on():
    x = np.zeros(6, np.float32)
    seen = weakref.ref(x)
    plan = Plan()
    plan.launch(canvas_kernel, plan.input(x), plan.input(x), Canvas(1, 2, 3, 3, 0, 6, 3))
    plan.run(x, x.copy())
    del x
    assert seen() is None


def test_images_taken_a_few_at_a_time_give_the_same_bits(monkeypatch):
    weights = random_layer_weights(64, 64, 0, options=OPTIONS, dtype=np.float32)
    x = draw(5, 6, 7, 64)
    whole = AttentionLayer(weights, options=OPTIONS)(x)
    image = 3 * 64 * 8 * 9 * 4
    for together in (1, 2 * image):
        monkeypatch.setattr(heads, "TOGETHER", together)
        assert (AttentionLayer(weights, options=OPTIONS)(x) == whole).all()


def count_built(plans, kinds):
    """How many plans of 40 bytes are built for calls of these kinds, one after the other."""
    built = []

    def build(plan):
        plan.buffer(10, FLOAT32)
        built.append(plan)

    for kind in kinds:
        with plans.plan(kind, build):
            pass
    return len(built)


def test_plans_wait_up_to_their_bytes():
    # Two of the three fit: the longest unused one is built again.
    assert count_built(Plans(most=100), "aabca") == 4


def test_what_is_larger_than_all_waits_only_where_it_must():
    assert count_built(Plans(most=30), "aa") == 2
    assert count_built(Plans(most=30, least=1), "aabb") == 2


def test_a_plan_that_failed_is_forgotten():
    plans, built = Plans(), []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), plans.plan("kind", built.append):
            raise ZeroDivisionError
    assert len(built) == 2


def test_a_repeated_call_of_a_network_allocates_its_logits_only():
    spec = NetworkSpec(depth=26, classes=7)
    weights = {name: w.astype(np.float32) for name, w in random_weights(spec, seed=0).items()}
    network, images = load(spec, weights), draw(1, 40, 56, 3)
    first = network(images)
    tracemalloc.start()
    again = network(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Arguments of the kernels are Python's own small objects.
    assert peak < 1 << 16
    assert (again == first).all()


def test_a_layer_packed_once_gives_what_the_operation_gives():
    weights = random_layer_weights(24, 64, 0, options=OPTIONS, dtype=np.float32)
    layer = AttentionLayer(weights, options=OPTIONS)
    images = [draw(1, 5, 6, 24), draw(2, 4, 7, 24, seed=1)]
    expected = [attention_layer(x, weights, options=OPTIONS) for x in images]
    weights["w_value"][:] = 0
    for x, y in zip(images, expected, strict=True):
        for _ in range(2):
            assert (layer(x) == y).all()


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("count", [8, 3])
def test_what_is_arranged_once_is_attended_again(count, content):
    options = AttentionOptions(extent=3, heads=count, content=content)
    query, key, value = (draw(1, 5, 6, count, 8, seed=seed) for seed in range(3))
    tables = [draw(options.table_rows, 4, seed=seed) for seed in (3, 4)]
    expected = local_attention(query, key, value, *tables, options=options)
    run = arranged_attention(query, key, value, *tables, options=options)
    for _ in range(2):
        y = run()
        assert (y == expected).all()
        y[...] = np.nan
        key[...] = 0


def test_a_layer_says_what_does_not_fit():
    layer = AttentionLayer(random_layer_weights(24, 64, 0, options=OPTIONS, dtype=np.float32),
                           options=OPTIONS)
    with pytest.raises(ValueError, match="`w_query`"):
        layer(draw(1, 5, 6, 23))


def test_arguments_that_fitted_once_do_not_let_others_pass():
    weights = random_layer_weights(24, 64, 0, options=OPTIONS, dtype=np.float32)
    x = draw(1, 5, 6, 24)
    attention_layer(x, weights, options=OPTIONS)
    for wrong in ([1], {**weights, "w_query": None}, {**weights, "more": x}, None):
        with pytest.raises((TypeError, ValueError), match="`weights`"):
            attention_layer(x, wrong, options=OPTIONS)
    with pytest.raises(TypeError, match="`options`"):
        attention_layer(x, weights, options={})
    for wrong in (x.tolist(), np.ma.masked_array(x), x.astype(int)):
        with pytest.raises(TypeError, match="`x`"):
            attention_layer(wrong, weights, options=OPTIONS)
