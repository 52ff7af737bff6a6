"""sasakit selfcheck: the score as text and as JSON, and the exit status of the gates."""

import json

import pytest
from click.testing import CliRunner

from sasakit.cli.main import main
from sasakit.conformance.selfcheck import score
from sasakit.conformance.selfcheck.matrix import matrix


def run(*args):
    return CliRunner().invoke(main, ("selfcheck", *args))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(score, "QUICK", score.Plan(cases=16, modules=1, outside=1))


def test_json(tiny):
    done = run("--quick", "--only", "sound", "--seed", "5", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert list(document) == ["format", "spec_version", "quick", "seed", "seconds", "passed",
                              "parts"]
    [part] = document["parts"]
    assert list(part) == ["part", "passed", "skipped", "counts", "details"]
    assert (part["part"], part["passed"], part["counts"]["cases"]) == ("sound", True, 16)


@pytest.fixture
def scored(monkeypatch):
    """Parts that are scored without being run, by the result that each is to have."""
    def replace(**passed):
        monkeypatch.setattr(score, "run_part", lambda part, *_: score.Score(
            part, passed[part], {"cases": 3, "worst rho": 0.25}, [{"seed": 7, "verdict": "wrong"}],
            "torch is not installed" if passed[part] is None else None))
    return replace


def test_text(scored):
    scored(sound=True, modules=None)
    done = run("--only", "sound", "--only", "modules")
    assert done.exit_code == 0
    assert done.output == """\
sound: sound implementations that compute otherwise: holds
  cases                            3
  worst rho                     0.25
    seed 7, verdict wrong
modules: random modules of known deviations: skipped
  skipped: torch is not installed
  cases                            3
  worst rho                     0.25
    seed 7, verdict wrong
Every gate holds.
"""


def test_a_gate_that_does_not_hold(scored):
    scored(mutants=True, sound=True, modules=False, outside=None)
    done = run("--quick")
    assert done.exit_code == 1
    assert "modules: random modules of known deviations: DOES NOT HOLD" in done.output
    assert done.output.endswith("A gate does not hold.\n")
    assert json.loads(run("--json").stdout)["passed"] is False


def test_the_matrix():
    assert run("--matrix").output == matrix()


def test_an_unknown_part_is_refused():
    done = run("--only", "everything")
    assert done.exit_code == 2
    assert "mutants" in done.output
