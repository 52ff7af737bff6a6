"""sasakit bench: turns and medians, who is missing, the document, and what is refused."""

import functools
import json
import sys

import pytest
from click.testing import CliRunner

from sasakit.accel.numba_cpu import ceilings
from sasakit.cli import bench_layer, bench_machine, bench_network, bench_report, bench_rounds
from sasakit.cli.bench_rounds import Contest, Contestant, Work, take_turns
from sasakit.cli.main import main
from sasakit.reference import AttentionOptions, NetworkSpec

CEILINGS = {"multiply_add": [{"threads": 1, "gflops": 8.0}, {"threads": 2, "gflops": 16.0}],
            "copy_gbytes": 4.0}
MACHINE = {"cpu": {"name": "znver3", "instruction_set": "avx2", "float32_lanes": 8}, "cores": 2,
           "threads": 2, "threading_layer": "tbb", "system": "Linux", "python": "3.11.7",
           "packages": {"numba": "0.68.1"}, "environment": {"OMP_NUM_THREADS": "1"}}


class Stage:
    """Contestants whose calls take as long as they are told, by a clock that only they move."""

    def __init__(self, **seconds):
        self.now, self.calls = 0.0, []
        self.contestants = [Contestant(name, "a", Work(10**9, 10**9),
                                       functools.partial(self.run, name, iter(times)))
                            for name, times in seconds.items()]

    def run(self, name, times):
        self.calls.append(name)
        self.now += next(times)

    def turns(self, rounds, **limits):
        return take_turns(self.contestants, rounds, clock=lambda: self.now, **limits)


@pytest.fixture
def settle(monkeypatch):
    monkeypatch.setattr(bench_rounds, "SETTLE", 1.0)


@pytest.mark.usefixtures("settle")
def test_every_round_begins_one_contestant_later():
    stage = Stage(a=[1.0] * 8, b=[1.0] * 8, c=[1.0] * 8)
    assert stage.turns(4).rounds == 4
    # Each turn is a call that is not timed, and one that is.
    assert "".join(stage.calls[::2]) == "".join(stage.calls[1::2]) == "abcbcacababc"


@pytest.mark.usefixtures("settle")
def test_the_median_of_what_is_timed_counts():
    stage = Stage(a=[1.0] * 6, b=[64.0, 2.0, 64.0, 512.0, 64.0, 4.0])
    assert stage.turns(3).seconds == {"a": 1.0, "b": 4.0}


@pytest.mark.usefixtures("settle")
def test_short_calls_are_repeated_and_averaged():
    stage = Stage(a=[0.25] * 4 + [0.5, 0.25, 0.125, 0.125])
    assert stage.turns(1).seconds == {"a": 0.25}


@pytest.mark.usefixtures("settle")
@pytest.mark.parametrize(("limit", "rounds"), [(0.0, 1), (3.0, 2), (4.0, 2), (100.0, 4)])
def test_no_round_begins_after_the_limit(limit, rounds):
    assert Stage(a=[1.0] * 8).turns(4, limit=limit).rounds == rounds


def fail(error):
    raise error


def test_a_peer_that_fails_is_missing_and_one_of_ours_is_an_error():
    contest = Contest("one")
    contest.invite("absent", "a", Work(1, 1),
                   lambda: fail(ModuleNotFoundError("No module", name="onnxruntime")))
    contest.invite("broken", "a", Work(1, 1), lambda: functools.partial(fail, OSError("lib\nso")))
    assert contest.contestants == []
    assert [(missing.name, missing.reason) for missing in contest.missing] == [
        ("absent", "not installed: onnxruntime"), ("broken", "OSError: lib so")]
    with pytest.raises(OSError, match="lib"):
        contest.enter("ours", "ours", Work(1, 1), functools.partial(fail, OSError("lib")))


@pytest.mark.usefixtures("settle")
def test_text(capsys):
    stage = Stage(a=[1.0] * 4, b=[2.0] * 4)
    contest = Contest("8x8", stage.contestants)
    contest.invite("c", "a", Work(1, 1), lambda: fail(ModuleNotFoundError("", name="openvino")))
    cases = [bench_report.case_document(contest, stage.turns(2))]
    bench_report.print_document(bench_report.document("layer", "sasakit bench layer", 3, MACHINE,
                                                      CEILINGS, cases))
    text = capsys.readouterr().out
    assert text.partition("What the numbers do not say:\n")[0] == """\
sasakit bench layer
znver3, avx2, 2 cores, 2 threads (tbb); Linux
python 3.11.7, numba 0.68.1
OMP_NUM_THREADS=1
At most, float32: 8 GFLOP/s on 1 thread, 16 GFLOP/s on 2 threads; copying moves 4.0 GB/s.

8x8, batch 3, medians of 2 rounds
         ms  GFLOP/s  of peak  ratio  to
a  1000.000     1.00     6.2%   1.00  a
b  2000.000     0.50     3.1%   2.00  a

Missing (not installed: openvino): c.
"""
    assert text.count("\n  - ") == len(bench_report.NOTES)


def test_the_higher_ceiling_counts():
    other = {"multiply_add": [{"threads": 1, "gflops": 9.0}, {"threads": 2, "gflops": 12.0}],
             "copy_gbytes": 3.0}
    assert bench_machine.highest(CEILINGS, other) == {
        "multiply_add": [other["multiply_add"][0], CEILINGS["multiply_add"][1]],
        "copy_gbytes": 4.0}


@pytest.fixture
def tiny(monkeypatch):
    """Shapes that other tests compile kernels for, and ceilings measured in no time."""
    options = AttentionOptions(extent=3, heads=2)
    monkeypatch.setattr(bench_layer, "SHAPES", (bench_layer.Shape(5, 8), bench_layer.Shape(4, 8)))
    monkeypatch.setattr(bench_layer, "OPTIONS", options)
    monkeypatch.setattr(bench_network, "SIZE", 33)
    monkeypatch.setattr(bench_network, "SPEC", NetworkSpec(
        depth=8, blocks=(1, 1), width=8, heads=2, extent=3, stages=(1, 2), classes=3))
    monkeypatch.setattr(ceilings, "multiply_add_rate", functools.partial(
        ceilings.multiply_add_rate, steps=10, runs=1))
    monkeypatch.setattr(ceilings, "copy_rate", functools.partial(
        ceilings.copy_rate, numbers=4096, runs=1))
    monkeypatch.setattr(bench_rounds, "SETTLE", 0.0)


def run(*args):
    return CliRunner().invoke(main, ("bench", *args))


@pytest.mark.usefixtures("tiny")
def test_layer_json_and_picture(tmp_path):
    picture = tmp_path / "roof.png"
    done = run("layer", "--quick", "--rounds", "1", "--threads", "1", "--json", "--picture",
               str(picture))
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert list(document) == ["format", "spec_version", "benchmark", "command", "batch", "machine",
                              "ceilings", "cases", "notes"]
    assert list(document["machine"]) == list(MACHINE)
    assert [rate["threads"] for rate in document["ceilings"]["multiply_add"]] == [1]
    assert [case["case"] for case in document["cases"]] == ["5x5, 8 channels", "4x4, 8 channels"]
    case = document["cases"][0]
    assert [row["name"] for row in case["contestants"]] == [
        "sasakit layer", "sasakit layer, channels first", "sasakit core", "torch conv3x3",
        "torch layer, unfold, einsum", "torch core, unfold, einsum", "torch layer, unfold, matmul",
        "torch core, unfold, matmul", "torch layer, shifts", "torch core, shifts"]
    ours, core = case["contestants"][0], case["contestants"][2]
    assert list(ours) == ["name", "against", "milliseconds", "ratio", "flops", "bytes", "gflops",
                          "share_of_peak"]
    assert (ours["ratio"], ours["milliseconds"] > 0) == (1.0, True)
    assert core["flops"] == 25 * 8 * 2 * (9 + 9 + 3)
    assert ours["flops"] == core["flops"] + 25 * 2 * 3 * 8 * 8
    assert [(missing["name"], missing["reason"]) for missing in case["missing"]] == [
        (name, bench_layer.LEFT_OUT) for name in bench_layer.COMPILED]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("tiny")
def test_a_layer_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "sasakit.cli.bench_torch", raising=False)
    done = run("layer", "--rounds", "1", "--batch", "2")
    assert done.exit_code == 0, done.output
    assert "Missing (not installed: torch): torch conv3x3; " in done.stdout
    assert done.stdout.count("sasakit layer, channels first") == 2


@pytest.mark.usefixtures("tiny")
def test_network_json(monkeypatch):
    for engine in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, engine, None)
    done = run("network", "--quick", "--rounds", "1", "--threads", "1", "--json")
    assert done.exit_code == 0, done.output
    case = json.loads(done.stdout)["cases"][0]
    assert case["case"] == "ResNet-8, stem conv, 33x33"
    assert [row["name"] for row in case["contestants"]] == [
        "sasakit", "torch, eager", "torch, traced and frozen", "torch, traced, frozen, optimized"]
    assert {missing["name"]: missing["reason"] for missing in case["missing"]} == {
        "torch, compiled": bench_layer.LEFT_OUT, "onnxruntime": "not installed: onnxruntime",
        "openvino": "not installed: openvino"}


def test_pictures_need_matplotlib_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("layer", "--picture", "roof.png")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == ("Error: `matplotlib` must be installed for pictures; got none. "
                           "Run: pip install 'sasakit[bench]'.\n")


@pytest.mark.parametrize(("args", "error"), [
    (["--threads", "0"], "`threads` must lie in 1 to 3, as many as Numba has here; got 0."),
    (["--threads", "4"], "`threads` must lie in 1 to 3, as many as Numba has here; got 4."),
    (["--batch", "0"], "Invalid value for '--batch': 0 is not in the range x>=1."),
    (["--rounds", "0"], "Invalid value for '--rounds': 0 is not in the range x>=1."),
    (["--picture", "roof.gif"],
     "`picture` must be a .png file in a folder that is there; got roof.gif."),
    (["--picture", "absent/roof.png"],
     "`picture` must be a .png file in a folder that is there; got absent/roof.png."),
    (["--stem", "plain"],
     "Invalid value for '--stem': 'plain' is not one of 'conv', 'mixture'."),
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
    shown = run("layer", "--help").output
    for key in ("share_of_peak", "copy_gbytes", "multiply_add", "missing", "contestants"):
        assert key in shown
    assert "Keys of --json: those of sasakit bench layer." in run("network", "--help").output
