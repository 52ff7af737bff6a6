"""Golden vectors that expect more than one value: layers, gradients, a form, an error, bfloat16."""

import json
from importlib import resources

import jsonschema
import numpy as np
import pytest

from sasakit.conformance.runner import judged_clauses
from sasakit.conformance.vectors import check_vectors, export_vectors

from .vector_results import compute

SCHEMA = json.loads(
    resources.files("sasakit.conformance").joinpath("schemas/vectors.schema.json").read_text())
# One clause of each kind, and what a wrong result is told.
KINDS = {"NET-7": "layers", "GRAD-10": "gradients", "NUM-1": "form", "INV-3": "error",
         "INV-4": "error", "NET-11": "value"}


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    directory = tmp_path_factory.mktemp("kinds") / "golden"
    export_vectors(directory, clauses=list(KINDS), profile="brief", dtypes=("bfloat16", "float32"))
    return directory


def entries(directory):
    return json.loads((directory / "manifest.json").read_text())["cases"]


def test_each_kind_is_there_and_keeps_to_the_schema(golden):
    jsonschema.validate(json.loads((golden / "manifest.json").read_text()), SCHEMA)
    found = {(entry["clause"], entry["kind"]) for entry in entries(golden)}
    assert found == {*KINDS.items(), ("NET-11", "layers")}
    halves = {entry["clause"] for entry in entries(golden) if entry["dtype"] == "bfloat16"}
    assert halves == {"NET-7", "NET-11", "GRAD-10", "NUM-1"}
    named = {entry["error"]["argument"] for entry in entries(golden) if entry["kind"] == "error"}
    assert "" not in named
    assert "options" in named


def test_whole_vectors_and_right_results_pass(golden, tmp_path):
    compute(golden, tmp_path / "results")
    for results in (None, tmp_path / "results"):
        verdicts = check_vectors(golden, results)
        assert {verdict.clause for verdict in verdicts} == set(KINDS)
        assert [verdict for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize(("change", "failing"), [
    (lambda result: result[..., :0], {"NET-7", "NET-11", "GRAD-10"}),
    (lambda result: result + np.ones_like(result), {"NET-7", "NET-11", "GRAD-10"}),
    (lambda result: result.astype(np.float64), {"NET-7", "NET-11", "GRAD-10", "NUM-1"}),
])
def test_wrong_results_fail_where_they_are_wrong(golden, tmp_path, change, failing):
    compute(golden, tmp_path / "results", change)
    verdicts = check_vectors(golden, tmp_path / "results")
    assert {verdict.clause for verdict in verdicts if verdict.failures} == failing


def test_an_error_must_name_the_argument(golden, tmp_path):
    results = tmp_path / "results"
    compute(golden, results)
    wrong = next(entry["file"] for entry in entries(golden) if entry["clause"] == "INV-3")
    path = results / wrong.replace(".safetensors", ".json")
    path.write_text(json.dumps({"error": {"argument": "elsewhere"}}))
    failed = {v.clause: v.failures for v in check_vectors(golden, results) if v.failures}
    assert list(failed) == ["INV-3"]
    assert "the error names `elsewhere`; expected `" in failed["INV-3"][0].reason
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"must be an error that names its argument; got someth"):
        check_vectors(golden, results)


def test_a_layer_that_is_missing_fails(golden, tmp_path):
    from safetensors.numpy import load_file, save_file
    results = tmp_path / "results"
    compute(golden, results)
    path = results / next(entry["file"] for entry in entries(golden) if entry["clause"] == "NET-7")
    tensors = load_file(path)
    del tensors["result.logits"]
    save_file(tensors, path)
    [failed] = [verdict for verdict in check_vectors(golden, results) if verdict.failures]
    assert [each.reason for each in failed.failures] == ["logits: there is none."]


def test_all_but_memory_and_repetition_is_exported(tmp_path):
    from sasakit.conformance.property import PROPERTIES
    from sasakit.conformance.vector_kinds import kind_of
    left = {prop.clause for prop in PROPERTIES if kind_of(prop) is None}
    assert left == {"NUM-6", "NUM-7"}
    assert left < set(judged_clauses())
