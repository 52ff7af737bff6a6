"""How to build a class whose constructor nobody described: arguments by name, the rest by trial."""

import inspect
import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from .instance import Sizes

CHANNELS_IN = ("in_channels", "channels_in", "in_planes", "inplanes", "dim_in", "in_dim", "c_in",
               "cin", "in_ch", "in_features", "input_channels", "input_dim", "n_in", "nin", "inp",
               "in_c", "ch_in", "in_chan", "in_size", "in_nc", "d_in", "c1", "in_filters",
               "input_channel", "in_channel", "in_feats", "in_width", "fan_in", "inchannels",
               "input_features", "input_size", "indim", "num_in", "ic")
CHANNELS_OUT = ("out_channels", "channels_out", "out_planes", "planes", "dim_out", "out_dim",
                "c_out", "cout", "out_ch", "out_features", "output_channels", "output_dim", "n_out",
                "nout", "oup", "out_c", "ch_out", "out_chan", "out_size", "out_nc", "filters",
                "d_out", "c2", "out_filters", "output_channel", "out_channel", "out_feats",
                "out_width", "fan_out", "outchannels", "output_features", "units", "dk", "dv",
                "dim_k", "dim_v", "inner_dim", "num_filters", "n_filters", "attn_dim", "outdim",
                "num_out", "oc", "key_dim_total", "qk_dim", "v_dim")
BOTH = ("channels", "dim", "embed_dim", "embedding_dim", "d_model", "features", "hidden_dim",
        "num_channels", "n_channels", "width", "n_feats", "hidden_size", "c", "ch", "dims",
        "model_dim", "channel", "num_features", "n_embd", "emb_dim", "emb", "embed", "hidden",
        "feature_dim", "n_feat", "dmodel", "nc", "embed_dims", "nf", "chans", "num_feat")
EXTENT = ("kernel_size", "kernel", "k", "ksize", "k_size", "ks", "window_size", "window", "win",
          "win_size", "extent", "spatial_extent", "size", "neighborhood", "neighbourhood",
          "kernel_width", "patch_size", "local_size", "field", "kernel_sz", "ws", "span",
          "neighborhood_size", "neighbourhood_size", "filter_size", "receptive_field", "kernelsize",
          "local_window", "attn_window", "window_len", "kern", "kw", "field_size", "nbhd")
HEADS = ("heads", "num_heads", "n_heads", "nheads", "groups", "head", "num_head", "nhead", "n_head",
         "h", "group", "num_groups", "n_groups", "attention_heads", "nh", "numheads", "nb_heads",
         "num_attention_heads", "n_attn_heads", "attn_heads", "head_count", "head_num", "g")
DEPTH = ("head_dim", "dim_head", "dim_per_head", "depth", "d_head", "head_channels", "head_size",
         "dh", "d_k", "dim_heads", "channels_per_head", "head_width", "key_dim", "d_v",
         "head_depth", "per_head")
PADDING = ("padding", "pad")
RADIUS = ("radius", "halo", "halo_size", "reach", "margin", "halo_width", "r")
ONE = ("stride", "strides", "dilation", "rate", "dilation_rate", "dil")
# These matter only where there is no default.
BLOCK = ("block_size", "block", "tile", "tile_size", "bs", "block_width")
ZERO = ("dropout", "attn_drop", "proj_drop", "drop", "attn_dropout", "drop_rate", "p", "dropout_p")
OFF = ("bias", "qkv_bias", "use_bias", "attn_bias", "with_bias", "causal")
# These are given whatever the default: another size of image than this is not tried.
IMAGE = ("img_size", "image_size", "input_resolution", "resolution", "fmap_size", "feature_size",
         "feat_size", "spatial_size", "spatial_dim", "height", "feature_map_size")
IMAGE_SIDE, BLOCK_SIDE = 8, 4

ROLES: dict[str, tuple[str, ...]] = {
    "channels_in": CHANNELS_IN, "channels_out": CHANNELS_OUT, "channels": BOTH, "extent": EXTENT,
    "heads": HEADS, "depth": DEPTH, "padding": PADDING, "radius": RADIUS, "one": ONE,
    "block": BLOCK, "zero": ZERO, "off": OFF, "image": IMAGE,
}
ONLY_WITHOUT_DEFAULT = ("block", "zero", "off")
# Arguments that are objects of the author's own making.
OBJECTS = ("cfg", "config", "args", "opt", "opts", "hparams", "params", "conf", "options",
           "configuration", "hps", "settings", "spec")
MOST_UNKNOWN = 4


def role_of(name: str) -> str | None:
    """The role that an argument's name speaks of, or None."""
    plain = name.lower().strip("_")
    return next((role for role, names in ROLES.items() if plain in names), None)


def value_of(role: str, sizes: Sizes) -> int:
    """The value of a role at some sizes."""
    return {"channels_in": sizes.channels_in, "channels_out": sizes.channels_out,
            "channels": sizes.channels_out, "extent": sizes.extent, "heads": sizes.heads,
            "depth": sizes.depth, "padding": sizes.extent // 2, "radius": sizes.extent // 2,
            "one": 1, "block": BLOCK_SIDE, "zero": 0, "off": False, "image": IMAGE_SIDE}[role]


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
        role, needed = role_of(name), parameter.default is parameter.empty
        if role is not None and (needed or role not in ONLY_WITHOUT_DEFAULT):
            known[name] = value_of(role, sizes)
        elif needed:
            unknown.append(name)
    if not unknown:
        yield known
        for paired in ({"extent"}, {"image"}, {"extent", "image"}):
            if paired & {role_of(name) for name in known}:
                yield {name: (value, value) if role_of(name) in paired and name not in given
                       else value for name, value in known.items()}
        return
    if len(unknown) > MOST_UNKNOWN:
        return
    roles = ("channels_in", "channels_out", "extent", "heads", "depth", "channels")
    for chosen in permutations(roles, len(unknown)):
        yield known | {name: value_of(role, sizes)
                       for name, role in zip(unknown, chosen, strict=True)}


def heads_are_said(arguments: Mapping[str, Any], given: Mapping[str, str], sizes: Sizes) -> bool:
    """Whether these arguments, some of which the user gave, set the heads or their depth."""
    if any("{heads}" in text or "{depth}" in text for text in given.values()):
        return True
    # A name that says nothing was tried with the length of some role, all of which differ.
    return any(role_of(name) in ("heads", "depth")
               or (role_of(name) is None and value in (sizes.heads, sizes.depth))
               for name, value in arguments.items() if name not in given)


def question_of(signature: inspect.Signature, given: Mapping[str, str]) -> str | None:
    """What the user must say before a class can be built, asked by name; None where nothing."""
    missing = [name for name, parameter in signature.parameters.items()
               if name not in given and parameter.default is parameter.empty
               and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
               and role_of(name) is None]
    objects = [name for name in missing if name.lower().strip("_") in OBJECTS]
    if objects:
        return (f"its constructor takes `{objects[0]}`, an object that only its author knows; say "
                "it in a subclass whose __init__(self, in_channels, out_channels, kernel_size, "
                f"heads) makes `{objects[0]}` and passes it on, and judge that subclass")
    if len(missing) > MOST_UNKNOWN:
        return ("its constructor has too many arguments of unknown names; say them with "
                + " ".join(f"--arg {name}=..." for name in missing)
                + ", where ... is a number or {channels_in}, {channels_out}, {heads}, {extent} "
                  "and the like")
    return None
