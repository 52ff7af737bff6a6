"""Gradients of foreign targets: functions beside the operations, autograd, and processes."""

import shlex
import sys
from pathlib import Path

import pytest

from sasakit.conformance.doors import load_described
from sasakit.conformance.isolation.target import IsolatedTarget
from sasakit.conformance.runner import run_verification

EXAMPLE = Path(__file__).parents[2] / "examples" / "process" / "attention.py"
MINE = """
from sasakit import reference

def pool(x):
    return reference.average_pool(x)

def pool_vjp(upstream, x):
    return reference.average_pool_vjp(upstream, x)

class Both:
    average_pool = staticmethod(reference.average_pool)

    def average_pool_vjp(self, upstream, x):
        return {"x": 1.01 * reference.average_pool_vjp(upstream, x)["x"]}

def lonely(x):
    return reference.average_pool(x)
"""
TENSORS = """
import torch
from sasakit.accel import torch_gpu

tensors = True

def average_pool(x):
    return torch_gpu.average_pool(x)

def mixture(x, w_value, emb_row, emb_col, nu):
    return torch_gpu.value_mixture(x, w_value, emb_row, emb_col, nu.detach())

def stem(images, weights, *, options):
    return torch_gpu.stem(images, weights, options=options)

@torch.no_grad()
def pool(x):
    return torch_gpu.average_pool(x)
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    (folder / "tensors.py").write_text(TENSORS)
    return folder


def described(spec, operation=None):
    return {"door": "python", "spec": str(spec), "operation": operation}


def judged(description, clauses, **given):
    with IsolatedTarget("mine", description) as target:
        return run_verification([target], clauses=clauses, profile="brief", **given)


@pytest.mark.parametrize(("spec", "operation", "gradients"), [
    ("mine.py:pool", "average_pool", ("average_pool",)),
    ("mine.py:lonely", "average_pool", ()),
    ("mine.py:pool_vjp", "average_pool_vjp", ("average_pool",)),
    ("mine.py:Both", None, ("average_pool",)),
    ("tensors.py:mixture", "value_mixture", ("value_mixture",)),
    ("tensors.py:pool", "average_pool", ()),
])
def test_a_door_says_which_gradients_it_has(mine, spec, operation, gradients):
    target = load_described(described(mine / spec, operation))
    assert target.offer.gradients == gradients
    assert target.has_gradients is bool(gradients)


@pytest.mark.parametrize(("spec", "operation", "clauses"), [
    ("mine.py:pool", "average_pool", ["GRAD-10"]),
    ("tensors.py", None, ["GRAD-9", "GRAD-10"]),
])
def test_right_gradients_conform(mine, spec, operation, clauses):
    verdicts = judged(described(mine / spec, operation), clauses)
    assert [verdict.clause for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize(("spec", "operation", "clause", "text"), [
    ("mine.py:Both", None, "GRAD-10", "average_pool, gradient of x: "),
    ("tensors.py:mixture", "value_mixture", "GRAD-7", "value_mixture, gradient of nu: "),
])
def test_wrong_gradients_deviate(mine, spec, operation, clause, text):
    [verdict] = judged(described(mine / spec, operation), [clause])
    assert verdict.failures[0].reason.startswith(text)
    assert "; rho " in verdict.failures[0].reason


def test_other_gradients_than_those_offered_are_not_judged(mine):
    verdicts = judged(described(mine / "mine.py:pool", "average_pool"),
                      ["GRAD-2", "GRAD-9", "GRAD-10"])
    assert {v.clause for v in verdicts if v.passed} == {"GRAD-10"}
    assert {v.reason for v in verdicts if not v.passed} == {
        "the target offers nothing that the clause's cases ask for."}


def test_who_offers_none_is_told_so(mine):
    with pytest.raises(ValueError, match=r"^`target` must offer gradients to be judged by them; "):
        judged(described(mine / "mine.py:lonely", "average_pool"), ["NET-11"], gradients=True)


def test_who_cannot_be_loaded_is_not_judged(mine):
    [verdict] = judged(described(mine / "absent.py"), ["GRAD-10"])
    assert "must name a file that exists" in verdict.reason


def test_the_example_process_has_right_gradients():
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(EXAMPLE))}"
    verdicts = judged({"door": "process", "command": command}, ["GRAD-2", "GRAD-10"])
    assert {v.clause: v.passed for v in verdicts} == {"GRAD-2": True, "GRAD-10": False}
    assert [v.failures for v in verdicts] == [[], []]
