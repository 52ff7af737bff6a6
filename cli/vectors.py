"""`sasakit vectors`: golden vectors for implementations that cannot be called from here."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import click

from .output import json_option, print_json
from .targets import Rows, exit_status, summary, word_of

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def vectors() -> None:
    """Write golden vectors, and judge results by them.

    A case is one safetensors file: the inputs, the expected value, and the budget around it. A
    manifest names the operation and the options of each. Any language can compute the results.

    \b
    Examples:
      sasakit vectors export vectors --clauses REL,PAD-1 --seed 7
      sasakit vectors check vectors
      sasakit vectors check vectors --results mine
    """
    for package in ("hypothesis", "safetensors"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"`{package}` must be installed for vectors; got none. "
                              f"Run: pip install 'sasakit[conformance]'.")


@vectors.command()
@click.argument("directory", type=FOLDER)
@click.option("--clauses", metavar="ID,...",
              help="Only these clauses or chapters, such as PAD-1,REL.")
@click.option("--profile", type=click.Choice(["brief", "quick", "full"]), default="quick",
              show_default=True, help="How many cases each property has.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="The same seed gives the same bytes.")
@click.option("--dtype", "dtypes", type=click.Choice(["float64", "float32", "float16", "bfloat16"]),
              multiple=True, default=("float64", "float32"), show_default=True,
              help="Type of the inputs; may be given more than once.")
@click.option("--gradients", is_flag=True, help="Export gradients too, chapter GRAD.")
@click.option("--force", is_flag=True, help="Replace golden vectors that are there already.")
@json_option
def export(directory: Path, clauses: str | None, profile: str, seed: int, dtypes: tuple[str, ...],
           gradients: bool, force: bool, as_json: bool) -> None:
    """Write golden vectors into DIRECTORY, which must not exist yet.

    \b
    Examples:
      sasakit vectors export vectors
      sasakit vectors export vectors --clauses REL --dtype float32 --force

    \b
    JSON: {"directory", "cases"}
    """
    from sasakit.conformance.vectors import export_vectors
    chosen = None if clauses is None else [part.strip() for part in clauses.split(",")]
    count = export_vectors(directory, clauses=chosen, profile=profile, seed=seed, dtypes=dtypes,
                           force=force, gradients=gradients)
    if as_json:
        print_json({"directory": str(directory), "cases": count})
    else:
        click.echo(f"{count} cases in {click.format_filename(directory)}.")


@vectors.command()
@click.argument("directory", type=FOLDER)
@click.option("--results", type=FOLDER,
              help="A folder of results: for each case a file of the same name with a tensor "
                   "named result, or as docs/golden-vectors.md says.")
@json_option
@click.pass_context
def check(ctx: click.Context, /, directory: Path, results: Path | None, as_json: bool) -> None:
    """Judge results by the golden vectors in DIRECTORY; without --results, the vectors themselves.

    \b
    Examples:
      sasakit vectors check vectors
      sasakit vectors check vectors --results mine --json

    \b
    JSON: {"passed", "diagnosis": null | as verify has it,
           "verdicts": [{"clause", "cases", "rho",
                         "verdict": "pass" | "fail" | "not judged",
                         "failures": [{"property", "case", "reason"}]}]}

    Exit status: 0 conforms, 1 deviates, 2 could not be judged.
    """
    from sasakit.conformance.diagnosis.operations.recorded import diagnose_results
    from sasakit.conformance.reports.json_report import diagnosis_document
    from sasakit.conformance.reports.summary import reports_of
    from sasakit.conformance.reports.terminal import diagnosis_text
    from sasakit.conformance.vectors import check_vectors
    verdicts = check_vectors(directory, results)
    if not verdicts:
        raise ValueError(f"`directory` must hold at least one case; got none in {directory}.")
    status = exit_status(reports_of(verdicts))
    diagnosis = None if results is None else diagnose_results(directory, results, verdicts)
    if as_json:
        print_json({"passed": status == 0,
                    "diagnosis": diagnosis and diagnosis_document(diagnosis), "verdicts": [{
            "clause": verdict.clause, "cases": verdict.cases, "rho": verdict.rho,
            "verdict": word_of(verdict), "failures": [
                {"property": failure.property, "case": failure.case, "reason": failure.reason}
                for failure in verdict.failures]} for verdict in verdicts]})
    else:
        Rows([SimpleNamespace(name=verdicts[0].target)]).print(verdicts)
        click.echo(summary(verdicts))
        if diagnosis is not None:
            click.echo(f"\n{diagnosis_text(diagnosis)}")
    ctx.exit(status)
