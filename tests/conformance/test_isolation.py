"""Code that crashes, hangs, lies or leaves things behind: a verdict each, never a pass, no rest."""

import os
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from sasakit.conformance import judge
from sasakit.conformance.isolation.child import Limits
from sasakit.conformance.isolation.failure import TargetFailure, read_failure
from sasakit.conformance.isolation.processes import living_descendants
from sasakit.conformance.isolation.target import IsolatedTarget
from sasakit.conformance.runner import run_verification

HOSTILE = Path(__file__).parent / "hostile"
LIMITS = Limits(seconds=10, starting=30, memory=2 << 30, output=1 << 20, processes=6, restarts=0)
# For those that take all the time that there is.
SHORT = replace(LIMITS, seconds=0.6, starting=1.5)


def isolated(name, limits=None, **arguments):
    limits = limits or (SHORT if name.startswith(("hangs_", "sleeps_")) else LIMITS)
    file, _, attribute = name.partition(":")
    spec = f"{HOSTILE / file}.py" + (f":{attribute}" if attribute else "")
    return IsolatedTarget(name, {"door": "python", "spec": spec, **arguments}, limits)


def verdict_of(name, **arguments):
    """The verdict of NET-11 on a hostile target, after which nothing of it may be left."""
    before = set(living_descendants(os.getpid()))
    mark = uuid.uuid4().hex
    with isolated(name, mark=mark, **arguments) as target:
        verdict = run_verification([target], clauses=["NET-11"], profile="brief")[0]
    left = set(living_descendants(os.getpid())) - before
    assert left == set()
    assert processes_with(mark) == []
    assert not verdict.passed
    return verdict


def processes_with(mark):
    """Processes whose command line has a mark, wherever they have gone."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path("/proc", name, "cmdline").read_bytes()
            session = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if session != "Z" and mark.encode() in line:
            found.append(name)
    return found


@pytest.mark.parametrize(("name", "beginning"), [
    ("segfault", "crash: ended by SIGSEGV, in average_pool."),
    ("aborts", "crash: ended by SIGABRT, in average_pool."),
    ("exits", "exit: the process ended with status 0, in average_pool."),
    ("quits", "exit: called sys.exit(0)."),
    ("hangs_busily", "hang: no answer within 0.6 s, in average_pool."),
    ("sleeps_deaf", "hang: no answer within 0.6 s, in average_pool."),
    ("forks", "fork: "),
    ("orphans", "crash: "),
    ("hungry", "memory: more than the limit allows."),
    ("hungry_slowly", "memory: more than the limit allows."),
    ("prints", "endless output: more than 1048576 bytes, in average_pool."),
    ("raises", "exception: raises.Refusal: no luck"),
    ("raises_unspeakably", "exception: raises_unspeakably.UnspeakableError: (its message cannot"),
    ("recurses", "exception: RecursionError: maximum recursion depth exceeded"),
    ("writes_everywhere", "bad answer: "),
    ("writes_frames", "bad answer: "),
    ("closes", "exit: the process ended with status 1, in average_pool."),
])
def test_what_happens_in_a_call_is_the_verdict(name, beginning):
    verdict = verdict_of(name)
    assert verdict.reason is None
    assert verdict.failures[0].reason.startswith(beginning)
    assert len(verdict.failures[0].reason) < 20_000


@pytest.mark.parametrize(("name", "beginning", "trace"), [
    ("no_such_import", "import error: ModuleNotFoundError: No module named 'no_such_module_any",
     'no_such_import.py", line 1'),
    ("exits_at_import", "exit: called sys.exit(0).", 'exits_at_import.py", line 3'),
    ("hangs_at_import", "hang: no answer within 1.5 s, starting.", ""),
    ("prints_at_import", "endless output: more than 1048576 bytes, starting.", ""),
    ("offers_nothing", "import error: TypeError: `target` must be a function or offer some", ""),
    ("no_file", "import error: ValueError: `target` must name a file that exists; got", ""),
    ("quits:no_name", "import error: ValueError: `target` must name something in ", ""),
    ("excuses_itself", "import error: ValueError: `profile` must have accumulate at least", ""),
    ("empties_itself", "import error: ValueError: `dtypes` must be among ", ""),
])
def test_what_cannot_start_is_not_judged(name, beginning, trace):
    verdict = verdict_of(name)
    assert verdict.failures == []
    assert verdict.reason.startswith(beginning)
    assert trace in verdict.reason


def test_what_cannot_be_read_is_not_judged(tmp_path):
    path = tmp_path / "unfinished.py"
    path.write_text("def average_pool(x:\n    return x\n")
    with IsolatedTarget("unfinished", {"door": "python", "spec": str(path)}, LIMITS) as target:
        assert target.trouble.startswith("import error: SyntaxError: '(' was never closed (")


@pytest.mark.parametrize(("name", "text"), [
    ("nothing", "bad answer: returned None; expected an array."),
    ("text", "bad answer: returned a str; expected an array."),
    ("pair", "bad answer: returned a tuple; expected an array."),
    ("numbers", "bad answer: returned a list; expected an array."),
    ("objects", "bad answer: average_pool returned an array of dtype object; expected float16, "),
    ("integers", "bad answer: average_pool returned an array of dtype int64; expected float16, "),
    ("complex_numbers", "bad answer: average_pool returned an array of dtype complex128; "),
    ("liar", "bad answer: average_pool returned an array of dtype object; "),
    ("huge", "memory: more than the limit allows."),
    ("larger", "bad answer: 6291456 bytes of arrays, in average_pool."),
    ("shape", "average_pool: shape "),
    ("zeros", "average_pool: "),
])
def test_results_that_are_none(name, text):
    verdict = verdict_of(f"wrong_results:{name}", operation="average_pool")
    assert verdict.failures[0].reason.startswith(text)


@pytest.mark.parametrize("name", ["patches", "lingers", "daemon", "doubles"])
def test_no_pass_can_be_faked(name):
    measure = judge.measure
    assert verdict_of(name).failures
    assert judge.measure is measure


def test_a_segfault_has_a_trace():
    reason = verdict_of("segfault").failures[0].reason
    assert "Its last output:" in reason
    assert 'segfault.py", line 5 in average_pool' in reason


def test_a_hang_has_a_trace():
    # On a busy machine it may take longer than the SHORT limit to reach the call at all.
    reason = verdict_of("hangs_busily", limits=replace(LIMITS, seconds=3)).failures[0].reason
    assert 'hangs_busily.py", line 2 in average_pool' in reason


def test_after_some_failures_the_target_is_given_up():
    limits = Limits(seconds=5, starting=5, restarts=1)
    with isolated("exits", limits) as target:
        verdicts = run_verification([target], clauses=["NET-11", "NUM-1"], profile="brief")
        begun = time.monotonic()
        again = run_verification([target], clauses=["NET-11"], profile="brief")
    assert [verdict.passed for verdict in verdicts] == [False, False]
    assert again[0].reason.startswith("given up after 2 failures, the last: exit: the process ")
    assert time.monotonic() - begun < 1


def test_out_of_time_is_no_failure_and_takes_no_longer():
    limits = replace(LIMITS, seconds=5, total=1.5, restarts=99)
    begun = time.monotonic()
    with isolated("sleeps_deaf", limits) as target:
        verdicts = run_verification([target], clauses=["NET-11", "NUM-1"], profile="brief")
        [again] = run_verification([target], clauses=["NET-11"], profile="brief", ladder=True)
    assert [verdict.failures for verdict in verdicts] == [[], []]
    assert {v.reason for v in [*verdicts, again]} == {"out of time: all of its 1.5 s are spent."}
    assert time.monotonic() - begun < 10


def test_a_target_that_is_slow_in_every_call_ends_in_time(tmp_path):
    path = tmp_path / "slow.py"
    path.write_text("import time\nfrom sasakit import reference\n"
                    "def average_pool(x):\n    time.sleep(0.3)\n"
                    "    return reference.average_pool(x)\n")
    described = {"door": "python", "spec": str(path)}
    with IsolatedTarget("slow", described, replace(LIMITS, total=2.5)) as target:
        [verdict] = run_verification([target], clauses=["NET-11"], profile="full")
    assert verdict.cases > 0
    assert (verdict.failures, verdict.passed) == ([], False)
    assert verdict.reason.startswith("out of time: ")


def test_a_wrong_answer_does_not_end_the_child():
    with isolated("wrong_results:nothing", operation="average_pool") as target:
        run_verification([target], clauses=["NET-11"], profile="brief")
        assert target.trouble is None


@pytest.mark.parametrize("document", [
    None, {}, [], {"kind": "pass", "text": "", "raised": None},
    {"kind": "exception", "text": 3, "raised": None},
    {"kind": "exception", "text": "", "raised": ["ValueError"]}])
def test_failures_that_are_misspelled_are_bad_answers(document):
    assert read_failure(document).kind == "bad answer"


def test_an_answer_is_needed_from_what_cannot_start():
    with isolated("no_such_import") as target, pytest.raises(TargetFailure, match="no_such_module"):
        _ = target.dtypes
