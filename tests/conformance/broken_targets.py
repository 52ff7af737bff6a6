"""Targets that fail on purpose, and what is found of them; made once for all tests of reports."""

from functools import cache

from sasakit import reference
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import mutated_backend
from sasakit.conformance.runner import run_verification
from sasakit.conformance.target import BackendTarget

HOSTILE = "<script>alert('x')</script>&\"]]>\x1b[31m\x00\u202e"


def mutant(deviation, clause, dtypes=("float64",)):
    """The reference with one mistake of the list, by its deviation and its clause."""
    found = next(each for each in MUTANTS if (each.deviation, each.clause) == (deviation, clause))
    return BackendTarget(deviation, mutated_backend(found), dtypes)


class Raising(BackendTarget):
    """Raises whatever it is asked."""

    def call(self, case, arrays):
        raise RuntimeError(HOSTILE)


@cache
def broken(deviation, clause, *others):
    """A mutant of a clause, and its verdicts of that clause and of others."""
    target = mutant(deviation, clause)
    return target, run_verification([target], clauses=[clause, *others])


@cache
def raising():
    """A target with a hostile name that raises a hostile text, and its verdict."""
    target = Raising(HOSTILE, reference, ("float64",))
    return target, run_verification([target], clauses=["WIN-1"], profile="brief")
