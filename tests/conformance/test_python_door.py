"""The door for Python code: what it loads, what it offers, and that it computes the same."""

import sys
import textwrap

import numpy as np
import pytest

from sasakit.conformance.builders import attention_cases
from sasakit.conformance.doors import load_described
from sasakit.conformance.draw import Draw
from sasakit.conformance.isolation.target import IsolatedTarget
from sasakit.conformance.offer import OPERATIONS, asked_operations, read_offer
from sasakit.conformance.property import PROPERTIES, run
from sasakit.conformance.runner import run_verification

MINE = """
    import numpy as np
    from sasakit import reference

    dtypes = ("float32",)

    def local_attention(*arrays, options):
        return reference.local_attention(*arrays, options=options)

    class Fewer:
        options = {"padding": ["zero"], "position": ["none"]}
        checks_input = False

        def local_attention(self, *arrays, options):
            assert (options.padding, options.position) == ("zero", "none")
            return reference.local_attention(*arrays, options=options)

    class Wrapped:
        dtype = "float64"

        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return self.array

    def pool(x):
        return Wrapped(reference.average_pool(x))

    def tensor(x):
        import torch
        return torch.tensor(reference.average_pool(x), requires_grad=True)

    class Holder:
        average_pool = staticmethod(reference.average_pool)

    held = Holder()

    class Needy:
        def __init__(self, heads):
            pass
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(MINE))
    return str(path)


def load(spec, **arguments):
    return load_described({"door": "python", "spec": spec, **arguments})


def words(verdicts):
    return {v.clause: "not judged" if v.reason else v.passed for v in verdicts}


@pytest.mark.parametrize(("name", "operation", "operations"), [
    ("", None, ("local_attention",)),
    (":local_attention", None, ("local_attention",)),
    (":pool", "average_pool", ("average_pool",)),
    (":Fewer", None, ("local_attention",)),
    (":Fewer.local_attention", "relative_logits", ("relative_logits",)),
    (":held", None, ("average_pool",)),
])
def test_offers_what_was_named(mine, name, operation, operations):
    assert load(mine + name, operation=operation).offer.operations == operations


def test_a_module_offers_all_that_it_has():
    assert load("sasakit.reference").offer.operations == OPERATIONS


def test_declared_types_are_taken(mine):
    assert load(mine).dtypes == ("float32",)
    assert load(f"{mine}:Fewer").dtypes == ("float64", "float32")


@pytest.mark.parametrize(("spec", "operation", "error", "text"), [
    ("{mine}:absent", None, ValueError, "^`target` must name something in .*; got 'absent'.$"),
    ("{mine}:pool", None, ValueError, "^`--operation` must be one of .*; got 'pool'.$"),
    ("{mine}:pool", "convolve", ValueError, "^`--operation` must be one of .*; got 'convolve'.$"),
    ("{mine}:dtypes", None, TypeError, "^`target` must be a function or offer .* a tuple that "),
    ("{mine}:Needy", None, TypeError, "missing 1 required positional argument: 'heads'"),
    ("{mine}.py", None, ValueError, "^`target` must name a file that exists; got "),
    ("no_such_package.module:name", None, ModuleNotFoundError, "no_such_package"),
])
def test_refuses_what_offers_nothing(mine, spec, operation, error, text):
    with pytest.raises(error, match=text):
        load(spec.format(mine=mine), operation=operation)


def test_a_file_of_a_package_may_import_relatively(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    inner = tmp_path / "borrowed" / "layers"
    inner.mkdir(parents=True)
    (tmp_path / "borrowed" / "__init__.py").touch()
    (inner / "__init__.py").touch()
    (tmp_path / "borrowed" / "pools.py").write_text(
        "from sasakit.reference import average_pool\n")
    (inner / "relative.py").write_text("from ..pools import average_pool\n")
    target = load(f"{inner / 'relative.py'}:average_pool")
    assert target.offer.operations == ("average_pool",)
    assert sys.modules["borrowed.layers.relative"].average_pool is target.offered.average_pool


def test_an_unknown_door_is_refused():
    with pytest.raises(ValueError, match=r"^`door` must be one of python, .*; got 'window'.$"):
        load_described({"door": "window"})


@pytest.mark.parametrize("name", ["pool", "tensor"])
def test_arrays_of_other_kinds_are_read(mine, name):
    target = load(f"{mine}:{name}", operation="average_pool")
    prop = next(prop for prop in PROPERTIES if prop.name == "odd_ends_are_averaged_alone")
    case = prop.cases(Draw(lambda label, most: min(1, most)), "float64")
    result = target.call(case, target.native(case))
    assert target.result_dtype(result) == "float64"
    assert type(run(case, target)) is np.ndarray
    assert prop.check(case, target) <= 1


def test_what_is_not_offered_is_not_judged(mine):
    with IsolatedTarget("fewer", {"door": "python", "spec": f"{mine}:Fewer"}) as target:
        verdicts = run_verification([target], profile="brief",
                                    clauses=["PAD", "POS-1", "REL-1", "REL-5", "INV-2", "WIN-1"])
    assert words(verdicts) == {
        "WIN-1": True, "PAD-1": True, "PAD-2": "not judged", "PAD-3": "not judged",
        "REL-1": "not judged", "REL-5": "not judged", "POS-1": True, "INV-2": "not judged"}


def test_the_reference_conforms_through_the_door():
    clauses = ["REL-6", "ATT-6", "MIX-1", "STEM-6", "NET-1", "NET-11", "NUM-1", "NUM-4", "NUM-6",
               "INV"]
    with IsolatedTarget("r", {"door": "python", "spec": "sasakit.reference"}) as target:
        verdicts = run_verification([target], profile="brief", clauses=clauses)
    assert all(verdict.passed for verdict in verdicts), [v for v in verdicts if not v.passed]


CHANGES = """
    from sasakit import reference
    def average_pool(x):
        result = reference.average_pool(x)
        return result
    def local_attention(query, *others, options):
        result = reference.local_attention(query, *others, options=options)
        if query.flags.writeable:
            query += 1
        return result
"""


def test_an_input_that_is_changed_is_seen(tmp_path):
    path = tmp_path / "changes.py"
    path.write_text(textwrap.dedent(CHANGES))
    with IsolatedTarget("changes", {"door": "python", "spec": str(path)}) as target:
        verdict = run_verification([target], profile="brief", clauses=["NUM-6"])[0]
    assert "input query: the bits of two results differ" in verdict.failures[0].reason


def test_every_operation_that_is_drawn_was_foreseen():
    rng = np.random.default_rng(0)
    for prop in PROPERTIES:
        dtype = (prop.dtypes or ("float64",))[0]
        drawn = {prop.cases(Draw(lambda label, most: int(rng.integers(most + 1))), dtype).operation
                 for _ in range(4)}
        assert drawn <= asked_operations(prop, dtype), prop.name


def test_a_case_that_was_not_offered_is_not_taken():
    offer = read_offer({"operations": ["local_attention"], "options": {"extent": [3]}})
    first = Draw(lambda label, most: 0)
    assert offer.takes(attention_cases(first, "float64", extent=3))
    assert not offer.takes(attention_cases(first, "float64", extent=5))
    assert not offer.takes(attention_cases(first, "float64", operation="relative_logits", extent=3))


@pytest.mark.parametrize(("document", "text"), [
    ({"operations": []}, "^`operations` must be some of .*; got"),
    ({"operations": ["convolve"]}, "^`operations` must be some of .*; got"),
    ({"operations": "stem"}, "^`operations` must be some of .*; got 'stem'.$"),
    ({"dtypes": 3}, "^`dtypes` must be a sequence of names; got 3.$"),
    ({"dtypes": ["int8"]}, "^`dtypes` must be among float16, "),
    ({"checks_input": "no"}, "^`checks_input` must be True or False; got 'no'.$"),
    ({"options": []}, "^`options` must be a mapping; got list.$"),
    ({"options": {"colour": ["red"]}}, "^`options` must be options among .*; got colour: "),
    ({"options": {"padding": ["same"]}}, "^`options` must be some of zero, .*; got padding: "),
    ({"options": {"padding": []}}, "^`options` must be some of zero, .*; got padding: "),
    ({"options": {"extent": ["7"]}}, "^`options` must be numbers; got extent: "),
    ({"profile": 1}, "^`profile` must be a mapping; got int.$"),
    ({"profile": {"speed": 1}}, "^`profile` must have fields among .*; got"),
    ({"profile": {"accumulate": "float16"}}, "^`profile` must have accumulate at least as fine "),
    ({"profile": {"float32": {"logits": "bfloat16"}}}, "^`profile` must have logits at least as "),
    ({"profile": {"exp_ulps": 1000}}, "^`profile` must have exp_ulps from 0 to 64; got 1000.$"),
    ({"profile": {"exp_ulps": True}}, "^`profile` must have exp_ulps from 0 to 64; got True.$"),
    ({"profile": {"io": "float16"}}, "^`profile` must have flushes_subnormals .* and io float64"),
])
def test_declarations_are_checked(document, text):
    with pytest.raises((ValueError, TypeError), match=text):
        read_offer(document)


def test_a_profile_may_be_given_for_each_dtype():
    offer = read_offer({"dtypes": ["float32", "float16"], "profile": {
        "float16": {"accumulate": "float16", "exp_ulps": 2}}})
    assert offer.profiles["float32"].accumulate == "float32"
    assert offer.profiles["float16"].logits == "float16"
    assert offer.profiles["float16"].exp_ulps == 2
