"""Golden vectors: the same bytes again, results judged by them, and files that are refused."""

import hashlib
import json
from importlib import resources

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sasakit.conformance.vectors import check_vectors, export_vectors

from .vector_results import compute

SCHEMA = json.loads(
    resources.files("sasakit.conformance").joinpath("schemas/vectors.schema.json").read_text())
CLAUSES = ["REL-1", "PAD-2", "MIX-3", "STEM-5", "NUM-4", "NUM-5", "NET-11", "INV-2",
           "NUM-6", "NUM-7"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("vectors") / "golden"
    export_vectors(directory, clauses=CLAUSES, profile="brief", seed=3,
                   dtypes=("float64", "float32", "float16"))
    return directory


@pytest.fixture
def golden(tmp_path):
    directory = tmp_path / "golden"
    export_vectors(directory, clauses=["PAD-2"], profile="brief", dtypes=["float32"])
    return directory


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def manifest_of(directory):
    return json.loads((directory / "manifest.json").read_text())


def change(directory, **given):
    """Change the first entry of the manifest."""
    manifest = manifest_of(directory)
    manifest["cases"][0] |= given
    (directory / "manifest.json").write_text(json.dumps(manifest))


def test_the_same_seed_gives_the_same_bytes(shared, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    export_vectors(again, clauses=CLAUSES, profile="brief", seed=3,
                   dtypes=("float64", "float32", "float16"))
    export_vectors(other, clauses=["PAD-2"], profile="brief", seed=4)
    assert contents(again) == contents(shared)
    assert contents(other).keys() & contents(shared).keys()
    assert contents(other).items() - contents(shared).items()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_manifest_keeps_to_its_schema_and_says_what_is_left_out(shared):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    manifest = manifest_of(shared)
    jsonschema.validate(manifest, SCHEMA)
    assert {(each["clause"], each["property"]) for each in manifest["not_exported"]} == {
        ("NUM-6", "memory_does_not_matter"), ("NUM-7", "the_same_call_gives_the_same_bits")}
    assert {entry["clause"] for entry in manifest["cases"]} == set(CLAUSES) - {"NUM-6", "NUM-7"}


def test_whole_vectors_agree_with_the_reference(shared):
    verdicts = check_vectors(shared)
    assert [verdict.clause for verdict in verdicts] == [
        "PAD-2", "REL-1", "MIX-3", "STEM-5", "NET-11", "NUM-4", "NUM-5", "INV-2"]
    assert all(verdict.passed for verdict in verdicts)


def test_right_results_pass(shared, tmp_path):
    compute(shared, tmp_path / "results")
    assert all(verdict.passed for verdict in check_vectors(shared, tmp_path / "results"))


@pytest.mark.parametrize(("change", "text"), [
    (lambda result: result * 1.01, "rho"),
    (lambda result: result[..., :1], "shape"),
    (lambda result: result.astype(np.float64), "dtype float64; expected float32."),
    (lambda result: np.full_like(result, np.nan), "finite in one and not in the other"),
])
def test_wrong_results_fail(golden, tmp_path, change, text):
    compute(golden, tmp_path / "results", change)
    verdict, = check_vectors(golden, tmp_path / "results")
    assert text in verdict.failures[0].reason


def test_results_that_are_missing_do_not_pass(golden, tmp_path):
    (tmp_path / "none").mkdir()
    verdict, = check_vectors(golden, tmp_path / "none")
    assert (verdict.passed, verdict.failures) == (False, [])
    assert verdict.reason == "no file of results belongs to a case of this clause."
    compute(golden, tmp_path / "some")
    next((tmp_path / "some").iterdir()).unlink()
    verdict, = check_vectors(golden, tmp_path / "some")
    assert [failure.reason for failure in verdict.failures] == ["no file of results."]


@pytest.mark.parametrize("name", ["expected", "budget", "input.value"])
def test_vectors_that_were_tampered_with_do_not_pass(golden, name):
    entry = manifest_of(golden)["cases"][-1]
    path = golden / entry["file"]
    tensors = load_file(path)
    tensors[name] = tensors[name] * 3 + 1
    save_file(tensors, path)
    change_last(golden, hashlib.sha256(path.read_bytes()).hexdigest())
    verdict, = check_vectors(golden)
    assert len(verdict.failures) == 1


def change_last(directory, digest):
    manifest = manifest_of(directory)
    manifest["cases"][-1]["sha256"] = digest
    (directory / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(("given", "text"), [
    ({"file": "../../etc/passwd"}, "^`file` must be a plain name that ends in .safetensors; got"),
    ({"file": "/etc/passwd.safetensors"}, "^`file` must be a plain name"),
    ({"file": "..\\x.safetensors"}, "^`file` must be a plain name"),
    ({"file": ".hidden.safetensors"}, "^`file` must be a plain name"),
    ({"file": "a\n.safetensors"}, "^`file` must be a plain name"),
    ({"file": "absent.safetensors"}, "^`absent.safetensors` must be a file in .*; got none.$"),
    ({"file": 3}, "^`cases` must have the entries that the schema names; got another at 0.$"),
    ({"sha256": "0" * 64}, "must have the digest that the manifest names; got another.$"),
    ({"sha256": "pass"}, "^`sha256` must be 64 hexadecimal digits; got 'pass'.$"),
    ({"dtype": "int8"}, "^`cases` must have the entries"),
    ({"dtype": "float64"}, "must hold the inputs in float64, expected and budget; got other tens"),
    ({"arguments": ["query"]}, "must hold the inputs in float32, .*; got other tensors.$"),
    ({"operation": "load"}, "must be a case that the reference takes; got"),
    ({"operation": "__class__"}, "must be a case that the reference takes; got"),
    ({"options_type": "NetworkSpec"}, "must be a case that the reference takes; got"),
    ({"options_type": "Case"}, "^`cases` must have the entries"),
    ({"kind": "pass"}, "^`cases` must have the entries"),
    ({"kind": "form"}, "must hold the inputs in float32, .*; got other tensors.$"),
    ({"types": {"query": "object"}}, "^`cases` must have the entries"),
    ({"options_type": None}, "^`options` must be null exactly where"),
    ({"options_type": "StemOptions"}, "^`options` must be valid; got"),
    ({"options": {"extent": 10**9}}, "^`options` must have sizes of at most 64; got"),
    ({"options": {"padding": "same"}}, "^`options` must be valid; got .*`padding` must be one of"),
    ({"options": {"padding": ["zero"]}}, "^`options` must be valid; got"),
])
def test_a_hostile_manifest_is_one_error(golden, given, text):
    change(golden, **given)
    with pytest.raises(ValueError, match=text):
        check_vectors(golden)


@pytest.mark.parametrize(("text", "message"), [
    ("", "^`manifest.json` must be JSON; got something else.$"),
    ("[" * 100_000, "^`manifest.json` must be JSON; got something else.$"),
    ("[]", "^`manifest.json` must be of the format sasakit-vectors 2; got another.$"),
    ('{"format": "sasakit-vectors", "format_version": 1}', "^`manifest.json` must be of the form"),
])
def test_a_manifest_that_is_none_is_refused(golden, text, message):
    (golden / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        check_vectors(golden)


def test_a_file_is_named_once(golden):
    manifest = manifest_of(golden)
    manifest["cases"].append(manifest["cases"][0])
    (golden / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="must name every file once"):
        check_vectors(golden)


@pytest.mark.parametrize("spoil", [
    lambda data: data[:-1], lambda data: data[:5], lambda data: b"",
    lambda data: b"\x80\x04pickle.", lambda data: b"\xff" * 8 + data[8:], lambda data: data + b"x"])
def test_files_that_are_cut_or_foreign_are_refused(golden, tmp_path, spoil):
    path = golden / manifest_of(golden)["cases"][0]["file"]
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match="must have the digest that the manifest names"):
        check_vectors(golden)
    change(golden, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match=r"must be a safetensors file; got"):
        check_vectors(golden)


def test_a_link_is_not_followed(golden, tmp_path):
    path = golden / manifest_of(golden)["cases"][0]["file"]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"must be a file in .*; got none.$"):
        check_vectors(golden)


def test_results_that_are_no_files_of_results_are_refused(golden, tmp_path):
    results = tmp_path / "results"
    compute(golden, results)
    path = results / manifest_of(golden)["cases"][0]["file"]
    save_file({"answer": np.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"must hold a tensor named result; got answer.$"):
        check_vectors(golden, results)
    with pytest.raises(ValueError, match=r"^`results` must be a folder; got "):
        check_vectors(golden, path)


def test_what_is_there_is_kept(golden, tmp_path):
    before = contents(golden)
    with pytest.raises(ValueError, match=r"^`directory` must not exist yet, or be replaced"):
        export_vectors(golden, clauses=["MIX-1"], profile="brief")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"^`directory` must hold golden vectors or nothing to be"):
        export_vectors(other, clauses=["MIX-1"], profile="brief", force=True)
    assert contents(golden) == before
    assert contents(other) == {"thesis.txt": b"mine"}
    export_vectors(golden, clauses=["MIX-1"], profile="brief", force=True)
    assert {entry["clause"] for entry in manifest_of(golden)["cases"]} == {"MIX-1"}
    assert {path.name for path in tmp_path.iterdir()} == {"golden", "other"}


def test_nothing_is_half_written(tmp_path, monkeypatch):
    def fail(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sasakit.conformance.vectors.write_file", fail)
    with pytest.raises(OSError, match="No space left"):
        export_vectors(tmp_path / "golden", clauses=["MIX-1"], profile="brief")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("given", "text"), [
    ({"profile": "slow"}, "^`profile` must be one of brief, quick, full; got 'slow'.$"),
    ({"dtypes": ["int8"]}, "^`dtypes` must be among float16, bfloat16, float32, float64; got int8"),
    ({"clauses": ["PAD-9"]}, "^`clauses` must be ids or chapters"),
])
def test_export_refuses(tmp_path, given, text):
    with pytest.raises(ValueError, match=text):
        export_vectors(tmp_path / "golden", **given)
    assert list(tmp_path.iterdir()) == []
