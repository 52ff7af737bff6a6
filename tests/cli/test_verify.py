"""`sasakit verify`: rows, JSON, exit status, and a kernel broken on purpose."""

import json
import sys

import pytest
from click.testing import CliRunner

from sasakit.accel import door
from sasakit.cli.main import main
from sasakit.conformance.mutants import Mutant, mutated_backend


def verify(*arguments):
    return CliRunner().invoke(main, ["verify", *arguments])


def test_prints_one_row_for_each_clause_and_a_closing_line():
    result = verify("reference", "--clauses", "PAD-1,PAD-2")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["target", "clause", "cases", "worst", "rho", "verdict"]
    assert [line.split()[:2] for line in lines[1:3]] == [["reference", "PAD-1"],
                                                         ["reference", "PAD-2"]]
    assert [line.split()[-1] for line in lines[1:3]] == ["pass", "pass"]
    assert lines[3] == "2 clauses passed, 0 failed: reference conforms."


def test_json_has_one_object_for_each_target_and_clause():
    result = verify("reference", "reference", "numba", "--clauses", "MIX", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["passed"] is True
    assert [(v["target"], v["clause"], v["verdict"]) for v in document["verdicts"]] == [
        (target, f"MIX-{n}", "pass") for target in ("reference", "numba") for n in (1, 2, 3)]
    assert set(document["verdicts"][0]) == {"target", "clause", "title", "cases", "rho", "verdict",
                                            "reason", "rung", "rests_on", "seconds", "failures"}


def test_gradients_are_judged_when_asked_for():
    result = verify("reference", "--clauses", "NET-11", "--gradients", "--profile", "brief",
                    "--json")
    verdicts = json.loads(result.stdout)["verdicts"]
    assert result.exit_code == 0
    assert [v["clause"] for v in verdicts] == ["NET-11", *(f"GRAD-{n}" for n in range(1, 11))]
    assert {v["verdict"] for v in verdicts} == {"pass"}


@pytest.mark.parametrize("given", [["--gradients"], ["--clauses", "GRAD-4"], [
    "--case", "GRAD-10/averages_share_alike/float64/0.0.0.0.0.0.0"]])
def test_a_backend_without_gradients_cannot_be_judged_by_them(given):
    result = verify("numba", *given)
    assert result.exit_code == 2
    assert "`target` must offer gradients to be judged by them; got numba." in result.stderr


def test_a_broken_backend_exits_1_and_names_the_clause(monkeypatch):
    mutant = Mutant("PAD-1", "padding-excluded", "attention",
                    '            if options.padding == "exclude":\n',
                    '            if options.padding != "shift":\n')
    broken = mutated_backend(mutant)
    monkeypatch.setitem(sys.modules, "broken_backend", broken)
    monkeypatch.setitem(door._MODULES, "reference", "broken_backend")
    result = verify("reference", "--clauses", "PAD", "--json")
    verdicts = json.loads(result.stdout)["verdicts"]
    assert result.exit_code == 1
    assert [v["clause"] for v in verdicts if v["verdict"] == "fail"] == ["PAD-1"]
    text = verify("reference", "--clauses", "PAD").stdout
    assert "FAIL" in text
    assert "2 clauses passed, 1 failed: reference deviates." in text


@pytest.mark.parametrize(("arguments", "text"), [
    (["cuda"], "`backend` must be one of reference, numba, torch, auto; got 'cuda'."),
    (["reference", "--clauses", "PAD-9"], "`clauses` must be ids or chapters"),
    ([], "Missing argument 'TARGETS...'"),
    (["reference", "--profile", "slow"], "'slow' is not one of 'brief', 'quick', 'full'"),
])
def test_what_cannot_be_judged_exits_2(arguments, text):
    result = verify(*arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert "Traceback" not in result.stderr
