"""Mutants against the suites: each must be refused by the properties of its own clause."""

import importlib.util
import warnings
from dataclasses import dataclass
from itertools import product

from ..kernel_mutants_numba import NUMBA_MUTANTS
from ..kernel_mutants_torch import TORCH_MUTANTS
from ..mutant_list import MUTANTS
from ..mutants import Mutant, mutated_backend
from ..property import PROPERTIES
from ..runner import EXAMPLES, Verdict, judged_clauses, run_property
from ..target import BackendTarget, backend_target

ALL_MUTANTS = (*MUTANTS, *NUMBA_MUTANTS, *TORCH_MUTANTS)
# Varies all options at once: what means the same must pass it too.
EVERYTHING = "NUM-2"


@dataclass(frozen=True)
class MutantResult:
    """What the suites made of one mutant.

    refused_by  the clause whose property refused it: its own where that does, otherwise the first
                of the others; None where all of them passed it
    """

    mutant: Mutant
    refused_by: str | None

    @property
    def killed(self) -> bool:
        """Whether its own clause refused it."""
        return self.refused_by == self.mutant.clause

    @property
    def right(self) -> bool:
        """Whether it was refused by its own clause, or by none where it means the same."""
        return self.killed if self.mutant.equivalent is None else self.refused_by is None


def lacks_torch() -> bool:
    """Whether torch is not installed."""
    return importlib.util.find_spec("torch") is None


def mutants_here() -> list[Mutant]:
    """Those whose package can be loaded: without torch, all but torch's."""
    return [*MUTANTS, *NUMBA_MUTANTS, *(() if lacks_torch() else TORCH_MUTANTS)]


def judge_mutant(mutant: Mutant) -> MutantResult:
    """Ask the mutant's own clause and, where that passes it, the others."""
    name = {"numba_cpu": "numba", "torch_gpu": "torch"}.get(mutant.package.rpartition(".")[2],
                                                             mutant.package)
    target = backend_target(name, mutated_backend(mutant))
    if _refuses(target, mutant.clause, "quick"):
        return MutantResult(mutant, mutant.clause)
    if mutant.equivalent is not None:
        others = [EVERYTHING]
    else:
        others = judged_clauses(gradients=target.has_gradients)
    refused = (clause for clause in others if _refuses(target, clause, "brief"))
    return MutantResult(mutant, next(refused, None))


def _refuses(target: BackendTarget, clause: str, profile: str) -> bool:
    """Whether some property of the clause does, as `verify` asks it; the first one is enough."""
    verdict = Verdict(target.name, clause)
    with warnings.catch_warnings():
        # What a wrong formula meets on its way to a verdict is no error of the kit.
        warnings.simplefilter("ignore")
        for prop, dtype in product(PROPERTIES, target.dtypes):
            if prop.clause == clause and (prop.dtypes is None or dtype in prop.dtypes):
                run_property(prop, target, dtype, verdict, EXAMPLES[profile] * prop.weight,
                             seed=0, shrink_seconds=0)
            if verdict.failures:
                return True
    return False
