"""The kernels at the shapes that networks run them at, not only at small ones."""

from importlib.resources import files

import numpy as np
import pytest

from sasakit.accel import resolve_backend
from sasakit.accel.weights_file import read_weights
from sasakit.conformance.case import Case
from sasakit.conformance.property import agrees, layers_agree
from sasakit.conformance.target import backend_target
from sasakit.reference import AttentionOptions, NetworkSpec, random_weights

DIGITS = files("sasakit.cli") / "digits.safetensors"
SHAPES = {56: 8, 28: 16, 14: 32, 7: 64}


@pytest.mark.parametrize("name", ["numba", "torch"])
@pytest.mark.parametrize(("size", "depth"), SHAPES.items())
def test_attention_agrees_at_the_shapes_of_resnet_50(name, size, depth):
    rng = np.random.default_rng(size)
    shape = (1, size, size, 8, depth)
    arrays = {name: rng.standard_normal(shape).astype(np.float32).astype(np.float64)
              for name in ("query", "key", "value")}
    arrays |= {name: rng.standard_normal((7, depth // 2)).astype(np.float32).astype(np.float64)
               for name in ("rel_row", "rel_col")}
    case = Case("local_attention", arrays, AttentionOptions(), "float32")
    assert agrees(case, backend_target(name, resolve_backend(name))) <= 1


def judge_layers(spec, weights, images):
    arrays = {name: array.astype(np.float32).astype(np.float64)
              for name, array in {"images": images, **weights}.items()}
    case = Case("network", arrays, spec, "float32")
    assert layers_agree(case, backend_target("numba", resolve_backend("numba"))) <= 1


def normalized(weights, rng):
    """The same weights with normalizations that do something, as those of trained networks do."""
    draws = {"norm_scale": lambda size: 1 + 0.3 * rng.standard_normal(size),
             "norm_shift": rng.standard_normal, "norm_mean": rng.standard_normal,
             "norm_variance": lambda size: rng.uniform(0.5, 2, size)}
    return {name: draws[name.rpartition(".")[2]](w.shape).astype(w.dtype)
            if name.rpartition(".")[2] in draws else w for name, w in weights.items()}


@pytest.mark.parametrize(("width", "heads", "stem", "stem_heads"), [
    (64, 8, "conv", 8), (64, 8, "mixture", 8), (64, 4, "plain", 4), (64, 8, "conv_value", 4),
    (6, 1, "conv", 1), (8, 2, "mixture", 2)])
def test_networks_agree_where_channels_fill_vectors_and_where_they_do_not(width, heads, stem,
                                                                          stem_heads):
    spec = NetworkSpec(depth=8, blocks=(1, 1), stages=(1, 2), width=width, heads=heads, extent=3,
                       classes=3, stem=stem, stem_heads=stem_heads)
    rng = np.random.default_rng(1)
    weights = normalized(random_weights(spec, seed=0, dtype=np.float32), rng)
    judge_layers(spec, weights, rng.standard_normal((1, 33, 41, 3)))


def test_the_shipped_network_agrees():
    shipped = read_weights(DIGITS)
    weights = {name: w.astype(np.float32) for name, w in shipped.weights.items()}
    judge_layers(shipped.spec, weights, np.random.default_rng(0).random((1, 28, 28, 1)))
