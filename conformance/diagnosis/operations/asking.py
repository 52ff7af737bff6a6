"""Asking an implementation: cases in, evidence out; what it raises is kept in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...case import Case
from ...draw import Draw, again
from ...estimate import Array
from ...isolation.failure import TargetFailure
from ...offer import offer_of, trouble_of
from ...property import trace_of
from ...runner import Verdict, parse_id
from ...target import Target
from .agreement import Evidence
from .cases import Staged
from .network import layer_evidence
from .search import Clock

# Chapters whose failures are wrong values; the others ask for more than values.
OF_VALUES = ("WIN", "PAD", "REL", "POS", "ATT", "MIX", "STEM", "NET")


@dataclass
class Asked:
    """One target and what it raised so far.

    raised  exceptions in words, each once
    gone    whether its process was lost: it is asked nothing more
    """

    target: Target
    clock: Clock
    raised: list[str] = field(default_factory=list)
    gone: bool = False

    def result(self, case: Case, native: dict[str, Any] | None = None) -> Array | None:
        """The result as NumPy; None where it raised. Raises OutOfTime.

        native  the case's arrays as the target takes them, where they are looked at afterwards
        """
        self.clock.check()
        if self.gone or trouble_of(self.target) is not None:
            return None
        try:
            result: Any = self.target.call(
                case, self.target.native(case) if native is None else native)
            array = self.target.read(result)
        except Exception as error:  # Anyone's code may raise anything.
            self._raised(case, error)
            return None
        return array if np.issubdtype(array.dtype, np.floating) else None

    def _raised(self, case: Case, error: Exception) -> None:
        first = (str(error).strip().splitlines() or [""])[0]
        kind = "" if isinstance(error, TargetFailure) else f"{type(error).__name__}: "
        told = f"{case.operation} raises {kind}{first}"
        if told not in self.raised:
            self.raised.append(told)
        self.gone = isinstance(error, TargetFailure) and error.lost

    def layers(self, cases: Sequence[Staged]) -> list[Evidence]:
        """Evidence of the layers of those networks whose layers have their names."""
        found = []
        for _, case in cases:
            self.clock.check()
            try:
                trace = trace_of(case, self.target)
                found += layer_evidence(case, trace, self.target.profile(case.dtype))
            except Exception as error:  # Anyone's code may raise anything, or name no layers.
                self._raised(case, error)
        return found

    def evidence(self, cases: Sequence[Staged]) -> list[Evidence]:
        """Evidence of those cases that have a result."""
        found = []
        for stage, case in cases:
            actual = self.result(case)
            if actual is not None:
                found.append(Evidence(stage, case, actual.astype(np.float64),
                                      self.target.profile(case.dtype)))
        return found


def failed_cases(verdicts: Sequence[Verdict], operation: str, dtype: str) -> list[Staged]:
    """The smallest failing cases of an operation, of the clauses that are about values."""
    found = []
    for verdict in verdicts:
        for failure in verdict.failures:
            if verdict.clause.partition("-")[0] not in OF_VALUES or failure.dtype != dtype:
                continue
            try:
                prop, _, recipe = parse_id(failure.case)
                case = prop.cases(Draw(again(recipe)), dtype)
            except ValueError:
                continue  # An id of other suites than these.
            arrays = [array for array in case.arrays.values() if array is not None]
            if case.operation == operation and all(np.isfinite(array).all() for array in arrays):
                found.append((f"case {failure.case}", case))
    return found


def failed_operations(verdicts: Sequence[Verdict]) -> set[str]:
    """The operations of the smallest failing cases."""
    return {failure.spelled.partition("(")[0] for verdict in verdicts
            for failure in verdict.failures}


def dtypes_of(target: Target) -> list[str]:
    """The types that it takes, the finest first."""
    order = ("float64", "float32", "float16", "bfloat16")
    return [dtype for dtype in order if dtype in target.dtypes]


def operations_of(target: Target, known: Sequence[str]) -> list[str]:
    """The known operations that a target offers."""
    offered = offer_of(target).operations
    return [operation for operation in known if operation in offered]
