"""The kernels at the shapes that networks run them at, not only at small ones."""

import numpy as np
import pytest

from sasakit.accel import resolve_backend
from sasakit.conformance.case import Case
from sasakit.conformance.property import agrees
from sasakit.conformance.target import backend_target
from sasakit.reference import AttentionOptions

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
