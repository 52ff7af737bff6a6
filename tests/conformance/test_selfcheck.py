"""The kit judged by itself: sound code passes, and nobody is accused of what is not so.

Mutants have a file of their own, known modules are in test_diagnosis.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sasakit.conformance.clauses import all_clauses
from sasakit.conformance.diagnosis.choices import Choices
from sasakit.conformance.property import PROPERTIES
from sasakit.conformance.report import Deviation, Diagnosis
from sasakit.conformance.selfcheck import modules, mutation, soundness
from sasakit.conformance.selfcheck.matrix import JUDGED_ELSEWHERE, matrix
from sasakit.conformance.selfcheck.recipes import Recipe
from sasakit.conformance.selfcheck.score import (
    FULL,
    NO_TORCH,
    QUICK,
    run_part,
    score_modules,
    score_mutants,
    score_outside,
    score_sound,
)
from sasakit.conformance.selfcheck.sound import SOUND, Sound
from sasakit.conformance.selfcheck.sound_layers import Way

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[2]
# One of each kind: logits, projections, probabilities, output, tables, and one that is no change.
CHANGES = ("logits squared", "causal", "key from the neighbour", "softmax twice", "residual",
           "position times key", "logits centred")


@pytest.mark.parametrize("task", soundness.shares(QUICK.cases, seed=0), ids=lambda task: task[0])
def test_sound_implementations_are_never_refused(task):
    result = soundness.judge_sound(task)
    assert result.refused == []
    assert result.cases == task[1]


def test_there_are_as_many_cases_as_planned():
    assert sum(cases for _, cases, _ in soundness.shares(QUICK.cases, 0)) == QUICK.cases >= 600
    assert sum(cases for _, cases, _ in soundness.shares(FULL.cases, 0)) == FULL.cases == 10_000
    assert len(SOUND) >= 8


def test_what_is_not_sound_is_refused(monkeypatch):
    broken = Sound("forwards", Way(lambda a, b: (a[..., 1:] * b[..., 1:]).sum(-1)))
    monkeypatch.setattr(soundness, "SOUND", (broken,))
    result = soundness.judge_sound(("forwards", 20, 0))
    assert result.refused
    assert score_sound([result]).passed is False


@pytest.mark.parametrize("change", CHANGES)
def test_what_no_list_holds_gets_no_false_name(change):
    assert modules.judge_outside((3, change)).verdict in (modules.UNKNOWN, modules.EQUIVALENT)


def said(*names, **options):
    return Diagnosis("deviations" if names else "options", options=options,
                     deviations=[Deviation(name, "PAD-1", "") for name in names])


PLAIN = Recipe(Choices(arrangement="shared"))


@pytest.mark.parametrize(("diagnosis", "change", "true"), [
    (said(), "logits centred", True),
    (said(), "residual", False),
    (said("padding-edge"), "logits centred", False),
    (said(padding="exclude"), "logits centred", False),
])
def test_a_claim_is_true_where_its_recipe_computes_the_same(diagnosis, change, true):
    claims = modules._claimed(diagnosis, PLAIN)
    assert any(modules._reproduces(claim, PLAIN, change) for claim in claims) == true


def test_a_claim_is_looked_for_among_all_deviations():
    [claim] = modules._claimed(said("padding-wrapped", "output-projection"), PLAIN)
    assert claim == replace(PLAIN, choices=PLAIN.choices.but(padding="wrap"), out=True)


def told(verdict, change=None):
    return modules.ModuleResult(0, change, verdict, (), "")


@pytest.mark.parametrize(("verdicts", "passed"), [
    (["right"] * 10, True), (["right"] * 9 + ["unknown"], True),
    (["right"] * 8 + ["unknown"] * 2, False), (["right"] * 19 + ["wrong"], False),
])
def test_the_gate_of_known_modules(verdicts, passed):
    assert score_modules([told(verdict) for verdict in verdicts]).passed == passed


def test_the_gate_outside_the_list():
    assert score_outside([told("unknown", "a"), told("equivalent", "b")]).passed
    assert not score_outside([told("unknown", "a"), told("wrong", "b")]).passed


def test_the_gate_of_mutants():
    real, same = (next(mutant for mutant in mutation.ALL_MUTANTS
                       if (mutant.equivalent is None) == wanted) for wanted in (True, False))
    assert score_mutants([mutation.MutantResult(real, real.clause),
                          mutation.MutantResult(same, None)]).passed
    for wrong in (mutation.MutantResult(real, None), mutation.MutantResult(real, "NUM-2"),
                  mutation.MutantResult(same, "NUM-2")):
        assert not score_mutants([wrong]).passed


@pytest.mark.parametrize("part", ["modules", "outside"])
def test_without_torch_a_part_says_that_it_is_skipped(part, monkeypatch):
    monkeypatch.setattr("sasakit.conformance.selfcheck.score.lacks_torch", lambda: True)
    score = run_part(part, QUICK)
    assert (score.passed, score.skipped) == (None, NO_TORCH)


def test_without_torch_its_mutants_are_left_out(monkeypatch):
    monkeypatch.setattr(mutation, "lacks_torch", lambda: True)
    assert {mutant.package for mutant in mutation.mutants_here()} == {
        "sasakit.reference", "sasakit.accel.numba_cpu"}


def test_the_matrix_is_that_of_today():
    assert (ROOT / "docs/clause-matrix.md").read_text(encoding="utf-8") == matrix()


def test_every_clause_is_judged_by_a_property_or_a_test():
    judged = {prop.clause for prop in PROPERTIES}
    assert judged | set(JUDGED_ELSEWHERE) == set(all_clauses())
    assert all(f"tests/{file}" in matrix() for file in JUDGED_ELSEWHERE.values())


def test_results_repeat():
    task = ("pairwise", 5, 3)
    assert soundness.judge_sound(task) == soundness.judge_sound(task)
    assert np.isfinite(soundness.judge_sound(task).rho)
