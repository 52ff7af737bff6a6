"""How to build a class whose constructor nobody described: arguments by name, the rest by trial."""

import inspect
import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from .instance import Sizes

CHANNELS_IN = ("in_channels", "channels_in", "in_planes", "inplanes", "dim_in", "in_dim", "c_in",
               "cin", "in_ch", "in_features", "input_channels", "input_dim", "n_in", "nin", "inp",
               "in_c", "ch_in", "in_chan", "in_size", "in_nc", "d_in")
CHANNELS_OUT = ("out_channels", "channels_out", "out_planes", "planes", "dim_out", "out_dim",
                "c_out", "cout", "out_ch", "out_features", "output_channels", "output_dim", "n_out",
                "nout", "oup", "out_c", "ch_out", "out_chan", "out_size", "out_nc", "filters",
                "d_out")
BOTH = ("channels", "dim", "embed_dim", "embedding_dim", "d_model", "features", "hidden_dim",
        "num_channels", "n_channels", "width", "n_feats", "hidden_size", "c", "ch", "dims",
        "model_dim")
EXTENT = ("kernel_size", "kernel", "k", "ksize", "k_size", "ks", "window_size", "window", "win",
          "win_size", "extent", "spatial_extent", "size", "neighborhood", "neighbourhood",
          "kernel_width", "patch_size", "local_size", "field", "kernel_sz", "ws")
HEADS = ("heads", "num_heads", "n_heads", "nheads", "groups", "head", "num_head", "nhead", "n_head",
         "h", "group", "num_groups", "n_groups", "attention_heads", "nh")
DEPTH = ("head_dim", "dim_head", "dim_per_head", "depth", "d_head", "head_channels", "head_size",
         "dh", "d_k", "dim_heads", "channels_per_head")
PADDING = ("padding", "pad")
ONE = ("stride", "strides", "dilation")

ROLES: dict[str, tuple[str, ...]] = {
    "channels_in": CHANNELS_IN, "channels_out": CHANNELS_OUT, "channels": BOTH, "extent": EXTENT,
    "heads": HEADS, "depth": DEPTH, "padding": PADDING, "one": ONE,
}
MOST_UNKNOWN = 4


def role_of(name: str) -> str | None:
    """The role that an argument's name speaks of, or None."""
    plain = name.lower().strip("_")
    return next((role for role, names in ROLES.items() if plain in names), None)


def value_of(role: str, sizes: Sizes) -> int:
    """The value of a role at some sizes."""
    return {"channels_in": sizes.channels_in, "channels_out": sizes.channels_out,
            "channels": sizes.channels_out, "extent": sizes.extent, "heads": sizes.heads,
            "depth": sizes.depth, "padding": sizes.extent // 2, "one": 1}[role]


def filled(template: str, sizes: Sizes) -> Any:
    """An argument as the user wrote it, placeholders such as "{channels_in}" filled in.

    Raises ValueError for a placeholder that is none of the roles.
    """
    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in ROLES:
            raise ValueError(f"`arg` must use placeholders of {', '.join(ROLES)}; got {{{name}}}.")
        return str(value_of(name, sizes))

    text = re.sub(r"\{(\w*)\}", fill, template)
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"True": True, "False": False, "None": None}.get(text, text)


def argument_sets(signature: inspect.Signature, given: Mapping[str, str],
                  sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Ways to fill a constructor's arguments, the likeliest first.

    given  what the user said, by name, with placeholders
    Arguments with a default that no name speaks of keep it.
    """
    known: dict[str, Any] = {name: filled(text, sizes) for name, text in given.items()}
    unknown = []
    for name, parameter in signature.parameters.items():
        if name in known or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        role = role_of(name)
        if role is not None:
            known[name] = value_of(role, sizes)
        elif parameter.default is parameter.empty:
            unknown.append(name)
    if not unknown:
        yield known
        if any(role_of(name) == "extent" for name in known):
            yield {name: (value, value) if role_of(name) == "extent" and name not in given
                   else value for name, value in known.items()}
        return
    if len(unknown) > MOST_UNKNOWN:
        return
    roles = ("channels_in", "channels_out", "extent", "heads", "depth", "channels")
    for chosen in permutations(roles, len(unknown)):
        yield known | {name: value_of(role, sizes)
                       for name, role in zip(unknown, chosen, strict=True)}
