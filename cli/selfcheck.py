"""`sasakit selfcheck`: the kit judged by itself, and the score that it gets."""

import importlib.util
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from .output import json_option, print_json

if TYPE_CHECKING:
    from sasakit.conformance.selfcheck.score import Score

FORMAT = 1
PARTS = ("mutants", "sound", "modules", "outside")
TITLES = {"mutants": "mutants of the reference and the kernels",
          "sound": "sound implementations that compute otherwise",
          "modules": "random modules of known deviations",
          "outside": "random modules with a change outside every list"}
# Seconds between two lines of progress where no terminal can rewrite one.
PATIENCE = 20.0


@click.command()
@click.option("--quick", is_flag=True, help="The gate of a build: every mutant, fewer of the rest.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only this part; repeatable.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="The same seed gives the same cases and modules.")
@click.option("--matrix", is_flag=True,
              help="Print which properties and mutants each clause has, as Markdown.")
@json_option
@click.pass_context
def selfcheck(ctx: click.Context, /, quick: bool, only: tuple[str, ...], seed: int, matrix: bool,
              as_json: bool) -> None:
    """Check the judge: does it refuse what is wrong, pass what is sound, and accuse nobody falsely?

    \b
    mutants  one line of the reference or of a kernel changed: its own clause must refuse it
    sound    other orders of sums, other types, other formulas: no case may be refused
    modules  torch modules of known deviations: nothing else may be named, and nine of ten named
    outside  torch modules with a change in no list: no name that does not reproduce them

    Two processes run, of one thread each. Without torch the parts that need it are skipped, and
    named.

    \b
    Examples:
      sasakit selfcheck --quick
      sasakit selfcheck --only modules --only outside --seed 7
      sasakit selfcheck --json
      sasakit selfcheck --matrix

    \b
    Keys of --json:
      format, spec_version, quick, seed, seconds, passed
      parts   part, passed (null where it was skipped), skipped (null, or why),
              counts (numbers by name),
              details (what was not refused, was refused or was not named as it must, or why it
              need not be, with the seed or the case that repeats it)

    Exit status: 0 every gate holds, 1 one does not, 2 an error in the command line.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError("`hypothesis` must be installed to check; got none. "
                          "Run: pip install 'sasakit[conformance]'.")
    if matrix:
        from sasakit.conformance.selfcheck.matrix import matrix as text
        click.echo(text(), nl=False)
        return
    from sasakit.conformance.selfcheck.score import FULL, QUICK, run_part
    from sasakit.reference.contract.version import SPEC_VERSION
    started, scores = time.monotonic(), []
    for part in only or PARTS:
        scores.append(run_part(part, QUICK if quick else FULL, seed, _processes(), _Progress()))
        if not as_json:
            _print_score(scores[-1])
    passed = all(score.passed is not False for score in scores)
    if as_json:
        print_json({"format": FORMAT, "spec_version": SPEC_VERSION, "quick": quick, "seed": seed,
                    "seconds": round(time.monotonic() - started, 1), "passed": passed,
                    "parts": [_document(score) for score in scores]})
    else:
        click.echo("Every gate holds." if passed else "A gate does not hold.")
    ctx.exit(0 if passed else 1)


def _processes() -> int:
    return min(2, os.cpu_count() or 1)


def _document(score: "Score") -> dict[str, Any]:
    return {"part": score.part, "passed": score.passed, "skipped": score.skipped,
            "counts": score.counts, "details": score.details}


class _Progress:
    """Says on stderr how far a part is: on one line of a terminal, or now and then."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, part: str, done: int, total: int) -> None:
        """Say it, if it is time."""
        if sys.stderr.isatty():
            click.echo(f"\r{part}: {done} of {total}" + ("\n" if done == total else ""),
                       err=True, nl=False)
        elif time.monotonic() - self._said > PATIENCE:
            self._said = time.monotonic()
            click.echo(f"{part}: {done} of {total}", err=True)


def _print_score(score: "Score") -> None:
    word = {True: "holds", False: "DOES NOT HOLD", None: "skipped"}[score.passed]
    click.echo(f"{score.part}: {TITLES[score.part]}: {word}")
    if score.skipped is not None:
        click.echo(f"  skipped: {score.skipped}")
    for name, number in score.counts.items():
        click.echo(f"  {name:<24}{number:>10.4g}" if isinstance(number, float)
                   else f"  {name:<24}{number:>10}")
    for detail in score.details:
        told = ", ".join(f"{name} {value}" for name, value in detail.items()
                         if value not in (None, []))
        click.echo(f"    {told}")
