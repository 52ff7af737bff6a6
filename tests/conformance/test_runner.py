"""The runner: what it chooses, that it repeats itself, and what it says of a failure."""

import pytest

from sasakit import reference
from sasakit.accel import resolve_backend
from sasakit.conformance import runner
from sasakit.conformance.mutants import Mutant, mutated_backend
from sasakit.conformance.target import BackendTarget, backend_target

REFERENCE = backend_target("reference", reference)
BROKEN = Mutant("PAD-1", "padding-excluded", "attention",
                '            if options.padding == "exclude":\n',
                '            if options.padding != "shift":\n')


def summary(verdicts):
    return [(v.clause, v.cases, v.rho, v.failures) for v in verdicts]


def test_the_same_seed_gives_the_same_cases():
    runs = [summary(runner.run_verification([REFERENCE], clauses=["MIX"], seed=3))
            for _ in range(2)]
    assert runs[0] == runs[1]


def test_chapters_and_ids_are_chosen():
    verdicts = runner.run_verification([REFERENCE], clauses=["PAD", "WIN-2"])
    assert [v.clause for v in verdicts] == ["WIN-2", "PAD-1", "PAD-2", "PAD-3"]


@pytest.mark.parametrize(("given", "text"), [
    ({"clauses": ["PAD-9"]}, "^`clauses` must be ids or chapters .*; got 'PAD-9'.$"),
    ({"profile": "slow"}, "^`profile` must be one of brief, quick, full; got 'slow'.$"),
])
def test_refuses(given, text):
    with pytest.raises(ValueError, match=text):
        runner.run_verification([REFERENCE], **given)


def test_gradients_are_judged_when_asked_for_alone():
    assert not {clause for clause in runner.chosen_clauses() if clause.startswith("GRAD")}
    assert runner.chosen_clauses(["GRAD-10"]) == ["GRAD-10"]
    assert runner.chosen_clauses(["PAD-1"], gradients=True) == [
        "PAD-1", *(f"GRAD-{n}" for n in range(1, 11))]
    [verdict] = runner.run_verification([REFERENCE], clauses=["GRAD-10"])
    assert verdict.passed


def test_a_target_without_gradients_is_named():
    numba = backend_target("numba", resolve_backend("numba"))
    for given in ({"clauses": ["GRAD-2"]}, {"clauses": ["PAD-1"], "gradients": True}):
        with pytest.raises(ValueError, match=r"^`target` must offer gradients .*; got numba\.$"):
            runner.run_verification([REFERENCE, numba], **given)


def test_a_failure_names_property_place_and_smallest_case():
    target = BackendTarget("broken", mutated_backend(BROKEN))
    verdicts = {v.clause: v for v in runner.run_verification([target], clauses=["PAD", "ATT-4"])}
    assert [clause for clause, v in verdicts.items() if not v.passed] == ["PAD-1"]
    failure = verdicts["PAD-1"].failures[0]
    assert (failure.property, failure.dtype) == ("outside_neighbours_take_part", "float64")
    assert failure.reason.startswith("local_attention: ")
    assert "; rho " in failure.reason
    assert failure.spelled.startswith("local_attention(query=")
    assert failure.case.startswith("PAD-1/outside_neighbours_take_part/float64/")


def test_the_smallest_case_replays_alone_by_its_id():
    target = BackendTarget("broken", mutated_backend(BROKEN))
    failure = runner.run_verification([target], clauses=["PAD-1"])[0].failures[0]
    again = runner.replay(failure.case, target)
    assert (again.cases, again.failures) == (1, [failure])
    assert runner.replay(failure.case, REFERENCE).passed


@pytest.mark.parametrize("case_id", [
    "", "PAD-1", "PAD-1/no_such_property/float64/0", "PAD-1/outside_neighbours_take_part/int8/0",
    "PAD-1/outside_neighbours_take_part/float64/", "PAD-1/outside_neighbours_take_part/float64/x",
    "PAD-1/outside_neighbours_take_part/float64/0",
    "PAD-1/outside_neighbours_take_part/float64/999.0.0.0.0.0.0.0.0",
])
def test_ids_that_name_no_case_are_refused(case_id):
    with pytest.raises(ValueError, match=r"^`case` must .*; got "):
        runner.replay(case_id, REFERENCE)


def test_a_crash_is_a_failure():
    class Crashing(BackendTarget):
        def call(self, case, arrays):
            raise RuntimeError("no such luck")

    verdict = runner.run_verification([Crashing("crashing", reference)], clauses=["WIN-1"])[0]
    assert not verdict.passed
    assert "RuntimeError: no such luck" in verdict.failures[0].reason


def test_no_case_is_no_pass():
    assert not runner.Verdict("x", "WIN-1").passed
