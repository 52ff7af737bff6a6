"""What `verify` judges: our backends in this process, everyone else's code in one of its own."""

import re
import sys
from collections.abc import Sequence
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from .output import Command

if TYPE_CHECKING:
    from sasakit.conformance.report import Report
    from sasakit.conformance.runner import Verdict
    from sasakit.conformance.target import Target

EXIT_DEVIATES = 1
EXIT_NOT_JUDGED = 2
WORDS = {0: "conform", EXIT_DEVIATES: "deviate", EXIT_NOT_JUDGED: "could not be judged"}
# file.py, file.py:name, package.module, module:name; a backend's name has none of these marks.
FOREIGN = re.compile(r"[:./]")


def foreign_options(command: Command) -> Command:
    """Give a command the options of foreign targets, passed as `process` and so on."""
    for option in (
            click.option("--memory-limit", type=click.FloatRange(min=0), default=8.0,
                         metavar="GIB", show_default=True,
                         help="Memory that foreign code may use; 0 for no limit."),
            click.option("--total-limit", type=click.FloatRange(min=0, min_open=True),
                         default=1800.0, metavar="SECONDS", show_default=True,
                         help="Time that foreign code may take for everything; the rest is not "
                              "judged."),
            click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=20.0,
                         metavar="SECONDS", show_default=True,
                         help="Time that foreign code may take for one case."),
            click.option("--arg", metavar="NAME=VALUE", multiple=True,
                         help="An argument of a torch module's constructor, where its name does "
                              "not say it; VALUE may be {channels_in}, {channels_out}, "
                              "{channels}, {heads}, {depth}, {extent}, {padding}."),
            click.option("--operation", metavar="NAME",
                         help="Which operation a TARGET that is one function is, where its own "
                              "name does not say it."),
            click.option("--tensors", is_flag=True,
                         help="TARGET takes and gives torch tensors; autograd has its gradients."),
            click.option("--process", metavar="COMMAND", multiple=True,
                         help="Judge a process that speaks JSON lines (docs/process-door.md).")):
        command = option(command)
    return command


def open_targets(names: Sequence[str], process: Sequence[str] = (), operation: str | None = None,
                 arg: Sequence[str] = (), tensors: bool = False, time_limit: float = 20.0,
                 total_limit: float = 1800.0, memory_limit: float = 8.0,
                 weights: str | None = None) -> "list[Target]":
    """Targets by what the command line calls them.

    names    backends, or Python code as file.py:name, package.module:name, package.module
    weights  a file of a torch module's weights
    Raises ValueError for a backend that is unknown, and for options of foreign Python code where
    there is none.
    """
    from sasakit.conformance.isolation.child import Limits
    from sasakit.conformance.isolation.target import IsolatedTarget
    limits = Limits(seconds=time_limit, memory=int(memory_limit * 2**30), total=total_limit)
    names = list(dict.fromkeys(names))
    foreign = [name for name in names if FOREIGN.search(name)]
    for option, given in (("operation", operation is not None), ("arg", arg), ("tensors", tensors)):
        if given and not foreign:
            raise ValueError(f"`--{option}` must come with a target of foreign Python code; "
                             f"got none.")
    arguments = _read_arguments(arg)
    targets: list[Target] = []
    for name in names:
        described = {"door": "python", "spec": name, "operation": operation, "tensors": tensors,
                     "arguments": arguments, "weights": weights}
        targets.append(IsolatedTarget(name, described, limits) if name in foreign
                       else open_backend(name))
    targets += [IsolatedTarget(command, {"door": "process", "command": command}, limits)
                for command in dict.fromkeys(process)]
    return targets


def open_backend(name: str) -> "Target":
    """One of our backends, in whichever process this is called.

    Raises ValueError for one that is unknown.
    """
    from sasakit.accel import resolve_backend
    from sasakit.conformance.target import backend_target
    return backend_target(name, resolve_backend(name), partial(open_backend, name))


def _read_arguments(given: Sequence[str]) -> dict[str, str]:
    arguments = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"`--arg` must be NAME=VALUE; got {text!r}.")
        arguments[name] = value
    return arguments


def exit_status(reports: "Sequence[Report]") -> int:
    """0 conforms, 1 deviates, 2 when some target could not be judged."""
    outcomes = {report.outcome for report in reports}
    if "deviates" in outcomes:
        return EXIT_DEVIATES
    return EXIT_NOT_JUDGED if "not judged" in outcomes else 0


def word_of(verdict: "Verdict") -> str:
    """One word for a row, which are two where nothing was judged."""
    from sasakit.conformance.reports.summary import status_of
    return status_of(verdict)


def summary(verdicts: "Sequence[Verdict]") -> str:
    """The closing line."""
    words = [word_of(verdict) for verdict in verdicts]
    names = list(dict.fromkeys(verdict.target for verdict in verdicts))
    from sasakit.conformance.reports.summary import reports_of
    ending = WORDS[exit_status(reports_of(verdicts))]
    if len(names) == 1 and not ending.startswith("could"):
        ending += "s"
    skipped = f", {words.count('not judged')} not judged" if "not judged" in words else ""
    return (f"{words.count('pass')} clauses passed, {words.count('fail')} failed{skipped}: "
            f"{', '.join(names)} {ending}.")


class Rows:
    """Prints a row for each clause that was judged, and one for those that were not, by reason."""

    def __init__(self, targets: "Sequence[Any]") -> None:
        self._width = max(10, *(len(target.name) + 2 for target in targets))

    def print(self, verdicts: "Sequence[Verdict]") -> None:
        """Where each ladder broke, a heading, then the rows: failures first, the lowest first."""
        from sasakit.conformance.reports.summary import (
            advice,
            ladder_words,
            lowest_first,
            reports_of,
        )
        reports = reports_of(verdicts)
        for report in reports:
            if words := ladder_words(report):
                click.echo(f"{report.target}: {words}")
        click.echo(f"{'target':<{self._width}}{'clause':<9}{'cases':>6}{'worst rho':>11}  verdict")
        for report in reports:
            left: dict[str, list[str]] = {}
            for verdict in lowest_first(report.verdicts):
                if word_of(verdict) != "not judged":
                    self._row(verdict)
                else:
                    why = f"rests on {verdict.rests_on}" if verdict.rests_on else verdict.reason
                    left.setdefault(f"{why}", []).append(verdict.clause)
            for why, clauses in left.items():
                self._left(report.target, why, clauses)
            for line in advice(report):
                click.echo(f"    {line}")

    def _row(self, verdict: "Verdict") -> None:
        """One row, and what failed; what fails alike in another dtype is told once."""
        from sasakit.conformance.reports.summary import why_not
        failed = word_of(verdict) == "fail"
        click.echo(f"{verdict.target:<{self._width}}{verdict.clause:<9}{verdict.cases:>6}"
                   f"{verdict.rho:>11.3g}  {'FAIL' if failed else 'pass'}")
        told = dict[tuple[str, str], str]()
        for failure in verdict.failures:
            known = (failure.property, failure.reason) in told
            told.setdefault((failure.property, failure.reason), failure.dtype)
            _indented(f"{failure.property} [{failure.dtype}]: as in "
                      f"{told[failure.property, failure.reason]}" if known else str(failure))
        if failed and not told:
            _indented(why_not(verdict))

    def _left(self, target: str, why: str, clauses: "Sequence[str]") -> None:
        """The clauses that were not judged for one reason."""
        click.echo(fill(f"{target:<{self._width}}not judged: {', '.join(clauses)}", 100,
                        subsequent_indent=" " * self._width, break_on_hyphens=False))
        _indented(why)


def _indented(text: str) -> None:
    """Print lines below a row; foreign code must not write on the terminal and erase its own."""
    from sasakit.conformance.reports.summary import visible
    for line in text.splitlines():
        click.echo(f"    {visible(line)}")


class Progress:
    """Says on a terminal what is being judged, and takes it back at the end."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)

    def __call__(self, target: str, clause: str) -> None:
        """Replace the line."""
        from sasakit.conformance.reports.summary import visible
        if self._shown:
            click.echo(f"\r\x1b[K{visible(target)[:60]} {clause}", nl=False, err=True)


def close_targets(targets: "Sequence[Any]") -> None:
    """End the processes of those that have one."""
    for target in targets:
        getattr(target, "close", lambda: None)()
