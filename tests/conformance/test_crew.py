"""Several processes that judge: the same verdicts as one, whatever happens to them."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from made_elsewhere import broken, dying

from sasakit.cli.targets import open_targets
from sasakit.conformance.crew import Alone, Processes, crew_of
from sasakit.conformance.isolation.child import Limits
from sasakit.conformance.isolation.processes import children
from sasakit.conformance.isolation.target import IsolatedTarget
from sasakit.conformance.runner import run_verification
from sasakit.conformance.target import BackendTarget

CLAUSES = ["WIN", "PAD", "REL", "ATT", "MIX"]
CRASHES = """
import os
from sasakit import reference

def local_attention(*arrays, options):
    if options.position == "relative" and options.content:
        os._exit(3)
    return reference.local_attention(*arrays, options=options)
"""


@pytest.fixture(autouse=True)
def _others_find_what_is_made_elsewhere(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def judged(target, jobs, **given):
    """Everything that the verdicts say but their time."""
    verdicts = run_verification([target], ladder=True, profile="brief", jobs=jobs,
                                **{"clauses": CLAUSES, **given})
    return [replace(verdict, seconds=0) for verdict in verdicts]


def test_who_conforms_conforms_in_any_number_of_processes():
    [target] = open_targets(["reference"])
    assert isinstance(crew_of(target, 2), Processes)
    alone = judged(target, 1)
    assert all(verdict.passed for verdict in alone)
    assert judged(target, 2) == judged(target, 3) == alone


@pytest.mark.parametrize("deviation", ["window-off-centre", "even-window-before"])
def test_one_early_mistake_is_told_once_in_any_number_of_processes(deviation):
    alone = judged(broken(deviation), 1)
    assert any(verdict.rests_on for verdict in alone)
    assert judged(broken(deviation), 3) == alone


def test_who_is_given_up_is_given_up_in_any_number_of_processes(tmp_path):
    path = tmp_path / "crashes.py"
    path.write_text(CRASHES)
    found = []
    for jobs in (1, 2):
        with IsolatedTarget("crashes", {"door": "python", "spec": str(path)},
                            Limits(restarts=1)) as target:
            found.append(judged(target, jobs))
            assert target.trouble.startswith("given up after 2 failures, the last: exit: ")
    assert found[0] == found[1]


def test_a_process_that_ends_is_no_verdict_and_no_hang():
    begun = time.monotonic()
    by_clause = {verdict.clause: verdict for verdict in judged(dying(), 2)}
    assert by_clause["MIX-1"].reason == \
        "could not be judged: the process that judged it was ended by SIGKILL."
    assert by_clause["PAD-1"].passed
    assert time.monotonic() - begun < 60


def test_what_cannot_be_made_elsewhere_or_is_little_is_judged_here():
    target = BackendTarget("reference", open_targets(["reference"])[0].backend)
    assert isinstance(crew_of(target, 2), Alone)
    assert isinstance(crew_of(broken("window-off-centre"), 1), Alone)
    with pytest.raises(ValueError, match=r"^`jobs` must be at least 1; got 0\.$"):
        judged(target, 0)


def test_ctrl_c_ends_every_process():
    # Whoever runs the tests in the background may have them ignore the signal, and their children.
    started = subprocess.Popen(
        [sys.executable, "-m", "sasakit.cli", "verify", "reference", "--profile", "full",
         "--jobs", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        deadline = time.monotonic() + 30
        while len(workers := children(started.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        started.send_signal(signal.SIGINT)
        assert started.wait(20) == 130
    finally:
        started.kill()
        started.wait()
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []


def test_the_command_line_says_the_same(tmp_path):
    said = []
    for jobs in ("1", "2"):
        done = subprocess.run([sys.executable, "-m", "sasakit.cli", "verify", "reference",
                               "--clauses", "WIN,REL", "--profile", "brief", "--json",
                               "--jobs", jobs], capture_output=True, check=True, cwd=tmp_path)
        document = json.loads(done.stdout)
        for each in document["targets"] + document["verdicts"]:
            del each["seconds"]
        said.append(document)
    assert said[0] == said[1]
