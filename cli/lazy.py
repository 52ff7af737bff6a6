"""A group whose commands are imported when they are asked for, and whose errors are one line."""

import errno
import importlib
from collections.abc import Mapping
from typing import Any

import click

INPUT_ERRORS = (ValueError, TypeError, ImportError, OSError)
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130


class InputError(click.ClickException):
    """An error in what the user gave: one line on stderr, exit status 2."""

    exit_code = EXIT_INPUT


class LazyGroup(click.Group):
    """A group that knows its commands by name and one line of help, and imports one when it runs.

    lazy  name -> (module, attribute, one line of help)
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str, str]], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of registration, which is the order of the help."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, imported now; None for a name that is not registered."""
        if cmd_name not in self.lazy:
            return None
        module, attribute, _ = self.lazy[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the registered lines, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in self.lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the user got wrong becomes one line, never a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except INPUT_ERRORS as error:
            # A closed pipe is no error of anyone's; click ends quietly on it.
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            raise InputError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """The error's message on one line; an OSError names its file as the other errors do."""
    if isinstance(error, OSError) and error.strerror is not None:
        named = "" if error.filename is None else f"{click.format_filename(error.filename)}: "
        return f"{named}{error.strerror}."
    return " ".join(str(error).split()) or type(error).__name__
