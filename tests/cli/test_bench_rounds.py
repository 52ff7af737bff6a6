"""Turns, their medians and what is printed of them, who is missing, and the machine's load."""

import functools

import pytest

from sasakit.cli import bench_machine, bench_report, bench_rounds
from sasakit.cli.bench_rounds import Contest, Contestant, Work, faster, take_turns

from .bench_documents import CEILINGS, MACHINE


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
