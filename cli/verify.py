"""`sasakit verify`: run the suites on targets and say, clause by clause, whether they conform."""

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import json_option, print_json
from .report_files import report_options, write_reports
from .targets import (
    Rows,
    close_targets,
    exit_status,
    foreign_options,
    open_targets,
    summary,
)

if TYPE_CHECKING:
    from sasakit.conformance.report import Report
    from sasakit.conformance.target import Target


@click.command()
@click.argument("targets", nargs=-1)
@click.option("--clauses", metavar="ID,...",
              help="Only these clauses or chapters, such as PAD-1,REL.")
@click.option("--profile", type=click.Choice(["brief", "quick", "full"]), default="quick",
              show_default=True, help="How many cases each property is asked.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="The same seed gives the same cases.")
@click.option("--gradients", is_flag=True,
              help="Judge gradients too, chapter GRAD; every target must offer them.")
@click.option("--case", metavar="ID", help="Judge only this case, by the id a verdict printed.")
@foreign_options
@report_options
@json_option
@click.pass_context
def verify(ctx: click.Context, /, targets: tuple[str, ...], clauses: str | None, profile: str,
           seed: int, gradients: bool, case: str | None, html: Path | None, junit: Path | None,
           as_json: bool, **foreign: Any) -> None:
    """Judge TARGETS by the clauses of SPEC.md.

    A target is a backend (reference, numba, torch) or anyone's Python code: file.py:name,
    package.module:name, file.py or package.module, where the name is a function, a class or an
    object that offers operations by the interface's names, with NumPy arrays. Foreign code runs in
    a process of its own, within limits; what it does not offer is not judged.

    A class of torch modules needs no adapter: its parameters are found by their shapes and by what
    they do, and what it computes is named, the clause that each difference violates with it. An
    attention stem and a whole network are judged likewise, the network layer by layer.

    Each clause is tried on small random cases in every dtype that the target takes. Results are
    compared element by element with the reference's, within a budget that is derived from the
    case's own rounding errors. rho is the worst distance in units of that budget: sound code stays
    below 1, code that means something else goes far above.

    \b
    Examples:
      sasakit verify numba
      sasakit verify numba torch --json
      sasakit verify torch --clauses PAD,REL-3 --profile full --seed 7
      sasakit verify torch --gradients
      sasakit verify mine.py:attention --operation local_attention --time-limit 5
      sasakit verify attention.py:AttentionConv --arg in_channels={channels_in}
      sasakit verify resnet.py:AttentionResNet26 --arg num_classes=10
      sasakit verify --process "python examples/process/attention.py"
      sasakit verify numba --html report.html --junit report.xml
      sasakit verify numba --case PAD-1/outside_neighbours_take_part/float64/0.0.0.0.0.0

    \b
    JSON: {"format", "spec_version", "profile", "seed", "passed",
           "targets": [{"target", "outcome", "reason", "seconds", "diagnosis"}],
           "verdicts": [{"target", "clause", "title", "cases", "rho",
                         "verdict": "pass" | "fail" | "not judged", "reason": null | text,
                         "failures": [{"property", "dtype", "reason", "case", "spelled"}]}]}
    Its schema is schemas/report.schema.json of sasakit.conformance.

    Exit status: 0 conforms, 1 deviates, 2 could not be judged.
    """  # noqa: D301
    if not targets and not foreign["process"]:
        raise click.UsageError("Missing argument 'TARGETS...', or --process.")
    reports = judge_targets(targets, clauses=clauses, profile=profile, seed=seed,
                            gradients=gradients, case=case, quiet=as_json, **foreign,
                            finish=partial(write_reports, html=html, junit=junit))
    if as_json:
        from sasakit.conformance.reports.json_report import report_document
        print_json(report_document(reports, profile=profile, seed=seed))
    ctx.exit(exit_status(reports))


def judge_targets(names: tuple[str, ...], *, clauses: str | None = None, profile: str = "quick",
                  seed: int = 0, gradients: bool = False, case: str | None = None,
                  quiet: bool = False,
                  finish: "Callable[[list[Report], list[Target]], None] | None" = None,
                  **foreign: Any) -> "list[Report]":
    """Reports on targets by name, printed as they come unless quiet.

    Classes of torch modules are diagnosed, everything else is asked the clauses.
    finish   given the reports and the targets while these can still be asked
    foreign  as for `open_targets`
    Raises ValueError for unknown names, ImportError where Hypothesis is not installed.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError("`hypothesis` must be installed to verify; got none. "
                          "Run: pip install 'sasakit[conformance]'.")
    from sasakit.conformance.diagnosis.module_report import module_report, split_modules
    from sasakit.conformance.reports.summary import reports_of
    from sasakit.conformance.reports.terminal import terminal_report
    from sasakit.conformance.runner import replay, run_verification
    targets = open_targets(names, **foreign)
    try:
        modules, asked = split_modules(targets)
        rows = (lambda verdict: None) if quiet or not asked else Rows(asked)
        if case is not None:
            verdicts = [replay(case, target) for target in asked]
            for verdict in verdicts:
                rows(verdict)
        else:
            chosen = None if clauses is None else [part.strip() for part in clauses.split(",")]
            verdicts = run_verification(asked, clauses=chosen, profile=profile, seed=seed,
                                        gradients=gradients, report=rows)
        if verdicts and not quiet:
            click.echo(summary(verdicts))
        reports = reports_of(verdicts)
        for module in modules:
            reports.append(module_report(module))
            if not quiet:
                click.echo(terminal_report(reports[-1:]))
        if finish is not None:
            finish(reports, targets)
        return reports
    finally:
        close_targets(targets)
