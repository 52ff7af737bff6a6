"""The public boundary of every gradient: the operation's own checks, then `upstream` (GRAD-1)."""

from collections.abc import Mapping
from typing import Any

from . import checks
from .arrays import ArrayKind, Shapes
from .options import AttentionOptions, StemOptions


def _take_upstream(kind: ArrayKind, upstream: object, leader: str, first: Any,
                   **axes: int) -> None:
    """`upstream` has the output's shape, and the dtype and device of the first argument."""
    shapes = Shapes(kind, axes, (leader, kind.dtype(first), kind.device(first)))
    shapes.take("upstream", upstream, *axes)


def _of(sizes: Mapping[str, int], *names: str) -> dict[str, int]:
    return {name: sizes[name] for name in names}


def check_relative_logits_vjp(kind: ArrayKind, upstream: object, query: object, rel_row: object,
                              rel_col: object, options: AttentionOptions) -> None:
    """Arguments of `relative_logits_vjp`. Raises ValueError or TypeError."""
    sizes = checks.check_relative_logits(kind, query, rel_row, rel_col, options)
    _take_upstream(kind, upstream, "query", query, **_of(sizes, *checks.HEADS[:4]),
                   rows=options.extent, cols=options.extent)


def check_local_attention_vjp(kind: ArrayKind, upstream: object, query: object, key: object,
                              value: object, rel_row: object, rel_col: object,
                              options: AttentionOptions) -> None:
    """Arguments of `local_attention_vjp`. Raises ValueError or TypeError."""
    sizes = checks.check_local_attention(kind, query, key, value, rel_row, rel_col, options)
    _take_upstream(kind, upstream, "query", query, **_of(sizes, *checks.HEADS))


def check_attention_layer_vjp(kind: ArrayKind, upstream: object, x: object, weights: object,
                              options: AttentionOptions) -> None:
    """Arguments of `attention_layer_vjp`. Raises ValueError or TypeError."""
    sizes = checks.check_attention_layer(kind, x, weights, options)
    _take_upstream(kind, upstream, "x", x,
                   **_of(sizes, "batch", "height", "width", "channels_out"))


def check_value_mixture_vjp(kind: ArrayKind, upstream: object, x: object, w_value: object,
                            emb_row: object, emb_col: object, nu: object) -> None:
    """Arguments of `value_mixture_vjp`. Raises ValueError or TypeError."""
    sizes = checks.check_value_mixture(kind, x, w_value, emb_row, emb_col, nu)
    _take_upstream(kind, upstream, "x", x,
                   **_of(sizes, "batch", "height", "width", "channels_out"))


def check_stem_vjp(kind: ArrayKind, upstream: object, images: object, weights: object,
                   options: StemOptions) -> None:
    """Arguments of `stem_vjp`. Raises ValueError or TypeError."""
    sizes = checks.check_stem(kind, images, weights, options)
    # Two strides of two round up as one of four does.
    stride = 4 if options.kind == "conv" else options.window
    _take_upstream(kind, upstream, "images", images, batch=sizes["batch"],
                   height=-(-sizes["height"] // stride), width=-(-sizes["width"] // stride),
                   channels_out=sizes["channels_out"])


def check_average_pool_vjp(kind: ArrayKind, upstream: object, x: object) -> None:
    """Arguments of `average_pool_vjp`. Raises ValueError or TypeError."""
    sizes = checks.check_pool(kind, x)
    _take_upstream(kind, upstream, "x", x, batch=sizes["batch"],
                   height=-(-sizes["height"] // 2), width=-(-sizes["width"] // 2),
                   channels_in=sizes["channels_in"])
