"""Options of `sasakit verify` for torch modules: roles that the user says, weights to convert."""

from collections.abc import Sequence
from pathlib import Path

import click

from .output import Command


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
