"""Chapter 12, gradients of attention: back through mixture, softmax, logits. GRAD-3 to GRAD-6."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .arrays import NUMPY, SILENT, Floats
from .attention import project, split_heads, window_softmax
from .contract.options import AttentionOptions
from .contract.upstream import check_attention_layer_vjp, check_local_attention_vjp
from .gradients_relative import add_to_tables, zeros_like
from .position import absolute_embedding
from .relative import relative_embedding
from .window import Positions, inside_image, neighbours, table_slots, window_positions


@SILENT
def local_attention_vjp(upstream: Floats, query: Floats, key: Floats | None, value: Floats,
                        rel_row: Floats | None, rel_col: Floats | None, *,
                        options: AttentionOptions) -> dict[str, Floats]:
    """Gradients of every argument given, each of its shape and dtype, SPEC GRAD-3 to GRAD-5.

    upstream  (batch, height, width, heads, depth), the dtype of query
    The other arguments are those of `local_attention`; one that is None has no gradient.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_local_attention_vjp(NUMPY, upstream, query, key, value, rel_row, rel_col, options)
    grads = zeros_like({"query": query, "key": key, "value": value,
                        "rel_row": rel_row, "rel_col": rel_col})
    height, width, heads, depth = query.shape[1:]
    key = key if options.content else None
    absolute = np.zeros((1, height, width, 1, depth), query.dtype)
    if options.position == "absolute":
        absolute[0, :, :, 0] = absolute_embedding(
            height, width, depth, first_half=options.first_half, dtype=query.dtype)
    for i, j in np.ndindex(height, width):
        rows = window_positions(i, height, options)
        cols = window_positions(j, width, options)
        slots = (table_slots(i, rows, options), table_slots(j, cols, options))
        r = np.moveaxis(neighbours(absolute, rows, cols), 3, 1)[0]
        if rel_row is not None and rel_col is not None:
            r = relative_embedding(rel_row, rel_col, *slots, heads, depth, options)
        k = None if key is None else neighbours(key, rows, cols)
        inside = inside_image(rows, height)[:, None] & inside_image(cols, width)
        dq, dmet, dv = window_vjp(
            upstream[:, i, j], query[:, i, j], met_by_queries(k, r, query.shape, options),
            neighbours(value, rows, cols), inside | (options.padding != "exclude"))
        # SPEC GRAD-4: a query gathers from its own window, a pixel from every window it is in.
        grads["query"][:, i, j] = dq
        add_to_neighbours(grads["value"], dv, rows, cols)
        if key is not None:
            add_to_neighbours(grads["key"], dmet * options.scale, rows, cols)
        if rel_row is not None:
            dr = np.moveaxis(dmet.sum(axis=0), 2, 0) * position_scale(options)
            add_to_tables(grads, dr, *slots, options)
    return grads


def position_scale(options: AttentionOptions) -> float:
    """The factor of the position's term, SPEC ATT-3."""
    return options.scale if options.scale_terms == "both" else 1.0


def met_by_queries(k: Floats | None, r: Floats, shape: tuple[int, ...],
                   options: AttentionOptions) -> Floats:
    """(batch, rows, cols, heads, depth): what a query's product with is the logit, SPEC ATT-2.

    k      (batch, rows, cols, heads, depth), or None when content is off
    r      (heads, rows, cols, depth), or one for all heads
    shape  the query's
    """
    met = np.moveaxis(r, 0, 2) * position_scale(options)
    if k is not None:
        met = met + k * options.scale
    return np.broadcast_to(met, (shape[0], *r.shape[1:3], *shape[3:]))


def window_vjp(g: Floats, q: Floats, met: Floats, v: Floats,
               inside: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Gradients of q, met and v, the arrays of one query's window, SPEC GRAD-3, GRAD-4.

    g, q    (batch, heads, depth); g is the output's gradient
    met, v  (batch, rows, cols, heads, depth)
    inside  (rows, cols) whether a slot takes part
    """
    logits = np.where(inside, np.einsum("bnd,brcnd->bnrc", q, met), -np.inf)
    p = window_softmax(logits)
    ds = softmax_vjp(np.einsum("bnd,brcnd->bnrc", g, v), p, axis=(-2, -1))
    return (np.einsum("bnrc,brcnd->bnd", ds, met), np.einsum("bnrc,bnd->brcnd", ds, q),
            np.einsum("bnrc,bnd->brcnd", p, g))


def softmax_vjp(dp: Floats, p: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Gradient of the logits from that of their probabilities, SPEC GRAD-3."""
    # SPEC GRAD-3: probabilities add up to one, so that only what differs from the mean counts.
    return p * (dp - (p * dp).sum(axis=axis, keepdims=True))


def add_to_neighbours(image: Floats, seen: Floats, rows: Positions, cols: Positions) -> None:
    """Add (batch, rows, cols, ...) to the pixels of one window, in place, SPEC GRAD-4."""
    height, width = image.shape[1:3]
    row_in, col_in = inside_image(rows, height), inside_image(cols, width)
    # SPEC GRAD-5: what lies outside the image has no gradient, and gives it to no other pixel.
    image[:, rows[row_in][:, None], cols[col_in]] += seen[:, row_in][:, :, col_in]


@SILENT
def attention_layer_vjp(upstream: Floats, x: Floats, weights: Mapping[str, Floats], *,
                        options: AttentionOptions) -> dict[str, Floats]:
    """Gradients of x and of every weight by name, each of its shape and dtype, SPEC GRAD-6.

    upstream  (batch, height, width, channels_out), the dtype of x
    The other arguments are those of `attention_layer`; a w_key that is not read has gradient 0.
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    check_attention_layer_vjp(NUMPY, upstream, x, weights, options)
    grads = zeros_like({"x": x, **weights})
    names = {"query": "w_query", "key": "w_key", "value": "w_value"}
    if not options.content:
        del names["key"]
    projected = {name: project(x, weights[w], options) for name, w in names.items()}
    inner = local_attention_vjp(
        split_heads(upstream, options.heads), projected["query"], projected.get("key"),
        projected["value"], weights.get("rel_row"), weights.get("rel_col"), options=options)
    for name, w in names.items():
        # SPEC GRAD-6: the input is read by every projection, and gathers from each.
        dx, grads[w] = project_vjp(inner.pop(name), x, weights[w], options)
        grads["x"] += dx
    return grads | inner


def project_vjp(upstream: Floats, x: Floats, w: Floats,
                options: AttentionOptions) -> tuple[Floats, Floats]:
    """Gradients of x and w from that of x W, (batch, height, width, heads, depth), GRAD-6."""
    if options.projection == "per_head":
        dw = np.einsum("bhwni,bhwnd->nid", split_heads(x, options.heads), upstream)
        return np.einsum("bhwnd,nid->bhwni", upstream, w).reshape(x.shape), dw
    joined = upstream.reshape(*x.shape[:3], w.shape[1])
    return joined @ w.T, np.einsum("bhwi,bhwo->io", x, joined)
