"""Attention under any reading: relative logits, local attention, the layer. In float64.

Shapes: channels are heads x depth, flat; windows (batch, height, width, rows, cols, channels).
This is no definition; the reference is, and a test holds this to it where they meet.
"""

from collections.abc import Mapping

import numpy as np

from sasakit.reference import AttentionOptions, absolute_embedding

from ...case import Case
from ...estimate import Array
from ..variant import head_groups, per_group
from .attention_reading import AttentionReading
from .embedding import Windows, relative_windows, window_logits, windows_of


# A reading that is not the implementation's may overflow; then it is not finite and no match.
@np.errstate(all="ignore")
def attention_variant(case: Case, reading: AttentionReading) -> Array:
    """The result of one of the three operations of attention under a reading."""
    arrays, options = case.arrays, case.options
    assert isinstance(options, AttentionOptions)
    if case.operation == "attention_layer":
        return _layer(arrays, options, reading)
    query = arrays["query"]
    height, width, heads, depth = query.shape[1:]
    seen = windows_of(height, width, options, reading)
    if case.operation == "relative_logits":
        r = relative_windows(arrays["rel_row"], arrays["rel_col"], heads, depth, options, reading,
                             seen)
        return window_logits(query, r, seen, reading)
    return _local(arrays["query"], arrays["key"], arrays["value"], arrays["rel_row"],
                  arrays["rel_col"], options, reading, None)


def _layer(arrays: Mapping[str, Array], options: AttentionOptions,
           reading: AttentionReading) -> Array:
    x, heads = arrays["x"], options.heads
    if reading.position == "absolute" and reading.absolute_at == "input":
        if x.shape[3] % 2:
            return np.full((1,), np.nan)
        x = x + absolute_embedding(x.shape[1], x.shape[2], x.shape[3],
                                   first_half=reading.first_half)
    query, value = (_project(x, arrays[name], heads, reading)
                    for name in (reading.query_from, reading.value_with))
    key = _project(x, arrays[reading.key_from], heads, reading) \
        if reading.content and reading.key_from in arrays else None
    y = _local(query, key, value, arrays.get("rel_row"), arrays.get("rel_col"), options, reading,
               x)
    if reading.join == "interleaved":
        y = y.swapaxes(3, 4)
    y = y.reshape(*y.shape[:3], -1)
    return np.maximum(y, 0) if reading.activated else y


def _project(x: Array, w: Array, heads: int, reading: AttentionReading) -> Array:
    """(batch, height, width, heads, depth) of x."""
    if reading.projection == "per_head":
        shape = (heads, -1) if reading.groups == "contiguous" else (-1, heads)
        groups = x.reshape(*x.shape[:3], *shape)
        groups = groups if reading.groups == "contiguous" else groups.swapaxes(3, 4)
        return np.einsum("bhwni,nid->bhwnd", groups, w)
    if reading.block_diagonal:
        own = [np.arange(size) * heads // size for size in w.shape]
        w = w * (own[0][:, None] == own[1])
    flat = x @ w
    if reading.split == "interleaved":
        return flat.reshape(*flat.shape[:3], -1, heads).swapaxes(3, 4)
    return flat.reshape(*flat.shape[:3], heads, -1)


def _local(query: Array, key: Array | None, value: Array, rel_row: Array | None,
           rel_col: Array | None, options: AttentionOptions, reading: AttentionReading,
           x: Array | None) -> Array:
    """(batch, height, width, heads, depth)."""
    batch, height, width, heads, depth = query.shape
    seen = windows_of(height, width, options, reading)
    q, v = (array.reshape(batch, height, width, -1) for array in (query, value))
    k = None if key is None or not reading.content else key.reshape(q.shape)
    if reading.kept_key and k is None:
        k = q
    r = None
    if reading.position == "relative" and rel_row is not None and rel_col is not None \
            and (rel_row.any() or rel_col.any()):
        r = relative_windows(rel_row, rel_col, heads, depth, options, reading, seen)
    elif reading.position == "absolute" and reading.absolute_at != "input":
        e = absolute_embedding(height, width, depth, first_half=reading.first_half)
        r = seen.of(np.tile(e, heads)[None], zero=True)[0]
        q = q + np.tile(e, heads) if reading.absolute_at == "query" else q
    slots = seen.of(v if reading.value_from == "value" or k is None else k)
    if r is not None and (reading.term in ("value", "both") if reading.position == "relative"
                          else reading.absolute_at == "value"):
        slots = slots + r
    groups = per_group(q, head_groups(heads * depth, heads, reading.heads))
    logits = _logits(q, k, r, seen, groups, reading, reading.factors(depth, heads))
    p = probabilities(logits, reading.softmax)
    y = ((p @ groups) * slots).sum(axis=(3, 4)) * output_factor(reading.output_by, options, depth)
    residual = {"query": q, "value": v, "input": x}.get(reading.residual)
    if residual is not None:
        if residual.shape != y.shape:
            return np.full((1,), np.nan)
        y = y + residual
    return y[:, ::reading.stride, ::reading.stride].reshape(
        batch, -(-height // reading.stride), -(-width // reading.stride), heads, depth)


def _logits(q: Array, k: Array | None, r: Array | None, seen: Windows, groups: Array,
            reading: AttentionReading, factors: tuple[float, float]) -> Array:
    """(batch, height, width, rows, cols, groups)."""
    batch, height, width, _ = q.shape
    own = q[:, :, :, None, None]
    content = relative = np.zeros((batch, height, width, *seen.inside.shape[2:], len(groups)))
    if k is not None:
        if reading.dot in ("swapped", "swapped_all"):
            met = k[:, :, :, None, None] * seen.of(q)
        else:
            met = (k[:, :, :, None, None] if reading.dot == "keys" else own) * seen.of(k)
        content = met @ groups.T * factors[0]
    if r is not None and (reading.position != "absolute" or reading.absolute_at == "key") \
            and not (reading.position == "relative" and reading.term == "value"):
        joined = r
        if reading.meets_query:
            joined = (k[:, :, :, None, None] if reading.dot == "swapped_all" and k is not None
                      else own) * r
        if reading.inside_only:
            joined = joined * seen.inside[..., None]
        relative = joined @ groups.T * factors[1]
    if k is not None and (reading.multiplied == "always"
                          or (reading.multiplied == "relative" and r is not None)):
        logits = content * relative
    else:
        logits = content + relative
    if reading.padding == "exclude":
        outside = -np.inf if reading.outside_logit is None else reading.outside_logit
        logits = np.where(seen.inside[..., None], logits, outside)
    return logits


def probabilities(logits: Array, softmax: str) -> Array:
    """Weights of the slots from (batch, height, width, rows, cols, groups).

    softmax  as in `choices`; row_mean, column_mean: the mean of the rows' or columns' softmaxes;
             heads_shifted: exponentials of the window's own maximum away, over the heads; queries
    Where all that is normalized together is excluded the weights are not finite, as in plain code.
    """
    if softmax == "none":
        return logits
    axes, shifted_over = {
        "window": ((3, 4), (3, 4)), "row": ((4,), (4,)), "column": ((3,), (3,)),
        "row_mean": ((4,), (4,)), "column_mean": ((3,), (3,)), "heads": ((5,), (5,)),
        "heads_shifted": ((5,), (3, 4)), "queries": ((1, 2), (1, 2))}[softmax]
    weights = np.exp(logits - logits.max(axis=shifted_over, keepdims=True))
    p = weights / weights.sum(axis=axes, keepdims=True)
    if softmax.endswith("_mean"):
        p = p / logits.shape[3 if softmax == "row_mean" else 4]
    return p


def output_factor(name: str, options: AttentionOptions, depth: int) -> float:
    """The factor of the output that a name means."""
    slots = float(options.extent ** 2)
    return {"1": 1.0, "2": 2.0, "1/2": 0.5, "-1": -1.0, "extent^2": slots, "1/extent^2": 1 / slots,
            "1/sqrt(depth)": depth ** -0.5}[name]
