"""The suites catch mistakes: every mutant is refused by its own clause, or says why none can."""

from collections import Counter

import pytest

from sasakit.conformance.clauses import all_clauses
from sasakit.conformance.kernel_mutants_numba import NUMBA_MUTANTS
from sasakit.conformance.kernel_mutants_torch import TORCH_MUTANTS
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import Mutant, mutated_backend
from sasakit.conformance.runner import judged_clauses, run_verification
from sasakit.conformance.selfcheck.mutation import ALL_MUTANTS, judge_mutant
from sasakit.conformance.selfcheck.workers import spread
from sasakit.conformance.target import BackendTarget

# Compiled, a kernel's mutant would take as long as all of its cases; a process takes as many.
TOGETHER = 10


@pytest.mark.parametrize("mutant", [*MUTANTS, *TORCH_MUTANTS], ids=lambda mutant: mutant.id)
def test_is_refused_by_its_clause(mutant):
    assert judge_mutant(mutant).right


@pytest.mark.parametrize("first", range(0, len(NUMBA_MUTANTS), TOGETHER))
def test_kernels_are_refused_by_their_clause(first):
    mutants = NUMBA_MUTANTS[first:first + TOGETHER]
    results = [result for _, result in spread(judge_mutant, mutants, processes=1)]
    assert len(results) == len(mutants)
    assert [result.mutant.id for result in results if not result.right] == []


def test_there_are_two_for_every_judged_clause():
    judged = Counter(mutant.clause for mutant in ALL_MUTANTS if mutant.equivalent is None)
    assert {clause: judged[clause] for clause in judged_clauses(gradients=True)
            if judged[clause] < 2} == {}
    assert judged.total() >= 150
    assert set(judged) <= set(all_clauses())


def test_ids_are_unlike():
    assert [name for name, count in Counter(m.id for m in ALL_MUTANTS).items() if count > 1] == []


def test_a_mutant_without_its_line_is_refused():
    stale = Mutant("WIN-1", "stale", "window", "no such line", "")
    with pytest.raises(ValueError, match=r"^`old` must stand once in window\.py"):
        mutated_backend(stale)


def test_a_package_that_is_not_there_is_refused():
    with pytest.raises(ImportError, match=r"^`package` must be installed; got 'sasakit_nowhere'"):
        mutated_backend(Mutant("WIN-1", "lost", "window", "", "", package="sasakit_nowhere"))


def test_a_mutant_that_means_the_same_may_not_be_refused():
    wrong = Mutant("ATT-5", "output-scaled", "attention", "                                     "
                   "neighbours(value, rows, cols))", " 2 * neighbours(value, rows, cols))",
                   equivalent="it is said to mean the same")
    assert not judge_mutant(wrong).right


def test_the_reference_is_itself_again():
    from sasakit import reference
    mutated_backend(MUTANTS[0])
    [verdict] = run_verification([BackendTarget("reference", reference)], clauses=["WIN-1"])
    assert verdict.passed
