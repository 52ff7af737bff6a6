"""The report on a torch module class that nobody adapted."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..estimate import Array
from ..isolation.target import IsolatedTarget
from ..offer import MODULE, offer_of
from ..report import Deviation, Diagnosis, Outcome, Report
from ..target import Target
from .builds import build_twice
from .contract_pass import Contract, contract_pass
from .convert import converted
from .diagnose import diagnose
from .instance import SIZES, Instance, ModuleError, Sizes
from .isolated import IsolatedBuilder
from .mapping import question
from .module_suites import ModuleSuite, suite_case, suite_verdicts
from .network_report import beyond_a_layer
from .placement import Explanation, Placement
from .probes import dependence_findings, idle_parameters, randomize
from .roles import Parts, sort_parameters
from .saved_weights import checked_parameters, sizes_of, write_converted

# Deviations that do not show in the clauses, for the suites give a module the equation's weights.
SET_ASIDE = ("projection-biased", "padding-before-projection", "output-projection")


@dataclass
class Question:
    """What a module is asked.

    clauses, profile, seed  as for `run_verification`
    case      one case instead of the clauses, by its id
    said      parameters by role, where the user says which plays it
    """

    clauses: Sequence[str] | None = None
    profile: str = "quick"
    seed: int = 0
    case: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Examined:
    """A report on a module, and what else can be asked of it.

    suite       the module as a target of the suites; None where it was not explained
    deviations  those that the fit found, which weights may undo
    """

    report: Report
    suite: ModuleSuite | None = None
    deviations: list[Deviation] = field(default_factory=list)
    even_window: str | None = None


def split_modules(targets: Sequence[Target]) -> tuple[list[IsolatedTarget], list[Target]]:
    """Module classes, which are diagnosed, and the others, which are asked for operations."""
    modules = [target for target in targets if isinstance(target, IsolatedTarget)
               and target.trouble is None and offer_of(target).operations == (MODULE,)]
    return modules, [target for target in targets if target not in modules]


def module_report(target: IsolatedTarget, asked: Question | None = None) -> Report:
    """What a module computes, or why that cannot be said."""
    return examine_module(target, asked).report


def examine_module(target: IsolatedTarget, asked: Question | None = None) -> Examined:
    """What a module computes, clause by clause too, or why that cannot be said.

    It conforms when options of SPEC.md explain it and no case of the suites says otherwise; it
    deviates when named deviations explain it, or when nothing does and a counterexample shows that
    the equation is something else.
    Raises ValueError for a role, parameter, clause or case that there is not.
    """
    asked, start = asked or Question(), time.perf_counter()
    builder = IsolatedBuilder(target)
    try:
        diagnosis = diagnose(builder, said=asked.said)
        if not asked.said:
            diagnosis = beyond_a_layer(target, diagnosis)
    except ModuleError as error:
        return Examined(Report(target.name, "not judged", reason=str(error),
                               seconds=time.perf_counter() - start))
    outcomes: dict[str, Outcome] = {"options": "conforms", "deviations": "deviates",
                                    "not judged": "not judged"}
    unknown: Outcome = "deviates" if diagnosis.findings else "not judged"
    outcome = outcomes.get(diagnosis.found, unknown)
    reason = diagnosis.stopped_at if outcome == "not judged" else None
    if asked.said and outcome == "deviates" and diagnosis.found == "unknown":
        # The user may be mistaken, which accuses nobody.
        outcome, reason = "not judged", _mistaken(builder, diagnosis)
        diagnosis.findings.clear()
    examined = Examined(Report(target.name, outcome, diagnosis=diagnosis, reason=reason),
                        deviations=list(diagnosis.deviations))
    if diagnosis.explanation is not None:
        _look_closer(examined, diagnosis, builder, asked)
    elif diagnosis.found == "unknown":
        sizes, parts = _sorted(builder)
        diagnosis.findings += dependence_findings(builder, sizes, parts)
    _ask_back(diagnosis, builder)
    examined.report.seconds = time.perf_counter() - start
    return examined


def _look_closer(examined: Examined, diagnosis: Diagnosis, builder: IsolatedBuilder,
                 asked: Question) -> None:
    """Ask a module that was explained at other sizes, what it depends on, and clause by clause."""
    report, explanation = examined.report, diagnosis.explanation
    try:
        contract = contract_pass(builder, explanation)
    except ModuleError as error:
        contract = Contract(findings=[f"at other sizes it raises: {error}"])
    diagnosis.deviations += contract.deviations
    diagnosis.findings += contract.findings
    if asked.case is None:
        diagnosis.findings += _dependences(builder, diagnosis)
    if contract.deviations:
        diagnosis.found, report.outcome = "deviations", "deviates"
    examined.even_window = contract.even_window
    suite = ModuleSuite(report.target, builder, explanation, contract.even_window)
    if not suite.has_weights:
        if explanation.subject.instance.facts.single:
            diagnosis.findings.append("its clauses were not asked one by one, for that takes "
                                      "float64")
        return
    examined.suite = suite
    report.verdicts = suite_verdicts(suite, clauses=asked.clauses, profile=asked.profile,
                                     seed=asked.seed) if asked.case is None \
        else suite_case(suite, asked.case)
    if not report.verdicts and asked.clauses is None:
        diagnosis.findings.append("its clauses were not asked one by one: none has cases of the "
                                  "images and heads that it takes")
    undone = [each.name for each in examined.deviations if each.name in SET_ASIDE]
    if undone and report.verdicts:
        diagnosis.findings.append(f"its clauses were asked without {', '.join(undone)}: with "
                                  "biases zero, and the identity after the heads' outputs")
    failing = [failure for verdict in report.verdicts for failure in verdict.failures]
    if failing and diagnosis.found == "options":
        diagnosis.found, report.outcome = "unknown", "deviates"
        diagnosis.stopped_at = ("options explain it at the sizes of the fit, but not the case "
                                f"{failing[0].case} of the suites")
    diagnosis.findings += [f"raises for a case that the equation has, which was passed over: {one}"
                           for one in suite.refused[:1]]


def _dependences(builder: IsolatedBuilder, diagnosis: Diagnosis) -> list[str]:
    """What a deviating module depends on; of one that conforms, which parameters never matter."""
    sizes = diagnosis.explanation.subject.sizes
    if diagnosis.deviations:
        return dependence_findings(builder, sizes, None)
    try:
        instance, rng = builder.build(sizes, {"fresh": 1}), np.random.default_rng(0)
        # Parameters that start at zero hide others.
        randomize(instance, rng)
        return idle_parameters(instance, sizes, rng)
    except ModuleError:
        return []


def _mistaken(builder: IsolatedBuilder, diagnosis: Diagnosis) -> str:
    """Why nothing matches what the user says of the parameters."""
    plain = diagnose(builder)
    if plain.explanation is None:
        return f"with the roles that --map says, {diagnosis.stopped_at}"
    roles = ", ".join(f"{role} is {name}" for role, name in plain.mapping)
    return f"--map says other roles than the parameters play; by what they do {roles}"


def _sorted(builder: IsolatedBuilder) -> tuple[Sizes, Parts | None]:
    """The sizes at which it can be built, and its parameters by kind."""
    try:
        sizes, built = build_twice(builder)
    except ModuleError:
        return SIZES[0], None
    facts, shapes = built[0].facts, [instance.shapes for instance in built]
    # Whose rows are a head's is not known where the class chooses the heads.
    return sizes[0], sort_parameters(shapes[0], shapes[1], sizes, facts.buffers) \
        if facts.heads_set else None


def _ask_back(diagnosis: Diagnosis, builder: IsolatedBuilder) -> None:
    """Where roles cannot be told, ask for them by name."""
    stopped = diagnosis.stopped_at or ""
    if diagnosis.ambiguous or stopped.startswith(("parameters", "content", "relative", "biases")) \
            or "rows act as values" in stopped:
        sizes, _ = _sorted(builder)
        diagnosis.findings.append(question(builder.build(sizes).shapes))


def _learned(explanation: Explanation, instance: Instance) -> dict[str, Array]:
    """A build's parameters and tables; other tensors that it holds are no weights."""
    return {name: value for name, value in instance.get().items()
            if name not in instance.facts.buffers or name in explanation.subject.parts.tables}


def convert_module(examined: Examined, target: IsolatedTarget, path: Path,
                   given: Mapping[str, int], *, saved: bool) -> str:
    """Write a module's weights as the equation takes them, and say what was done to them.

    given  what the user says of channels_in, channels_out, heads and extent
    saved  whether the weights are those of the file that the target was described with
    Raises ModuleError, in one sentence, where that cannot be; nothing is written then.
    """
    diagnosis = examined.report.diagnosis
    explanation = None if diagnosis is None else diagnosis.explanation
    if diagnosis is None or explanation is None:
        raise ModuleError("nothing explains the module, so that no weights can be converted")
    builder = IsolatedBuilder(target)
    weights = builder.saved_weights() if saved else None
    sizes = sizes_of(explanation, weights, given) if weights is not None \
        else Sizes(**{**vars(explanation.subject.sizes), **given})
    instance = builder.build(sizes)
    parameters = instance.get() if weights is None \
        else checked_parameters(weights, _learned(explanation, instance), instance.buffers())
    placement = Placement(explanation, instance, sizes)
    found = converted(placement, explanation, parameters, examined.deviations,
                      examined.even_window)
    write_converted(path, found, diagnosis.mapping, target.name)
    return "; ".join(found.changes) or "the weights are as they were"
