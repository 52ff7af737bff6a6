"""sasakit bench: the document, pictures, who is missing, and what is refused."""

import functools
import json
import sys

import pytest
from click.testing import CliRunner

from sasakit.accel.numba_cpu import ceilings
from sasakit.cli import (
    bench_child,
    bench_layer,
    bench_machine,
    bench_network,
    bench_rounds,
)
from sasakit.cli.main import main
from sasakit.reference import AttentionOptions, NetworkSpec

from .bench_documents import MACHINE


@pytest.fixture
def tiny(monkeypatch):
    """Shapes that other tests compile kernels for, and ceilings measured in no time."""
    options = AttentionOptions(extent=3, heads=2)
    shapes = (bench_layer.Shape(5, 8), bench_layer.Shape(4, 8))
    monkeypatch.setattr(bench_layer, "SHAPES", shapes)
    monkeypatch.setattr(bench_layer, "TABLE", ((shapes[0], 1), (shapes[1], 1), (shapes[0], 3)))
    monkeypatch.setattr(bench_layer, "QUICK_FORMS", ("unfold, einsum",))
    monkeypatch.setattr(bench_layer, "OPTIONS", options)
    monkeypatch.setattr(bench_network, "SIZE", 33)
    monkeypatch.setattr(bench_network, "SPEC", NetworkSpec(
        depth=8, blocks=(1, 1), width=8, heads=2, extent=3, stages=(1, 2), classes=3))
    monkeypatch.setattr(ceilings, "multiply_add_rate", functools.partial(
        ceilings.multiply_add_rate, steps=10, runs=1))
    monkeypatch.setattr(ceilings, "copy_rate", functools.partial(
        ceilings.copy_rate, numbers=4096, runs=1))
    monkeypatch.setattr(bench_rounds, "SETTLE", 0.0)
    # What children measure is another test's.
    monkeypatch.setattr(bench_child, "ask", lambda task, sizes, environment=None: 2.0)


def run(*args):
    return CliRunner().invoke(main, ("bench", *args))


@pytest.mark.usefixtures("tiny")
def test_layer_json():
    done = run("layer", "--quick", "--rounds", "1", "--threads", "1", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert list(document) == ["format", "spec_version", "benchmark", "command", "machine",
                              "ceilings", "cases", "figures", "targets", "notes"]
    assert list(document["machine"]) == list(MACHINE)
    assert [rate["threads"] for rate in document["ceilings"]["multiply_add"]] == [1]
    assert [(case["case"], case["batch"], case["threads"]) for case in document["cases"]] == [
        ("5x5, 8 channels, batch 1", 1, 1), ("4x4, 8 channels, batch 1", 1, 1),
        ("5x5, 8 channels, batch 3", 3, 1)]
    case = document["cases"][0]
    assert list(case) == ["case", "batch", "threads", "shape", "curve", "rounds", "disturbed",
                          "contestants", "missing"]
    assert case["shape"] == {"size": 5, "channels": 8, "extent": 3}
    assert [row["name"] for row in case["contestants"]] == [
        "sasakit layer", "sasakit layer, channels first", "sasakit core",
        "sasakit core, called alone", "torch conv3x3", "torch conv3x3, packed",
        "torch layer, unfold, einsum", "torch core, unfold, einsum"]
    ours, core = case["contestants"][0], case["contestants"][2]
    assert list(ours) == ["name", "against", "milliseconds", "ratio", "flops", "bytes", "gflops",
                          "share_of_peak", "note"]
    assert (ours["ratio"], ours["milliseconds"] > 0) == (1.0, True)
    assert core["flops"] == 25 * 8 * 2 * (9 + 9 + 3)
    assert ours["flops"] == core["flops"] + 25 * 2 * 3 * 8 * 8
    assert {missing["name"]: missing["reason"] for missing in case["missing"]} == {
        f"torch {part}, {form}": bench_layer.LEFT_OUT for part in ("layer", "core")
        for form in ("unfold, matmul", "shifts", "tiles", "compiled")}
    assert [figure["name"] for figure in document["figures"]] == [
        "extra memory, sasakit", "extra memory, torch unfold", "first result, warm cache",
        "first result, empty cache"]
    assert {tuple(row) for row in document["targets"]} == {
        ("row", "case", "kind", "target", "measured", "met", "against", "without", "reason")}


@pytest.mark.usefixtures("tiny")
def test_layer_pictures(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_layer, "EXTENTS", (3, 5, 7))
    monkeypatch.setattr(bench_layer, "EXTENT_SHAPE", bench_layer.Shape(5, 8))
    monkeypatch.setattr(bench_layer, "SIZES", (4, 5, 6))
    monkeypatch.setattr(bench_layer, "SIZE_CHANNELS", 8)
    folder = tmp_path / "a" / "pictures"
    done = run("layer", "--quick", "--rounds", "1", "--json", "--pictures", str(folder))
    assert done.exit_code == 0, done.output
    assert [(case["case"], case["curve"]) for case in json.loads(done.stdout)["cases"][3:]] == [
        ("5x5, 8 channels, batch 1, extent 5", True), ("5x5, 8 channels, batch 1, extent 7", True),
        ("6x6, 8 channels, batch 1", True)]
    assert sorted(path.name for path in folder.iterdir()) == ["extent.png", "roofline.png",
                                                              "size.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())


@pytest.mark.usefixtures("tiny")
def test_a_layer_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in ("bench_torch", "bench_forms"):
        monkeypatch.delitem(sys.modules, f"sasakit.cli.{module}", raising=False)
    done = run("layer", "--rounds", "1", "--batch", "2")
    assert done.exit_code == 0, done.output
    assert "Missing (not installed: torch): torch conv3x3; torch conv3x3, packed; " in done.stdout
    assert done.stdout.count("sasakit layer, channels first") == 2


@pytest.mark.usefixtures("tiny")
def test_network_json(monkeypatch):
    for engine in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, engine, None)
    done = run("network", "--quick", "--rounds", "1", "--threads", "2", "--json")
    assert done.exit_code == 0, done.output
    cases = json.loads(done.stdout)["cases"]
    assert [case["case"] for case in cases] == [
        "33x33, batch 1", "33x33, batch 8", "33x33, batch 1, one thread"]
    peers = ["torch, eager", "torch, traced, frozen, optimized"]
    assert [row["name"] for row in cases[0]["contestants"]] == [
        "sasakit", "sasakit, attention stem", *peers]
    absent = {"torch, compiled": bench_layer.LEFT_OUT,
              "torch, traced and frozen": bench_layer.LEFT_OUT}
    for engine in ("onnxruntime", "openvino"):
        absent |= dict.fromkeys((engine, f"{engine}, attention"), f"not installed: {engine}")
    assert {missing["name"]: missing["reason"] for missing in cases[0]["missing"]} == absent
    notes = [row["note"] for row in cases[0]["contestants"]]
    assert notes[2].partition(" took ")[0] in ("channels last; channels first",
                                               "channels first; channels last")
    assert notes[3] == notes[2].partition(";")[0]
    for case in cases[1:]:
        assert [row["name"] for row in case["contestants"]] == ["sasakit", *peers]
        assert {missing["reason"] for missing in case["missing"]} == {
            bench_layer.LEFT_OUT, f"{bench_layer.LEFT_OUT}, which keeps the 2 fastest"}


def test_pictures_need_matplotlib_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("layer", "--pictures", "build")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == ("Error: `matplotlib` must be installed for pictures; got none. "
                           "Run: pip install 'sasakit[bench]'.\n")


@pytest.mark.parametrize(("args", "error"), [
    (["--threads", "0"], "`threads` must lie in 1 to 3, as many as Numba has here; got 0."),
    (["--threads", "4"], "`threads` must lie in 1 to 3, as many as Numba has here; got 4."),
    (["--batch", "0"], "Invalid value for '--batch': 0 is not in the range x>=1."),
    (["--rounds", "0"], "Invalid value for '--rounds': 0 is not in the range x>=1."),
])
def test_refused(monkeypatch, args, error):
    monkeypatch.setattr(bench_machine, "most_threads", lambda: 3)
    done = run("network", *args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"Error: {error}"


def test_threads_are_put_back():
    torch = pytest.importorskip("torch")
    import numba
    before = numba.get_num_threads(), torch.get_num_threads()
    with bench_machine.thread_count(1):
        assert (numba.get_num_threads(), torch.get_num_threads()) == (1, 1)
    assert (numba.get_num_threads(), torch.get_num_threads()) == before


def test_help_lists_the_keys_and_where_they_are():
    for command in ("layer", "network"):
        shown = run(command, "--help").output
        for key in ("share_of_peak", "copy_gbytes", "multiply_add", "missing", "contestants",
                    "disturbed", "targets", "figures", "without"):
            assert key in shown
