"""sasakit bench: turns and medians, who is missing, the document, and what is refused."""

import functools
import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from sasakit.accel.numba_cpu import ceilings
from sasakit.cli import (
    bench_child,
    bench_figures,
    bench_layer,
    bench_machine,
    bench_network,
    bench_report,
    bench_rounds,
)
from sasakit.cli.bench_rounds import Contest, Contestant, Work, faster, take_turns
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
        return take_turns(self.contestants, rounds, clock=lambda: self.now,
                          **{"others": lambda: 0.0} | limits)


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


@pytest.mark.usefixtures("settle")
def test_disturbed_rounds_are_left_out_unless_all_were():
    # Before the first round, then before and after each: others run in the second one.
    others = iter([0.0, 0.0, 0.0, 0.0, 500.0, 500.0, 500.0])
    stage = Stage(a=[1.0, 2.0, 1.0, 512.0, 1.0, 4.0])
    times = stage.turns(3, others=lambda: next(others))
    assert (times.rounds, times.disturbed, times.seconds) == (3, 1, {"a": 3.0})
    seconds = iter(range(100))
    times = Stage(a=[1.0] * 4).turns(2, others=lambda: float(next(seconds)))
    assert (times.rounds, times.disturbed, times.seconds) == (2, 2, {"a": 1.0})


@pytest.mark.usefixtures("settle")
def test_where_others_cannot_be_seen_every_round_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_rounds, "COUNTERS", tmp_path / "absent")
    assert bench_rounds.time_of_others() is None
    times = Stage(a=[1.0] * 4).turns(2, others=bench_rounds.time_of_others)
    assert (times.rounds, times.disturbed) == (2, None)


def test_the_time_of_others_is_what_the_machine_was_busy_with_but_for_us(monkeypatch, tmp_path):
    counters = tmp_path / "stat"
    # user, nice, system, idle, waiting, interrupts, soft interrupts, stolen, guest, guest nice
    counters.write_text("cpu  100 20 30 4000 500 6 7 8 900 1000\ncpu0 1 1 1\n")
    monkeypatch.setattr(bench_rounds, "COUNTERS", counters)
    monkeypatch.setattr(bench_rounds.os, "sysconf", {"SC_CLK_TCK": 1}.__getitem__)
    monkeypatch.setattr(bench_rounds.time, "process_time", lambda: 71.0)
    assert bench_rounds.time_of_others() == 100


@pytest.mark.usefixtures("settle")
def test_the_faster_way_is_taken_and_says_so():
    stage = Stage(slow=[4.0] * 3, fast=[2.0] * 3)
    slow, fast = (contestant.run for contestant in stage.contestants)
    builds = {"slow": lambda: slow, "fast": lambda: fast, "broken": lambda: fail(OSError("lib"))}
    best = faster(builds, clock=lambda: stage.now)
    assert (best.run, best.name, best.note) == (fast, "fast", "fast; slow took 2.00 times as long")
    with pytest.raises(OSError, match="lib"):
        faster({"broken": builds["broken"]})


def fail(error):
    raise error


def test_a_peer_that_fails_is_missing_and_one_of_ours_is_an_error():
    contest = Contest("one", 1, 1)
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
    contest = Contest("8x8", 3, 2, {"size": 8}, stage.contestants)
    contest.invite("c", "a", Work(1, 1), lambda: fail(ModuleNotFoundError("", name="openvino")))
    contest.times = stage.turns(2)
    figures = [{"name": "memory", "unit": "bytes", "value": 2.0 ** 20, "reason": None},
               {"name": "start", "unit": "seconds", "value": None, "reason": "no clock"}]
    document = bench_report.document("layer", "sasakit bench layer", MACHINE, CEILINGS, [contest],
                                     figures)
    document["targets"] = [
        {"row": "b / a", "case": "8x8", "kind": "ratio", "target": 3.0, "measured": 2.0,
         "met": False, "against": "b", "without": ["c"], "reason": None},
        {"row": "share", "case": "8x8", "kind": "share", "target": 0.0625, "measured": 0.0625,
         "met": True, "against": None, "without": [], "reason": None},
        {"row": "start", "case": "8x8", "kind": "seconds", "target": None, "measured": None,
         "met": None, "against": None, "without": [], "reason": "no clock"}]
    bench_report.print_document(document)
    text = capsys.readouterr().out
    assert text.partition("What the numbers do not say:\n")[0] == """\
sasakit bench layer
znver3, avx2, 2 cores, 2 threads (tbb); Linux
python 3.11.7, numba 0.68.1
OMP_NUM_THREADS=1
At most, float32: 8 GFLOP/s on 1 thread, 16 GFLOP/s on 2 threads; copying moves 4.0 GB/s.

8x8: 2 threads, medians of 2 rounds; 0 disturbed, left out
         ms  GFLOP/s  of peak  ratio  to
a  1000.000     1.00     6.2%   1.00  a
b  2000.000     0.50     3.1%   2.00  a

memory: 1.0 MiB
start: not measured (no clock)

Targets were set for machines with AVX-512: two cores of Zen 5, float32, two threads.
       case  target  measured  met  fastest peer
b / a  8x8     3.00      2.00  no   b (without c)
share  8x8       6%        6%  yes
start  8x8        -         -  -    no clock

Missing (not installed: openvino): c.
"""
    assert text.count("\n  - ") == len(bench_report.NOTES) + 1


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


def test_a_child_says_how_it_failed():
    with pytest.raises(RuntimeError, match="KeyError: 'no-such-task'"):
        bench_child.ask("no-such-task", {"threads": 1})


def test_memory_is_not_measured_where_no_high_water_mark_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_child, "RESET", tmp_path / "absent")
    with pytest.raises(RuntimeError, match="keeps no high-water mark that can be reset"):
        bench_child.extra_memory("sasakit", {})


def test_a_start_lasts_from_the_beginning_to_the_result(monkeypatch):
    caches = []

    def ask(task, sizes, environment=None):
        caches.append(environment.get("NUMBA_CACHE_DIR"))
        return 12.0

    monkeypatch.setattr(bench_child, "ask", ask)
    monkeypatch.setattr(bench_child.time, "time", lambda: 4.5)
    seconds = [bench_child.start_seconds("first-layer", {}, cold=cold) for cold in (False, True)]
    assert seconds == [7.5, 7.5]
    assert caches[0] is None
    assert caches[1] is not None


def test_memory_is_the_high_water_mark_beyond_what_was_there_and_the_output(monkeypatch, tmp_path):
    status = tmp_path / "status"
    monkeypatch.setattr(bench_child, "STATUS", status)
    monkeypatch.setattr(bench_child, "RESET", tmp_path / "reset")
    made = []

    def make(sizes, size):
        made.append(size)
        status.write_text(f"VmHWM:\t   {900} kB\nVmRSS:\t   {500} kB\n")
        return lambda: np.zeros(1024, np.uint8)

    assert bench_child.measure_memory(make, {"size": 56}) == (900 - 500 - 1) * 1024
    assert made == [bench_child.SMALL, 56]
    assert (tmp_path / "reset").read_text() == "5"


def test_figures_that_fail_have_a_reason(monkeypatch):
    def ask(task, sizes, environment=None):
        if task == "unfold":
            raise RuntimeError("ModuleNotFoundError: No module named 'torch'")
        return 5.0

    monkeypatch.setattr(bench_child, "ask", ask)
    figures = bench_figures.measure_figures("layer", 1, True)
    assert [(figure["value"] is None, figure["reason"]) for figure in figures] == [
        (False, None), (True, "RuntimeError: ModuleNotFoundError: No module named 'torch'"),
        (False, None), (True, bench_layer.LEFT_OUT)]
    assert [figure["name"] for figure in bench_figures.measure_figures("network", 1, True)] == [
        "first result, warm cache", "first result, empty cache"]


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
