"""Targets that other processes can make too, by what stands in this file."""

import os
import signal
from functools import partial

from sasakit import reference
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import mutated_backend
from sasakit.conformance.target import BackendTarget


def broken(deviation):
    """The reference with one mistake of the list."""
    mutant = next(each for each in MUTANTS if each.deviation == deviation)
    return BackendTarget(deviation, mutated_backend(mutant), ("float64",),
                         elsewhere=partial(broken, deviation))


class Dying(BackendTarget):
    """Ends the process that asks it for a value mixture."""

    def call(self, case, arrays):
        if case.operation == "value_mixture":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().call(case, arrays)


def dying():
    """The reference, but Dying."""
    return Dying("dying", reference, ("float64",), elsewhere=dying)
