"""The report on a torch module class that nobody adapted."""

import time
from collections.abc import Sequence

from ..isolation.target import IsolatedTarget
from ..offer import MODULE, offer_of
from ..report import Outcome, Report
from ..target import Target
from .diagnose import diagnose
from .instance import ModuleError
from .isolated import IsolatedBuilder
from .network_report import beyond_a_layer


def split_modules(targets: Sequence[Target]) -> tuple[list[IsolatedTarget], list[Target]]:
    """Module classes, which are diagnosed, and the others, which are asked for operations."""
    modules = [target for target in targets if isinstance(target, IsolatedTarget)
               and target.trouble is None and offer_of(target).operations == (MODULE,)]
    return modules, [target for target in targets if target not in modules]


def module_report(target: IsolatedTarget) -> Report:
    """What a module computes, or why that cannot be said.

    It conforms when options of SPEC.md explain it; it deviates when named deviations do, or when
    nothing does and a counterexample shows that the equation is something else.
    """
    start = time.perf_counter()
    try:
        diagnosis = beyond_a_layer(target, diagnose(IsolatedBuilder(target)))
    except ModuleError as error:
        return Report(target.name, "not judged", reason=str(error),
                      seconds=time.perf_counter() - start)
    outcomes: dict[str, Outcome] = {"options": "conforms", "deviations": "deviates",
                                    "not judged": "not judged"}
    unknown: Outcome = "deviates" if diagnosis.findings else "not judged"
    outcome = outcomes.get(diagnosis.found, unknown)
    reason = diagnosis.stopped_at if outcome == "not judged" else None
    return Report(target.name, outcome, diagnosis=diagnosis, reason=reason,
                  seconds=time.perf_counter() - start)
