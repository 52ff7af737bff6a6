"""Initial weights: NET-9."""

import math

import numpy as np
import pytest

from sasakit.reference import AttentionOptions, NetworkSpec, random_layer_weights, random_weights
from sasakit.reference.contract.parameters import network_parameters

SPEC = NetworkSpec(depth=8, blocks=(1, 1), width=32, heads=4, stem="mixture", stages=(1,))


def test_names_and_shapes_are_the_contracts():
    weights = random_weights(SPEC, seed=0)
    assert {name: w.shape for name, w in weights.items()} == network_parameters(SPEC)


def test_a_seed_repeats_and_another_differs():
    one, same, other = (random_weights(SPEC, seed=seed) for seed in (1, 1, 2))
    assert all((one[name] == same[name]).all() for name in one)
    assert (one["classifier.w"] != other["classifier.w"]).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_dtype_is_the_one_asked_for(dtype):
    assert {w.dtype.name for w in random_weights(SPEC, seed=0, dtype=dtype).values()} == {dtype}


@pytest.mark.parametrize(("name", "variance"), [
    ("stage1.block1.attention.w_query", 1 / 32), ("stage1.block1.expand.w", 2 / 32),
    ("stage2.block1.conv.w", 2 / (9 * 64)), ("classifier.w", 2 / 256), ("stem.w_value", 1 / 3),
    ("stage1.block1.attention.rel_row", 1 / 4), ("stem.nu", 1 / 8),
])
def test_variances_are_those_of_the_clause(name, variance):
    """NET-9: the mean of the squares lies within six standard deviations of the variance."""
    squares = np.concatenate([random_weights(SPEC, seed=seed)[name].ravel() ** 2
                              for seed in range(200)]) / variance
    # The square of a standard normal has mean 1 and variance 2.
    assert abs(squares.mean() - 1) < 6 * math.sqrt(2 / squares.size)


def test_statistics_start_as_the_identity():
    weights = random_weights(SPEC, seed=0)
    for name, w in weights.items():
        last = name.rpartition(".")[2]
        if last in ("norm_scale", "norm_variance"):
            assert (w == 1).all()
        elif last in ("norm_shift", "norm_mean", "bias"):
            assert (w == 0).all()
        else:
            assert (w != 0).all()


@pytest.mark.parametrize(("seed", "error", "text"), [
    (-1, ValueError, "^`seed` must be at least 0; got -1.$"),
    (0.5, TypeError, "^`seed` must be an integer; got 0.5.$"),
    (None, TypeError, "^`seed` must be an integer; got None.$"),
])
def test_refuses_other_seeds(seed, error, text):
    with pytest.raises(error, match=text):
        random_weights(SPEC, seed=seed)


@pytest.mark.parametrize(("channels", "options", "text"), [
    ((4, 10), {"heads": 4}, "^`heads` must divide the channels_out; got heads=4, channels_out=10"),
    ((5, 8), {"heads": 4, "projection": "per_head"}, "^`heads` must divide the channels_in; got"),
    ((4, 12), {"heads": 4},
     "^`heads` must give an even depth with position relative; got depth=3.$"),
    ((4, 9), {"heads": 3, "relative": "layer_halves"},
     "^`heads` must give an even heads x depth with relative layer_halves; got heads=3"),
    ((0, 8), {"heads": 4}, "^`channels_in` must be at least 1; got 0.$"),
])
def test_refuses_layers_that_cannot_be(channels, options, text):
    with pytest.raises(ValueError, match=text):
        random_layer_weights(*channels, seed=0, options=AttentionOptions(**options))
