"""Chapter 5, attention: a softmax over the window, head by head. ATT-1 to ATT-8."""

from collections.abc import Mapping

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .contract.checks import check_attention_layer, check_local_attention
from .contract.options import AttentionOptions
from .position import absolute_embedding
from .relative import relative_embedding
from .window import inside_image, neighbours, table_slots, window_positions


@SILENT
def local_attention(query: Floats, key: Floats | None, value: Floats, rel_row: Floats | None,
                    rel_col: Floats | None, *, options: AttentionOptions) -> Floats:
    """(batch, height, width, heads, depth): every query's mixture of its window's values, ATT-5.

    query, key, value  (batch, height, width, heads, depth), one float dtype; key may be None when
                       content is off
    rel_row, rel_col   as for `relative_logits`; None unless position is relative
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_local_attention(NUMPY, query, key, value, rel_row, rel_col, options)
    height, width, _, depth = query.shape[1:]
    absolute = np.zeros((1, height, width, 1, depth), query.dtype)
    if options.position == "absolute":
        # SPEC POS-2: the key's own position joins the key; outside the image there is neither.
        absolute[0, :, :, 0] = absolute_embedding(
            height, width, depth, first_half=options.first_half, dtype=query.dtype)
    out = np.empty_like(value)
    for i in range(height):
        for j in range(width):
            rows = window_positions(i, height, options)
            cols = window_positions(j, width, options)
            q = query[:, i, j]
            # SPEC ATT-2: logit = q . k + q . r, each under its scale (ATT-3).
            logits = _position_logits(q, (i, j), (rows, cols), absolute, rel_row, rel_col, options)
            if options.scale_terms == "both":
                logits = logits * q.dtype.type(options.scale)
            if options.content and key is not None:
                content = np.einsum("bnd,brcnd->bnrc", q, neighbours(key, rows, cols))
                logits = logits + content * q.dtype.type(options.scale)
            if options.padding == "exclude":
                inside = inside_image(rows, height)[:, None] & inside_image(cols, width)
                # SPEC PAD-2: a neighbour outside the image has no probability.
                logits = np.where(inside, logits, -np.inf)
            # SPEC ATT-5: values are mixed as they are; no position is added to them.
            out[:, i, j] = np.einsum("bnrc,brcnd->bnd", window_softmax(logits),
                                     neighbours(value, rows, cols))
    return out


def _position_logits(q: Floats, at: tuple[int, int], window: tuple[np.ndarray, np.ndarray],
                     absolute: Floats, rel_row: Floats | None, rel_col: Floats | None,
                     options: AttentionOptions) -> Floats:
    """(batch, heads, rows, cols): the position's part of the logits, SPEC POS-1 to POS-3."""
    batch, heads, depth = q.shape
    if options.position == "relative" and rel_row is not None and rel_col is not None:
        rows, cols = (table_slots(here, seen, options)
                      for here, seen in zip(at, window, strict=True))
        r = relative_embedding(rel_row, rel_col, rows, cols, heads, depth, options)
        return np.einsum("bnd,nrcd->bnrc", q, r)
    if options.position == "absolute":
        return np.einsum("bnd,rcd->bnrc", q, neighbours(absolute, *window)[0, :, :, 0])
    return np.zeros((batch, heads, options.extent, options.extent), q.dtype)


def window_softmax(logits: Floats) -> Floats:
    """Probabilities over the last two axes, the window's rows and columns, SPEC ATT-4."""
    # SPEC NUM-3: subtracting the maximum first, no logit is too large for the exponential.
    weights = np.exp(logits - logits.max(axis=(-2, -1), keepdims=True))
    return weights / weights.sum(axis=(-2, -1), keepdims=True)


@SILENT
def attention_layer(x: Floats, weights: Mapping[str, Floats], *,
                    options: AttentionOptions) -> Floats:
    """(batch, height, width, channels_out): projections, then local attention, SPEC ATT-6.

    x        (batch, height, width, channels_in)
    weights  w_query, w_key, w_value  (channels_in, channels_out) dense, or
                                      (heads, channels_in / heads, channels_out / heads) per_head;
                                      w_key may be absent when content is off
             rel_row, rel_col         as for `relative_logits`, only with position relative
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    check_attention_layer(NUMPY, x, weights, options)
    query = project(x, weights["w_query"], options)
    key = project(x, weights["w_key"], options) if options.content else None
    value = project(x, weights["w_value"], options)
    y = local_attention(query, key, value, weights.get("rel_row"), weights.get("rel_col"),
                        options=options)
    # SPEC ATT-8: the heads' outputs are concatenated in order; nothing follows.
    return y.reshape(*x.shape[:3], y.shape[3] * y.shape[4])


def project(x: Floats, w: Floats, options: AttentionOptions) -> Floats:
    """(batch, height, width, heads, depth): x W, cut into heads, SPEC ATT-1, ATT-6, ATT-7."""
    if options.projection == "per_head":
        return np.einsum("bhwni,nid->bhwnd", split_heads(x, options.heads), w)
    return split_heads(x @ w, options.heads)


def split_heads(x: Floats, heads: int) -> Floats:
    """(..., heads, depth) of (..., channels), SPEC ATT-1."""
    # SPEC ATT-1: head n owns the channels n depth to (n + 1) depth - 1.
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)
