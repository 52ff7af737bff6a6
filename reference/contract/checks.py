"""The public boundary of every operation: what it takes, refused before anything is computed."""

from collections.abc import Mapping
from typing import Any

from .arrays import ArrayKind, Shapes, check_names, divide
from .errors import broken, whole_number
from .options import AttentionOptions, StemOptions

IMAGE = ("batch", "height", "width", "channels_in")
HEADS = ("batch", "height", "width", "heads", "depth")
NORM_NAMES = ("norm_scale", "norm_shift", "norm_mean", "norm_variance")


def need_type(name: str, value: object, kind: type) -> None:
    """Refuse options of another type. Raises TypeError."""
    if not isinstance(value, kind):
        raise TypeError(broken(name, f"be {kind.__name__}", type(value).__name__))


def check_position(shapes: Shapes, rel_row: object, rel_col: object, options: AttentionOptions,
                   source: str) -> None:
    """Depth and relative tables that the position asks for (POS-1 to POS-3, REL-4 to REL-6).

    source  the argument that the depth comes from
    """
    check_halves(source, shapes.sizes["heads"], shapes.sizes["depth"], options)
    if options.position != "relative":
        for name, table in (("rel_row", rel_row), ("rel_col", rel_col)):
            if table is not None:
                rule = f"be None with position {options.position}"
                raise ValueError(broken(name, rule, type(table).__name__))
        return
    heads, depth = shapes.sizes["heads"], shapes.sizes["depth"]
    if options.relative == "layer_halves":
        shapes.sizes["heads * depth / 2"] = heads * depth // 2
        axes: tuple[str, ...] = ("table_rows", "heads * depth / 2")
    else:
        shapes.sizes["depth / 2"] = depth // 2
        axes = ("table_rows", "depth / 2")
        if options.relative == "per_head":
            axes = ("heads", *axes)
    shapes.sizes["table_rows"] = options.table_rows
    shapes.take("rel_row", rel_row, *axes)
    shapes.take("rel_col", rel_col, *axes)


def check_halves(source: str, heads: int, depth: int, options: AttentionOptions) -> None:
    """Halves need an even depth, or an even layer (REL-1, REL-5, POS-2).

    Raises ValueError, naming the argument that the depth comes from.
    """
    if options.position == "none":
        return
    if options.position == "relative" and options.relative == "layer_halves":
        if heads * depth % 2:
            rule = "give an even heads x depth with relative layer_halves"
            raise ValueError(broken(source, rule, f"heads={heads}, depth={depth}"))
    elif depth % 2:
        rule = f"give an even depth with position {options.position}"
        raise ValueError(broken(source, rule, f"depth={depth}"))


def check_layer_channels(channels_in: int, channels_out: int, options: AttentionOptions) -> None:
    """Channels that a layer of these options can have (ATT-1, ATT-7, REL-1). Raises ValueError."""
    whole_number("channels_in", channels_in)
    whole_number("channels_out", channels_out)
    sizes = {"channels_out": channels_out}
    if options.projection == "per_head":
        sizes["channels_in"] = channels_in
    for axis, size in sizes.items():
        divide(axis, size, options.heads, "heads")
    check_halves("heads", options.heads, channels_out // options.heads, options)


def check_window(shapes: Shapes, options: AttentionOptions) -> None:
    """A shifted window needs an image that holds it (PAD-3). Raises ValueError."""
    height, width = shapes.sizes["height"], shapes.sizes["width"]
    if options.padding == "shift" and options.extent > min(height, width):
        raise ValueError(
            f"`extent` must be at most the image's height and width with padding shift; "
            f"got extent={options.extent}, height={height}, width={width}.")


def check_relative_logits(kind: ArrayKind, query: object, rel_row: object, rel_col: object,
                          options: AttentionOptions) -> dict[str, int]:
    """Sizes of the axes of `relative_logits`. Raises ValueError or TypeError."""
    need_type("options", options, AttentionOptions)
    if options.position != "relative":
        raise ValueError(broken("position", "be relative for relative logits", options.position))
    shapes = Shapes(kind, {})
    shapes.take("query", query, *HEADS)
    check_window(shapes, options)
    check_position(shapes, rel_row, rel_col, options, "query")
    return shapes.sizes


def check_local_attention(kind: ArrayKind, query: object, key: object, value: object,
                          rel_row: object, rel_col: object,
                          options: AttentionOptions) -> dict[str, int]:
    """Sizes of the axes of `local_attention`. Raises ValueError or TypeError.

    `key` may be None when content is off; when given it is checked all the same.
    """
    need_type("options", options, AttentionOptions)
    shapes = Shapes(kind, {})
    shapes.take("query", query, *HEADS)
    if options.content or key is not None:
        shapes.take("key", key, *HEADS)
    shapes.take("value", value, *HEADS)
    check_window(shapes, options)
    check_position(shapes, rel_row, rel_col, options, "query")
    return shapes.sizes


def check_attention_layer(kind: ArrayKind, x: object, weights: object,
                          options: AttentionOptions) -> dict[str, int]:
    """Sizes of the axes of `attention_layer`. Raises ValueError or TypeError."""
    need_type("options", options, AttentionOptions)
    relative = options.position == "relative"
    required = ["w_query", *(["w_key"] if options.content else []), "w_value",
                *(["rel_row", "rel_col"] if relative else [])]
    given = check_names("weights", weights, required, () if options.content else ("w_key",))
    shapes = Shapes(kind, {})
    shapes.take("x", x, *IMAGE)
    shapes.sizes["heads"] = options.heads
    axes: tuple[str, ...] = ("channels_in", "channels_out")
    if options.projection == "per_head":
        shapes.sizes["channels_in / heads"] = shapes.divide("channels_in", "heads")
        axes = ("heads", "channels_in / heads", "depth")
    for name in ("w_query", "w_key", "w_value"):
        if given.get(name) is not None:
            shapes.take(name, given[name], *axes)
    if options.projection == "per_head":
        shapes.sizes["channels_out"] = options.heads * shapes.sizes["depth"]
    else:
        shapes.sizes["depth"] = shapes.divide("channels_out", "heads")
    check_window(shapes, options)
    check_position(shapes, given.get("rel_row"), given.get("rel_col"), options, "heads")
    return shapes.sizes


def check_value_mixture(kind: ArrayKind, x: object, w_value: object, emb_row: object,
                        emb_col: object, nu: object) -> dict[str, int]:
    """Sizes of the axes of `value_mixture`. Raises ValueError or TypeError."""
    shapes = Shapes(kind, {})
    shapes.take("x", x, *IMAGE)
    _take_mixture(shapes, {"w_value": w_value, "emb_row": emb_row, "emb_col": emb_col, "nu": nu})
    return shapes.sizes


def _take_mixture(shapes: Shapes, weights: Mapping[str, Any]) -> None:
    shapes.take("w_value", weights["w_value"], "mixtures", "channels_in", "channels_out")
    shapes.take("emb_row", weights["emb_row"], "window_rows", "embedding")
    shapes.take("emb_col", weights["emb_col"], "window_cols", "embedding")
    shapes.take("nu", weights["nu"], "mixtures", "embedding")


def stem_names(kind: str) -> tuple[str, ...]:
    """The weights of one kind of stem, in order (STEM-1, STEM-4 to STEM-6)."""
    if kind == "conv":
        return ("w_conv", *NORM_NAMES)
    mixture = ("emb_row", "emb_col", "nu") if kind == "mixture" else ()
    return ("w_query", "w_key", "w_value", *mixture, *NORM_NAMES)


def check_stem(kind: ArrayKind, images: object, weights: object,
               options: StemOptions) -> dict[str, int]:
    """Sizes of the axes of `stem`. Raises ValueError or TypeError."""
    need_type("options", options, StemOptions)
    given = check_names("weights", weights, stem_names(options.kind))
    shapes = Shapes(kind, {})
    shapes.take("images", images, *IMAGE)
    if options.kind == "conv":
        shapes.sizes["kernel"] = 7
        shapes.take("w_conv", given["w_conv"], "kernel", "kernel", "channels_in", "channels_out")
    else:
        for name in ("w_query", "w_key"):
            shapes.take(name, given[name], "channels_in", "channels_out")
        if options.kind == "mixture":
            shapes.sizes |= {"window_rows": options.window, "window_cols": options.window}
            _take_mixture(shapes, given)
        elif options.kind == "conv_value":
            shapes.sizes["window"] = options.window
            shapes.take("w_value", given["w_value"],
                        "window", "window", "channels_in", "channels_out")
        else:
            shapes.take("w_value", given["w_value"], "channels_in", "channels_out")
        shapes.sizes["heads"] = options.heads
        shapes.sizes["depth"] = shapes.divide("channels_out", "heads")
    for name in NORM_NAMES:
        shapes.take(name, given[name], "channels_out")
    return shapes.sizes


def check_pool(kind: ArrayKind, x: object) -> dict[str, int]:
    """Sizes of the axes of `average_pool`. Raises ValueError or TypeError."""
    shapes = Shapes(kind, {})
    shapes.take("x", x, *IMAGE)
    return shapes.sizes
