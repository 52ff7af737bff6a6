"""The suites catch mistakes: every mutant of the reference is refused by its own clause."""

import pytest

from sasakit.conformance.clauses import all_clauses
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import Mutant, mutated_reference
from sasakit.conformance.runner import run_verification
from sasakit.conformance.target import BackendTarget

# What a wrong formula meets on its way to a verdict is no error of the test.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.clause}-{m.deviation}")
def test_is_refused_by_its_clause(mutant):
    target = BackendTarget(mutant.deviation, mutated_reference(mutant))
    [verdict] = run_verification([target], clauses=[mutant.clause])
    assert not verdict.passed
    assert verdict.failures


def test_a_mutant_without_its_line_is_refused():
    stale = Mutant("WIN-1", "stale", "window", "no such line", "")
    with pytest.raises(ValueError, match=r"^`old` must stand once in window\.py"):
        mutated_reference(stale)


def test_the_reference_is_itself_again():
    from sasakit import reference
    mutated_reference(MUTANTS[0])
    assert all_clauses()
    [verdict] = run_verification([BackendTarget("reference", reference)], clauses=["WIN-1"])
    assert verdict.passed
