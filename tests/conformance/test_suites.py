"""Every property on every backend, and on the second definition of every operation."""

import pytest
import second_definition

from sasakit.accel import resolve_backend
from sasakit.conformance.property import PROPERTIES
from sasakit.conformance.runner import EXAMPLES, Verdict, run_property
from sasakit.conformance.target import backend_target

TARGETS = ("reference", "second", "numba", "torch")
WITH_GRADIENTS = ("reference", "torch")
PAIRS = [(name, prop) for name in TARGETS for prop in PROPERTIES
         if name in WITH_GRADIENTS or not prop.gradients]


def target_named(name):
    backend = second_definition if name == "second" else resolve_backend(name)
    return backend_target(name, backend)


@pytest.mark.parametrize(("name", "prop"), PAIRS,
                         ids=[f"{name}-{prop.clause}-{prop.name}" for name, prop in PAIRS])
def test_conforms(name, prop):
    target, verdict = target_named(name), Verdict(name, prop.clause)
    for dtype in target.dtypes:
        if prop.dtypes is None or dtype in prop.dtypes:
            run_property(prop, target, dtype, verdict, EXAMPLES["quick"], seed=0)
    assert verdict.failures == []
    assert verdict.cases > 0
    assert verdict.rho <= 1
