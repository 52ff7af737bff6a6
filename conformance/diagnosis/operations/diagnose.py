"""From a target that deviates to what it computes instead, operation by operation."""

import time
from collections.abc import Mapping, Sequence

from ...case import Case
from ...offer import offer_of, trouble_of
from ...report import Deviation, Diagnosis
from ...runner import Verdict
from ...target import Target
from ..choices import CONVERSIONS
from .agreement import Evidence
from .asking import OF_VALUES, Asked, dtypes_of, failed_cases, failed_operations, operations_of
from .cases import Staged, drawn_cases, staged_cases
from .explain import DRAWN, Explained, explain, names_of
from .families import OPERATIONS, family_of
from .probes import state_of, strays_of
from .search import Clock, OutOfTime
from .window_twists import OPPOSITE, UNREAD

# Seconds that one target may take.
SECONDS = 20.0
# Networks that are asked before the search, and after it in each turn; each has many layers.
NETWORKS = 4
LAYERS = ("stem", "reduce", "spatial", "expand", "logits")
# Explanations of one operation that are told where none is certain.
MOST_WORDS = 6
# Deviations that a change of the weights undoes whatever the operation; others depend on it.
ALWAYS_CONVERTIBLE = ("offset-descending", "unused-table-rows", "projection-shared",
                      "projection-grouped", "embedding-ignored")
# What is said of results that no search can explain.
UNSTEADY = ("two calls", "in between")


def diagnose_operations(target: Target, verdicts: Sequence[Verdict] = (),
                        seconds: float = SECONDS) -> Diagnosis | None:
    """What a target computes that failed some clause; None where it offers no such operation.

    verdicts  those of the target, whose smallest failing cases must be explained too
    """
    offered = operations_of(target, (*OPERATIONS, "network"))
    failed = failed_operations(verdicts)
    if verdicts:
        offered = [operation for operation in offered if operation in failed]
    if not offered:
        return None
    asked = Asked(target, Clock(time.monotonic() + seconds))
    found: list[Explained] = []
    for operation in offered:
        if operation == "attention_layer" and any(
                each.stopped_at and each.operation == "local_attention" for each in found):
            continue  # The layer holds local attention, so that nothing would explain it either.
        found += [_network(asked)] if operation == "network" \
            else _explained(asked, operation, verdicts)
    return combined(found, len(offered), asked.raised, verdicts)


def _explained(asked: Asked, operation: str, verdicts: Sequence[Verdict]) -> list[Explained]:
    """What was found in the finest type in which anything differs; empty where nothing does."""
    seen: list[Evidence] = []
    found = Explained(operation)
    try:
        for dtype in dtypes_of(asked.target):
            seen = asked.evidence(_first_cases(asked.target, operation, dtype, verdicts))
            found = _in_dtype(asked, operation, dtype, seen)
            if found.choices or found.stopped_at is not None:
                break
        if not found.choices and seen:
            found.findings += strays_of(asked, _telling_case(seen))
    except OutOfTime:
        found.stopped_at = found.stopped_at or f"{operation} took too long to be asked"
    if asked.gone or trouble_of(asked.target) is not None:
        found.stopped_at = found.stopped_at or f"{operation} could not be asked any more"
    return [found]


def _network(asked: Asked) -> Explained:
    """What was found of a network's layers, each judged from the target's own inputs to it."""
    offer = offer_of(asked.target)
    found = Explained("network")
    if "float64" not in asked.target.dtypes:
        found.stopped_at = "network: layers are only told apart in float64"
        return found
    seen: list[Evidence] = []
    try:
        seen = asked.layers(drawn_cases("network", offer, "float64", NETWORKS, 0))
        if seen:
            seen.sort(key=lambda each: LAYERS.index(each.case.operation))
            found = explain(family_of("network"), seen, asked.clock, ask=asked.layers,
                            more=lambda turn, count: drawn_cases("network", offer, "float64",
                                                                 NETWORKS, 1 + turn))
    except OutOfTime:
        found.stopped_at = "network took too long to be asked"
    if not seen:
        found.stopped_at = "network: its layers could not be asked"
    return found


def _in_dtype(asked: Asked, operation: str, dtype: str, seen: list[Evidence]) -> Explained:
    """What was found in one type. Raises OutOfTime before the search begins."""
    state = state_of(asked, _telling_case(seen)) if seen else []
    if any(words in line for words in UNSTEADY for line in state):
        return Explained(operation, findings=state, stopped_at=(
            f"{operation}: its results are not those of its arguments alone"))
    offer = offer_of(asked.target)
    found = explain(family_of(operation), seen, asked.clock, ask=asked.evidence,
                    more=lambda turn, count: drawn_cases(operation, offer, dtype, count, 1 + turn))
    found.findings = state + found.findings
    return found


def _first_cases(target: Target, operation: str, dtype: str,
                 verdicts: Sequence[Verdict]) -> list[Staged]:
    """What is asked before the search, what isolates most first."""
    offer = offer_of(target)
    return [*staged_cases(operation, offer, dtype),
            *drawn_cases(operation, offer, dtype, DRAWN, 0),
            *failed_cases(verdicts, operation, dtype)]


def _telling_case(seen: Sequence[Evidence]) -> Case:
    """A case without any zeros, for the probes: the first in which all terms act."""
    full = [each.case for each in seen if all(
        array is None or array.any() for array in each.case.arrays.values())]
    return (full or [seen[0].case])[0]


def combined(found: Sequence[Explained], offered: int, raised: Sequence[str],
             verdicts: Sequence[Verdict]) -> Diagnosis:
    """One diagnosis of all operations.

    Where some operation is explained by nothing, what explains the others stands among findings.
    """
    chosen = _chosen([each for each in found if each.choices])
    open_ones = [each.operation for each in found
                 if not each.final and len(chosen.get(each.operation, ())) > 1]
    unknown = [str(each.stopped_at) for each in found if each.stopped_at is not None]
    unknown += [f"{operation}: several explanations fit all its cases" for operation in open_ones]
    findings = [*raised, *(line for each in found for line in each.findings)]
    if unknown or not chosen:
        return _unexplained(unknown, chosen, findings, verdicts)
    joined = _joined({operation: choices[0] for operation, choices in chosen.items()}, offered)
    return Diagnosis("deviations", deviations=joined, convertible=_convertible(joined),
                     ambiguous=_others(chosen, offered), findings=findings + _left(verdicts))


def _left(verdicts: Sequence[Verdict]) -> list[str]:
    """Clauses that failed and may do so for reasons of their own, in words."""
    left = [verdict.clause for verdict in verdicts if verdict.failures
            and verdict.clause.partition("-")[0] not in OF_VALUES]
    return [f"whether this explains {', '.join(left)} too was not asked: they are about more than "
            "finite values"] if left else []


def _convertible(deviations: list[Deviation]) -> str | None:
    """The change of the weights that undoes all deviations, or None."""
    if any(each.sentence.startswith((OPPOSITE, *UNREAD)) for each in deviations):
        return None
    names = dict.fromkeys(each.name for each in deviations)
    if not names or any(name not in ALWAYS_CONVERTIBLE for name in names):
        return None
    return "; ".join(CONVERSIONS[name] for name in names)


def _unexplained(unknown: Sequence[str], chosen: Mapping[str, list[list[Deviation]]],
                 findings: list[str], verdicts: Sequence[Verdict]) -> Diagnosis:
    """The diagnosis where something is left that no choice, or more than one, explains."""
    failing = [failure.case for verdict in verdicts for failure in verdict.failures]
    for operation, choices in chosen.items():
        words = [in_words(choice) for choice in choices]
        findings += [f"{operation} alone is explained by {' -- or by '.join(words[:MOST_WORDS])}"]
    if failing:
        findings.append(f"smallest failing case: {min(failing, key=len)}")
    return Diagnosis("unknown", stopped_at="; ".join(unknown) or _values_agree(verdicts),
                     findings=findings)


def _others(chosen: Mapping[str, list[list[Deviation]]], offered: int) -> list[str]:
    """The choices after the first, in words."""
    return [f"in {operation}: {in_words(other)}" if offered > 1 else in_words(other)
            for operation, (_, *rest) in chosen.items() for other in rest]


def in_words(deviations: Sequence[Deviation]) -> str:
    """An explanation as one sentence."""
    return "; and ".join(f"{each.name} ({each.clause}): {each.sentence}" for each in deviations)


def _chosen(explained: Sequence[Explained]) -> dict[str, list[list[Deviation]]]:
    """The explanations of each operation, the likeliest first.

    What explains another operation, where it is the only choice, explains this one too.
    """
    certain = {name for each in explained if len(each.choices) == 1
               for name in names_of(each.choices[0])}
    chosen = {}
    for each in explained:
        shared = [choice for choice in each.choices if set(names_of(choice)) <= certain]
        chosen[each.operation] = shared if len(shared) == 1 else each.choices
    return chosen


def _values_agree(verdicts: Sequence[Verdict]) -> str:
    failed = dict.fromkeys(verdict.clause for verdict in verdicts if verdict.failures)
    return ("every finite value that was asked for agrees with the equation; what fails asks for "
            f"more: {', '.join(failed)}")


def _joined(explained: Mapping[str, list[Deviation]], offered: int) -> list[Deviation]:
    """Each deviation once, with the operations that show it where others are offered."""
    shown: dict[Deviation, list[str]] = {}
    for operation, deviations in explained.items():
        for deviation in deviations:
            shown.setdefault(deviation, []).append(operation)
    if offered == 1:
        return list(shown)
    return [Deviation(each.name, each.clause, f"{each.sentence} (in {', '.join(operations)})")
            for each, operations in shown.items()]
