"""What the commands print: aligned columns as text, one document as JSON. No colour anywhere."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Give a command --json, passed as `as_json`."""
    return click.option("--json", "as_json", is_flag=True,
                        help="Print one JSON document instead of text.")(command)


def print_json(document: object) -> None:
    """One JSON document on stdout. A number that JSON lacks (NaN) must not reach this point."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def print_table(rows: Sequence[Sequence[str]], align: str) -> None:
    """Rows in aligned columns, two spaces apart; `align` has one of < and > for each column."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [f"{cell:{side}{width}}"
                 for cell, side, width in zip(row, align, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
