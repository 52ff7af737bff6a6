"""The kernels at the shapes that networks run them at, not only at small ones."""

import numpy as np
import pytest

from sasakit.accel import resolve_backend
from sasakit.conformance.case import Case
from sasakit.conformance.property import agrees, layers_agree
from sasakit.conformance.target import backend_target
from sasakit.reference import AttentionOptions, NetworkSpec, random_weights

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


@pytest.mark.parametrize(("width", "heads"), [(64, 8), (6, 1)])
def test_networks_agree_where_channels_fill_vectors_and_where_they_do_not(width, heads):
    spec = NetworkSpec(depth=8, blocks=(1, 1), stages=(1, 2), width=width, heads=heads, extent=3,
                       classes=3)
    weights = random_weights(spec, seed=0, dtype=np.float32)
    images = np.random.default_rng(1).standard_normal((1, 33, 41, 3)).astype(np.float32)
    arrays = {name: array.astype(np.float64)
              for name, array in {"images": images, **weights}.items()}
    case = Case("network", arrays, spec, "float32")
    assert layers_agree(case, backend_target("numba", resolve_backend("numba"))) <= 1
