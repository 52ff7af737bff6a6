"""Reports that `sasakit verify` writes to files: an HTML page, JUnit XML."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Command

if TYPE_CHECKING:
    from sasakit.conformance.report import Report
    from sasakit.conformance.target import Target


def _read_file(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Refuse, before anything is judged, a file that could not be written after it."""
    if value is not None and not value.parent.is_dir():
        raise click.BadParameter(f"{value.parent} is no directory.", ctx, param)
    if value is not None and value.is_dir():
        raise click.BadParameter(f"{value} is a directory.", ctx, param)
    return value


def report_options(command: Command) -> Command:
    """Give a command --html and --junit, passed as `html` and `junit`."""
    kind = click.Path(path_type=Path)
    for name, text in (("--junit", "Also write JUnit XML, for a CI server."),
                       ("--html", "Also write one HTML page, with maps of every error.")):
        command = click.option(name, metavar="FILE", type=kind, callback=_read_file,
                               help=text)(command)
    return command


def write_reports(reports: "list[Report]", targets: "list[Target]", *,
                  html: Path | None, junit: Path | None) -> None:
    """Write the reports that were asked for; the targets are asked again for the page's maps."""
    if html is None and junit is None:
        return
    from sasakit.conformance.reports.evidence import gather_evidence
    from sasakit.conformance.reports.html import html_page
    from sasakit.conformance.reports.junit import junit_xml
    if junit is not None:
        write_whole(junit, junit_xml(reports))
    if html is not None:
        evidence = gather_evidence(reports, {target.name: target for target in targets})
        write_whole(html, html_page(reports, evidence))


def write_whole(path: Path, text: str) -> None:
    """Write a file of which nobody ever sees a part; an older one stays until this one is whole."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp keeps its file to its owner; a report may be read by whom the umask allows.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
