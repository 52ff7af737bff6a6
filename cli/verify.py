"""`sasakit verify`: run the suites on targets and say, clause by clause, whether they conform."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .modules import (
    check_modules,
    convert_weights,
    examine_modules,
    module_options,
    read_module_options,
)
from .output import json_option, print_json
from .report_files import report_options, write_reports
from .targets import (
    Progress,
    Rows,
    close_targets,
    exit_status,
    foreign_options,
    open_targets,
    summary,
)

if TYPE_CHECKING:
    from sasakit.conformance.report import Report
    from sasakit.conformance.runner import Verdict
    from sasakit.conformance.target import Target

HELP = """Judge TARGETS by the clauses of SPEC.md.

A target is a backend (reference, numba, torch) or anyone's Python code: file.py:name,
package.module:name, file.py or package.module, where the name is a function, a class or an
object that offers operations by the interface's names, with NumPy arrays or (--tensors) those of
torch. Foreign code runs in a process of its own, within limits; what it does not offer is not
judged. What has no value for some options, or checks no input, declares so by attributes:

\b
  local_attention.options = {"padding": ["zero"], "position": ["relative"]}
  local_attention.checks_input = False

A class of torch modules needs no adapter: its parameters are found by their shapes and by what
they do, and what it computes is named, the clause that each difference violates with it. An
attention stem and a whole network are judged likewise, the network layer by layer.

Of any other target that deviates it is said what its operations compute instead, where known
deviations, up to three at once, reproduce every result; otherwise that it is unknown.

Each clause is tried on small random cases in every dtype that the target takes. Results are
compared element by element with the reference's, within a budget that is derived from the
case's own rounding errors. rho is the worst distance in units of that budget: sound code stays
below 1, code that means something else goes far above.

Cases stand on a ladder: extent 1, content only, relative only, interior, borders, heads, even
extents, other options, stride and pooling, stem mixture, stems, network. What rests on a rung that
failed is not judged, so that one early mistake is told once; --all judges everything.

\b
Examples:
  sasakit verify numba
  sasakit verify numba torch --json
  sasakit verify torch --clauses PAD,REL-3 --profile full --seed 7
  sasakit verify torch --gradients
  sasakit verify mine.py:attention --operation local_attention --time-limit 5
  sasakit verify mine.py:attention --operation local_attention --tensors --gradients
  sasakit verify attention.py:AttentionConv --arg in_channels={channels_in}
  sasakit verify resnet.py:AttentionResNet26 --arg num_classes=10
  sasakit verify attention.py:AttentionConv --map rel_row=emb_a --map rel_col=emb_b
  sasakit verify attention.py:AttentionConv --weights a.pt --arg heads=8 --convert b.safetensors
  sasakit verify --process "python examples/process/attention.py"
  sasakit verify numba --html report.html --junit report.xml
  sasakit verify numba --case PAD-1/outside_neighbours_take_part/float64/0.0.0.0.0.0

\b
JSON: {"format", "spec_version", "profile", "seed", "passed",
       "targets": [{"target", "outcome", "reason", "seconds", "diagnosis",
                    "failed_first": null | {"rung", "clause"}}],
       "verdicts": [{"target", "clause", "title", "cases", "rho", "seconds",
                     "verdict": "pass" | "fail" | "not judged", "reason": null | text,
                     "rung", "rests_on": null | rung,
                     "failures": [{"property", "dtype", "reason", "case", "spelled",
                                   "replay", "rung"}]}]}
Its schema is schemas/report.schema.json of sasakit.conformance.

Exit status: 0 conforms, 1 deviates, 2 could not be judged.
"""


@click.command(help=HELP)
@click.argument("targets", nargs=-1)
@click.option("--clauses", metavar="ID,...",
              help="Only these clauses or chapters, such as PAD-1,REL.")
@click.option("--profile", type=click.Choice(["brief", "quick", "full"]), default="quick",
              show_default=True, help="How many cases each property is asked.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="The same seed gives the same cases.")
@click.option("--jobs", metavar="N", type=click.IntRange(min=1), show_default="the cores",
              help="How many processes judge at once; the verdicts are the same.")
@click.option("--gradients", is_flag=True,
              help="Judge gradients too, chapter GRAD; every target must offer them.")
@click.option("--all", "everything", is_flag=True,
              help="Judge also what rests on something that has failed.")
@click.option("--case", metavar="ID", help="Judge only this case, by the id a verdict printed.")
@foreign_options
@module_options
@report_options
@json_option
@click.pass_context
def verify(ctx: click.Context, /, targets: tuple[str, ...], profile: str, seed: int,
           html: Path | None, junit: Path | None, as_json: bool, **given: Any) -> None:
    """Judge targets and end with the status of what was found."""
    if not targets and not given["process"]:
        raise click.UsageError("Missing argument 'TARGETS...', or --process.")
    def finish(reports: "list[Report]", judged: "list[Target]") -> None:
        # Before weights are converted, which may fail; what was found is told all the same.
        write_reports(reports, judged, html=html, junit=junit)
        if as_json:
            from sasakit.conformance.reports.json_report import report_document
            print_json(report_document(reports, profile=profile, seed=seed))

    ctx.exit(exit_status(judge_targets(targets, profile=profile, seed=seed, quiet=as_json,
                                       finish=finish, **given)))


def judge_targets(names: tuple[str, ...], *, quiet: bool = False, gradients: bool = False,
                  roles: "Sequence[str]" = (), convert: "Path | None" = None,
                  finish: "Callable[[list[Report], list[Target]], None] | None" = None,
                  clauses: str | None = None, profile: str = "quick", seed: int = 0,
                  everything: bool = False, case: str | None = None, jobs: int | None = None,
                  **foreign: Any) -> "list[Report]":
    """Reports on targets by name, printed as they come unless quiet.

    Classes of torch modules are diagnosed, everything else is asked the clauses.
    roles    as --map spells them
    convert  where to write a module's weights as the equation takes them
    finish   given the reports and the targets while these can still be asked
    jobs     processes that judge at once; None for as many as there are cores
    foreign  as for `open_targets`
    The others are those of the command.
    Raises ValueError for unknown names, ImportError where Hypothesis is not installed.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError("`hypothesis` must be installed to verify; got none. "
                          "Run: pip install 'sasakit[conformance]'.")
    from sasakit.conformance.crew import cores
    from sasakit.conformance.diagnosis.module_report import Question, split_modules
    options = read_module_options(roles, convert, foreign)
    targets = open_targets(names, **foreign)
    try:
        modules, asked = split_modules(targets)
        check_modules(modules, options)
        if gradients and modules:
            raise ValueError(f"`--gradients` must come with targets that offer operations; "
                             f"got the module class {modules[0].name}.")
        chosen = None if clauses is None else [part.strip() for part in clauses.split(",")]
        reports = _report(asked, quiet, case, clauses=chosen, profile=profile, seed=seed,
                          gradients=gradients, ladder=not everything, jobs=jobs or cores())
        examined = examine_modules(modules, Question(chosen, profile, seed, case, options.said),
                                   quiet=quiet)
        reports += [each.report for each in examined]
        if finish is not None:
            finish(reports, [*targets, *(each.suite for each in examined if each.suite)])
        for module, each in zip(modules, examined, strict=True):
            convert_weights(module, each, options, quiet=quiet)
        return reports
    finally:
        close_targets(targets)


def _report(targets: "list[Target]", quiet: bool, case: str | None,
            **given: Any) -> "list[Report]":
    """Reports on what offers operations: the clauses, and what is computed where they fail."""
    from sasakit.conformance.diagnosis.operations.report import add_diagnoses
    from sasakit.conformance.reports.summary import reports_of
    from sasakit.conformance.reports.terminal import diagnosis_text
    reports = reports_of(_judge(targets, quiet, case, **given))
    if case is None:
        add_diagnoses(reports, targets)
    for report in reports:
        if report.diagnosis is not None and not quiet:
            click.echo(f"\n{report.target}: {diagnosis_text(report.diagnosis)}")
    return reports


def _judge(targets: "list[Target]", quiet: bool, case: str | None,
           **given: Any) -> "list[Verdict]":
    """Verdicts on clauses or on one case, as rows with a closing line unless quiet."""
    from sasakit.conformance.runner import replay, run_verification
    if case is not None:
        verdicts = [replay(case, target) for target in targets]
    else:
        with Progress() as progress:
            verdicts = run_verification(targets, asking=progress, **given)
    if verdicts and not quiet:
        Rows(targets).print(verdicts)
        click.echo(summary(verdicts))
    return verdicts
