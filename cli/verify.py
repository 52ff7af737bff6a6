"""`sasakit verify`: run the suites on backends and say, clause by clause, whether they conform."""

import importlib.util
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from .output import json_option, print_json

if TYPE_CHECKING:
    from sasakit.conformance.runner import Verdict

EXIT_DEVIATES = 1


@click.command()
@click.argument("targets", nargs=-1, required=True)
@click.option("--clauses", metavar="ID,...",
              help="Only these clauses or chapters, such as PAD-1,REL.")
@click.option("--profile", type=click.Choice(["brief", "quick", "full"]), default="quick",
              show_default=True, help="How many cases each property is asked.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="The same seed gives the same cases.")
@click.option("--case", metavar="ID", help="Judge only this case, by the id a verdict printed.")
@json_option
@click.pass_context
def verify(ctx: click.Context, targets: tuple[str, ...], clauses: str | None, profile: str,
           seed: int, case: str | None, as_json: bool) -> None:
    """Judge TARGETS (reference, numba, torch) by the clauses of SPEC.md.

    Each clause is tried on small random cases in every dtype that the target takes. Results are
    compared element by element with the reference's, within a budget that is derived from the
    case's own rounding errors. rho is the worst distance in units of that budget: sound code stays
    below 1, code that means something else goes far above.

    \b
    Examples:
      sasakit verify numba
      sasakit verify numba torch --json
      sasakit verify torch --clauses PAD,REL-3 --profile full --seed 7
      sasakit verify numba --case PAD-1/outside_neighbours_take_part/float64/0.0.0.0.0.0

    \b
    JSON: {"spec_version", "profile", "seed", "passed",
           "verdicts": [{"target", "clause", "title", "cases", "rho", "verdict": "pass" | "fail",
                         "failures": [{"property", "dtype", "reason", "case", "spelled"}]}]}

    Exit status: 0 conforms, 1 deviates, 2 could not be judged.
    """  # noqa: D301
    verdicts = judge_backends(targets, clauses=clauses, profile=profile, seed=seed, case=case,
                               quiet=as_json)
    passed = all(verdict.passed for verdict in verdicts)
    if as_json:
        print_json(_document(verdicts, profile, seed, passed))
    else:
        failed = sum(not verdict.passed for verdict in verdicts)
        click.echo(f"{len(verdicts) - failed} clauses passed, {failed} failed: "
                   f"{', '.join(targets)} {'conform' if passed else 'deviate'}"
                   f"{'s' if len(targets) == 1 else ''}.")
    ctx.exit(0 if passed else EXIT_DEVIATES)


def judge_backends(names: tuple[str, ...], *, clauses: str | None = None, profile: str = "quick",
                   seed: int = 0, case: str | None = None,
                   quiet: bool = False) -> "list[Verdict]":
    """Verdicts of the suites on backends by name, printed as they come unless quiet.

    Raises ValueError for unknown names, ImportError where Hypothesis is not installed.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError("`hypothesis` must be installed to verify; got none. "
                          "Run: pip install 'sasakit[conformance]'.")
    from sasakit.accel import resolve_backend
    from sasakit.conformance.runner import replay, run_verification
    from sasakit.conformance.target import backend_target
    targets = [backend_target(name, resolve_backend(name)) for name in dict.fromkeys(names)]
    if not quiet:
        click.echo(f"{'target':<10}{'clause':<9}{'cases':>6}{'worst rho':>11}  verdict")
    report = (lambda verdict: None) if quiet else _print_row
    if case is not None:
        verdicts = [replay(case, target) for target in targets]
        for verdict in verdicts:
            report(verdict)
        return verdicts
    chosen = None if clauses is None else [part.strip() for part in clauses.split(",")]
    return run_verification(targets, clauses=chosen, profile=profile, seed=seed, report=report)


def _print_row(verdict: "Verdict") -> None:
    word = "pass" if verdict.passed else "FAIL"
    click.echo(f"{verdict.target:<10}{verdict.clause:<9}{verdict.cases:>6}{verdict.rho:>11.3g}"
               f"  {word}")
    for failure in verdict.failures:
        for line in str(failure).splitlines():
            click.echo(f"    {line}")


def _document(verdicts: "list[Verdict]", profile: str, seed: int, passed: bool) -> dict[str, Any]:
    from sasakit.conformance.clauses import all_clauses
    from sasakit.reference import SPEC_VERSION
    titles = {clause.id: clause.title for clause in all_clauses().values()}
    return {
        "spec_version": SPEC_VERSION, "profile": profile, "seed": seed, "passed": passed,
        "verdicts": [{
            "target": verdict.target, "clause": verdict.clause, "title": titles[verdict.clause],
            "cases": verdict.cases, "rho": verdict.rho,
            "verdict": "pass" if verdict.passed else "fail",
            "failures": [asdict(failure) for failure in verdict.failures],
        } for verdict in verdicts],
    }
