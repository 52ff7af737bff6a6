"""`sasakit verify` on torch modules: their options, their reports, their weights converted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import Command

if TYPE_CHECKING:
    from sasakit.conformance.diagnosis.module_report import Examined, Question
    from sasakit.conformance.isolation.target import IsolatedTarget


@dataclass
class ModuleOptions:
    """What the command line says of torch modules.

    said     parameters by role
    convert  where to write the weights as the equation takes them
    sizes    what is said of the sizes of these weights
    saved    whether they are those of a file
    """

    said: dict[str, str] = field(default_factory=dict)
    convert: Path | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    saved: bool = False


def _parent_is_there(ctx: click.Context, param: click.Parameter,
                     value: Path | None) -> Path | None:
    """Refuse, before anything is judged, a file that could not be written after it."""
    if value is not None and (not value.parent.is_dir() or value.is_dir()):
        raise click.BadParameter(f"{value} can be no file.", ctx, param)
    return value


def module_options(command: Command) -> Command:
    """Give a command --map, --convert and --weights, passed as `map`, `convert` and `weights`."""
    for option in (
            click.option("--weights", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
                         help="The weights that --convert converts, a state dict as safetensors "
                              "or as torch.save writes it; those of a new build when not given."),
            click.option("--convert", metavar="FILE", callback=_parent_is_there,
                         type=click.Path(path_type=Path, dir_okay=False),
                         help="Write a torch module's weights as the equation takes them, in "
                              "safetensors; say its sizes by --arg, such as heads=8."),
            click.option("--map", "roles", metavar="ROLE=PARAMETER", multiple=True,
                         help="Which parameter of a torch module plays which role, such as "
                              "w_query=to_q.weight, where that cannot be told.")):
        command = option(command)
    return command


def read_module_options(roles: Sequence[str], convert: Path | None,
                        foreign: dict[str, Any]) -> ModuleOptions:
    """The options; sizes of weights to convert are taken out of `foreign`'s "arg".

    Raises ValueError for what is not ROLE=PARAMETER, and for weights that nobody converts.
    """
    sizes: dict[str, int] = {}
    saved = foreign.get("weights") is not None
    if saved and convert is None:
        raise ValueError("`--weights` must come with --convert; got none.")
    if convert is not None:
        foreign["arg"], sizes = split_sizes(foreign.get("arg", ()))
    return ModuleOptions(read_roles(roles), convert, sizes, saved)


def check_modules(modules: "Sequence[IsolatedTarget]", options: ModuleOptions) -> None:
    """Raises ValueError for options that are for one module where there is not one."""
    for option, given in (("--map", options.said), ("--convert", options.convert)):
        if given and len(modules) != 1:
            raise ValueError(f"`{option}` must come with one torch module; got {len(modules)}.")


def examine_modules(modules: "Sequence[IsolatedTarget]", asked: "Question", *,
                    quiet: bool) -> "list[Examined]":
    """Reports on torch modules, printed as they come unless quiet."""
    from sasakit.conformance.diagnosis.module_report import examine_module
    from sasakit.conformance.reports.terminal import terminal_report
    found = []
    for module in modules:
        found.append(examine_module(module, asked))
        if not quiet:
            click.echo(terminal_report([found[-1].report]))
    return found


def convert_weights(module: "IsolatedTarget", examined: "Examined", options: ModuleOptions, *,
                    quiet: bool) -> None:
    """Write a module's converted weights, and say so. Raises ValueError where that cannot be."""
    from sasakit.conformance.diagnosis.instance import ModuleError
    from sasakit.conformance.diagnosis.module_report import convert_module
    path = options.convert
    if path is None:
        return
    try:
        done = convert_module(examined, module, path, options.sizes, saved=options.saved)
    except ModuleError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"`--convert` must have weights that can be converted; {reason}; "
                         f"got no {path.name}.") from None
    if not quiet:
        click.echo(f"\nWrote {click.format_filename(path)}: {done}.")


def read_roles(given: Sequence[str]) -> dict[str, str]:
    """Parameters by role. Raises ValueError for what is not ROLE=PARAMETER."""
    roles = {}
    for text in given:
        role, equals, name = text.partition("=")
        if not equals or not name:
            raise ValueError(f"`--map` must be ROLE=PARAMETER; got {text!r}.")
        roles[role] = name
    return roles


def split_sizes(given: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Arguments of a constructor that say no size, and the sizes that the others say.

    A number for an argument whose name speaks of a size is the size of the weights to convert; the
    module is built at other sizes too.
    """
    from sasakit.conformance.diagnosis.construct import role_of
    rest, sizes = [], {}
    for text in given:
        name, _, value = text.partition("=")
        role = role_of(name)
        if value.isdecimal() and role in ("channels_in", "channels_out", "heads", "extent"):
            sizes[role] = int(value)
        elif value.isdecimal() and role == "channels":
            sizes |= {"channels_in": int(value), "channels_out": int(value)}
        else:
            rest.append(text)
    return rest, sizes
