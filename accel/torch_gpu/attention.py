"""Attention over every query's window. SPEC ATT-1 to ATT-8.

For a backward pass the probabilities are kept, extent squared numbers per query and head, and
query, key and value once.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from sasakit.reference.contract.checks import check_attention_layer, check_local_attention
from sasakit.reference.contract.options import AttentionOptions

from .arrays import TORCH, widen
from .position import absolute_embedding
from .relative import separable_logits
from .window import inside_image, mix, products


def local_attention(query: Tensor, key: Tensor | None, value: Tensor, rel_row: Tensor | None,
                    rel_col: Tensor | None, *, options: AttentionOptions) -> Tensor:
    """(batch, height, width, heads, depth): every query's mixture of its window's values, ATT-5.

    query, key, value  (batch, height, width, heads, depth), one dtype of float16, bfloat16,
                       float32, float64; key may be None when content is off
    rel_row, rel_col   as for `relative_logits`; None unless position is relative
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_local_attention(TORCH, query, key, value, rel_row, rel_col, options)
    wide_key = widen(key) if options.content and key is not None else None
    out = attend(widen(query), wide_key, widen(value), rel_row, rel_col, options)
    return out.to(query.dtype)


def attention_layer(x: Tensor, weights: Mapping[str, Tensor], *,
                    options: AttentionOptions) -> Tensor:
    """(batch, height, width, channels_out): projections, then local attention, SPEC ATT-6.

    x        (batch, height, width, channels_in), float16, bfloat16, float32 or float64
    weights  w_query, w_key, w_value  (channels_in, channels_out) dense, or
                                      (heads, channels_in / heads, channels_out / heads) per_head;
                                      w_key may be absent when content is off
             rel_row, rel_col         as for `relative_logits`, only with position relative
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    check_attention_layer(TORCH, x, weights, options)
    return layer(widen(x), weights, options).to(x.dtype)


def layer(x: Tensor, weights: Mapping[str, Tensor], options: AttentionOptions) -> Tensor:
    """What `attention_layer` gives, unchecked, in the dtype of x."""
    query = _project(x, weights["w_query"], options)
    key = _project(x, weights["w_key"], options) if options.content else None
    value = _project(x, weights["w_value"], options)
    out = attend(query, key, value, weights.get("rel_row"), weights.get("rel_col"), options)
    # SPEC ATT-8: the heads' outputs are concatenated in order; nothing follows.
    return out.flatten(-2)


def _project(x: Tensor, w: Tensor, options: AttentionOptions) -> Tensor:
    """(batch, height, width, heads, depth): x W, cut into heads, SPEC ATT-1, ATT-6, ATT-7."""
    if options.projection == "per_head":
        parts = torch.unflatten(x, -1, (options.heads, -1))
        return torch.einsum("bhwni,nid->bhwnd", parts, w.to(x.dtype))
    return torch.unflatten(x @ w.to(x.dtype), -1, (options.heads, -1))


def attend(query: Tensor, key: Tensor | None, value: Tensor, rel_row: Tensor | None,
           rel_col: Tensor | None, options: AttentionOptions) -> Tensor:
    """What `local_attention` gives, unchecked, in the dtype of the query."""
    logits = _logits(query, key, rel_row, rel_col, options)
    if options.padding == "exclude":
        # SPEC PAD-2: a neighbour outside the image has no probability.
        inside = inside_image(query.shape[1], query.shape[2], options, query.device)
        logits = logits.masked_fill(~inside, -torch.inf)
    # SPEC ATT-4
    share = torch.softmax(logits.flatten(0, 1), dim=0).view(logits.shape)
    # SPEC ATT-5: values are mixed as they are; no position is added to them.
    return mix(share, _depth_first(value), options).movedim(0, -1).contiguous()


def _logits(query: Tensor, key: Tensor | None, rel_row: Tensor | None, rel_col: Tensor | None,
            options: AttentionOptions) -> Tensor:
    """(rows, cols, batch, height, width, heads): q . k + q . r, SPEC ATT-2, ATT-3."""
    terms = []
    if options.position == "relative" and rel_row is not None and rel_col is not None:
        terms.append(separable_logits(query, rel_row, rel_col, options))
    elif options.position == "absolute":
        # SPEC POS-2: the key's own position joins the key; outside the image there is neither.
        _, height, width, _, depth = query.shape
        e = absolute_embedding(height, width, depth, options.first_half).to(query)
        own = _depth_first(e[None, :, :, None])
        terms.append(products(_depth_first(query), own, options))
    if options.scale_terms == "both":
        terms = [term * options.scale for term in terms]
    if key is not None:
        terms.append(products(_depth_first(query), _depth_first(key), options) * options.scale)
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


def _depth_first(x: Tensor) -> Tensor:
    return x.movedim(-1, 0).contiguous()
