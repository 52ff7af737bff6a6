"""Two lines in someone else's suite: one test for each clause, with a failure that says why."""

import re
import subprocess
import sys

import pytest

from sasakit import reference
from sasakit.conformance.pytest_plugin import conformance_tests, open_target
from sasakit.conformance.target import BackendTarget

SUITE = """
from sasakit import reference
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import mutated_backend
from sasakit.conformance.pytest_plugin import conformance_tests
from sasakit.conformance.target import BackendTarget

broken = next(each for each in MUTANTS if each.deviation == "padding-excluded")
test_sound = conformance_tests(reference, clauses=["PAD"], profile="brief")
test_broken = conformance_tests(BackendTarget("broken", mutated_backend(broken)),
                                clauses=["PAD-1", "MIX-1"], profile="brief")
test_foreign = conformance_tests("mine.py:local_attention", clauses=["WIN-2", "MIX-1"],
                                 profile="brief")
"""
MINE = "from sasakit.reference import local_attention\n"


def test_a_suite_has_one_test_for_each_clause(tmp_path):
    (tmp_path / "test_mine.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-W", "error", "-p", "no:cacheprovider",
         "--rootdir", tmp_path, "test_mine.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300)
    found = re.findall(r"^(PASSED|FAILED|SKIPPED) .*?test_mine\.py::(\S+)", done.stdout,
                       re.MULTILINE)
    assert sorted(found) == [
        ("FAILED", "test_broken[PAD-1]"), ("PASSED", "test_broken[MIX-1]"),
        ("PASSED", "test_foreign[WIN-2]"), *(("PASSED", f"test_sound[PAD-{n}]")
                                             for n in (1, 2, 3))], done.stdout
    assert "1 skipped" in done.stdout
    assert "PAD-1 Outside the image, zero" in done.stdout
    assert "judge it alone: sasakit verify broken --case PAD-1/" in done.stdout
    assert "Traceback" not in done.stdout


def test_unknown_clauses_are_refused_when_the_suite_is_read():
    with pytest.raises(ValueError, match=r"^`clauses` must be ids or chapters"):
        conformance_tests(reference, clauses=["PAD-9"])


def test_targets_and_backends_are_taken():
    target = BackendTarget("mine", reference)
    assert open_target(target) is target
    assert open_target(reference).name == "reference"
    assert open_target("a.b:c").name == "a.b:c"
    with pytest.raises(TypeError, match=r"^`target` must be a Target, a backend or .*; got int.$"):
        open_target(3)
