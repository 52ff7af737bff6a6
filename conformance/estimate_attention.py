"""Error bounds of attention: logits, softmax and mixture, window by window and block by block."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from sasakit.reference import AttentionOptions, absolute_embedding
from sasakit.reference.relative import relative_embedding
from sasakit.reference.window import inside_image, neighbours, table_slots, window_positions

from .estimate import Array, Estimate, dense, exact, stored, sum_error
from .profiles import Profile, gamma, unit_roundoff

# Above this exponent the bound says nothing; it stays finite, so that zero times it is zero.
_MOST = 700.0


def mixture_of_slots(q: Estimate, k: Estimate | None, v: Estimate, r: Estimate | None,
                     inside: Array, scales: tuple[float, float], profile: Profile) -> Estimate:
    """Softmax of s = scales[0] q . k + scales[1] q . r over the slots, times the values.

    q (batch, heads, queries, depth); k, v (batch, heads, slots, depth), r too or without batch
    inside (slots,): whether a slot takes part. Returns (batch, heads, queries, depth).
    """
    return mixture_of_shares(*shares_of_slots(q, k, r, inside, scales, profile), v, profile)


def shares_of_slots(q: Estimate, k: Estimate | None, r: Estimate | None, inside: Array,
                    scales: tuple[float, float], profile: Profile) -> tuple[Array, Array]:
    """(batch, heads, queries, slots) twice: probabilities, and each exponential's relative error.

    Arguments as for `mixture_of_slots`.
    """
    depth = q.value.shape[-1]
    s = np.zeros((*q.value.shape[:3], len(inside)))
    magnitude, carried = s.copy(), s.copy()
    inputs = [q.value]
    for scale, other in zip(scales, (k, r), strict=True):
        if other is not None:
            s = s + scale * (q.value @ np.swapaxes(other.value, -1, -2))
            most, error = (np.swapaxes(_finite(x), -1, -2) for x in (other.most, other.error))
            magnitude = magnitude + abs(scale) * (_finite(q.most) @ most)
            carried = carried + abs(scale) * (q.error @ most + _finite(q.most) @ error)
            inputs.append(scale * other.value)
    # depth + 2 as q . (k + r) and q . k + q . r count them, two more for the scales.
    e = carried + (sum_error(magnitude, depth + 4, profile, *inputs)
                   + sum_error(np.abs(s), 1, replace(profile, accumulate=profile.logits), *inputs))
    s = np.where(inside, s, -np.inf)
    t = s - s.max(axis=-1, keepdims=True)
    weights = np.exp(t)
    p = weights / weights.sum(axis=-1, keepdims=True)
    exponent = np.where(inside, e + profile.u * np.abs(t) + profile.exp_ulps * profile.u, 0.0)
    # A probability that is zero even here has no error but the last term's, eta.
    return p, np.where(p > 0, np.expm1(np.minimum(exponent, _MOST)), 0.0)


def _finite(array: Array) -> Array:
    """Zero for what is not finite: a logit that meets it is not finite, or its probability zero."""
    return np.where(np.isfinite(array), array, 0.0)


def mixture_of_shares(p: Array, h: Array, v: Estimate, profile: Profile) -> Estimate:
    """The sum of p v; its error is the budget's B, SPEC NUM-2, with the values' own carried along.

    p, h (batch, heads, queries, slots) as `shares_of_slots` gives them
    """
    slots = p.shape[-1]
    o = p @ v.value
    apart = np.abs(v.value[..., None, :, :] - o[..., :, None, :])
    spread = np.einsum("...qs,...qsd->...qd", p * h, _finite(apart))
    grown = 1 + h.max(axis=-1, keepdims=True)
    relative = gamma(2 * slots + 4, profile.u) + unit_roundoff(profile.probabilities)
    rounding = relative * (p @ np.abs(v.value))
    carried = (p * (1 + h)) @ v.error
    least = slots * profile.eta * _finite(np.abs(v.value)).max(axis=-2)[..., None, :]
    return Estimate(o, grown * spread + rounding + carried + least)


def local_attention(query: Estimate, key: Estimate | None, value: Estimate, rel_row: Array | None,
                    rel_col: Array | None, options: AttentionOptions,
                    profile: Profile) -> Estimate:
    """Bounds of `local_attention`, shapes as there."""
    scales = (options.scale, options.scale if options.scale_terms == "both" else 1.0)
    out = [np.empty_like(value.value) for _ in range(2)]
    key = key if options.content else None
    for (i, j), slots in window_arguments(query, key, value, rel_row, rel_col, options, profile):
        here = mixture_of_slots(*slots, scales, profile)
        out[0][:, i, j], out[1][:, i, j] = here.value[:, :, 0], here.error[:, :, 0]
    return Estimate(out[0], out[1])


Slots = tuple[Estimate, Estimate | None, Estimate, Estimate | None, Array]


def window_arguments(query: Estimate, key: Estimate | None, value: Estimate,
                     rel_row: Array | None, rel_col: Array | None, options: AttentionOptions,
                     profile: Profile) -> Iterator[tuple[tuple[int, int], Slots]]:
    """Every pixel (i, j), with q, k, v, r and inside of its window for `mixture_of_slots`.

    key  None when content is off
    """
    height, width, heads, depth = query.value.shape[1:]
    absolute = None
    if options.position == "absolute":
        absolute = _absolute(query.value.shape, key, options, profile)
    for i, j in np.ndindex(height, width):
        rows = window_positions(i, height, options)
        cols = window_positions(j, width, options)
        r = None if absolute is None else _window(absolute, rows, cols)
        if rel_row is not None and rel_col is not None:
            slots = (table_slots(i, rows, options), table_slots(j, cols, options))
            r = exact(relative_embedding(rel_row, rel_col, *slots, heads, depth, options)
                      .reshape(heads, -1, depth))
        seen = inside_image(rows, height)[:, None] & inside_image(cols, width)
        inside = (seen | (options.padding != "exclude")).reshape(-1)
        own = Estimate(query.value[:, i, j][:, :, None], query.error[:, i, j][:, :, None])
        yield (i, j), (own, None if key is None else _window(key, rows, cols),
                       _window(value, rows, cols), r, inside)


def _window(x: Estimate, rows: Array, cols: Array) -> Estimate:
    """(batch, heads, slots, depth) of one window."""
    return as_slots(Estimate(neighbours(x.value, rows, cols), neighbours(x.error, rows, cols)))


def as_slots(x: Estimate) -> Estimate:
    """(batch, heads, slots, depth) of (batch, rows, cols, heads, depth)."""
    batch, rows, cols, heads, depth = x.value.shape
    parts = [np.swapaxes(array.reshape(batch, rows * cols, heads, depth), 1, 2)
             for array in (x.value, x.error)]
    return Estimate(parts[0], parts[1])


def _absolute(shape: tuple[int, ...], key: Estimate | None, options: AttentionOptions,
              profile: Profile) -> Estimate:
    """Every pixel's embedding, of the keys' shape, which an implementation may add to the key."""
    height, width, depth = shape[1], shape[2], shape[4]
    e = absolute_embedding(height, width, depth, first_half=options.first_half)[:, :, None]
    value = np.broadcast_to(e, shape)
    # As exp(-x log 10000) the power's argument reaches 9.3, so 19 roundings; the rest are the
    # division's, the product's and the sine's. Angles reach the image's size.
    error = np.full(shape, gamma(32, profile.u) * max(height, width))
    together = np.abs(value) if key is None else key.most + np.abs(value)
    return Estimate(value, error + profile.u_io * together + profile.eta)


def attention_layer(x: Estimate, weights: Mapping[str, Array], options: AttentionOptions,
                    profile: Profile) -> Estimate:
    """Bounds of `attention_layer`, shapes as there."""
    query = project(x, weights["w_query"], options, profile)
    key = project(x, weights["w_key"], options, profile) if options.content else None
    value = project(x, weights["w_value"], options, profile)
    y = local_attention(query, key, value, weights.get("rel_row"), weights.get("rel_col"),
                        options, profile)
    return stored(join_heads(y), profile)


def project(x: Estimate, w: Array, options: AttentionOptions, profile: Profile) -> Estimate:
    """Bounds of x W, cut into heads."""
    if options.projection == "per_head":
        groups = x.value.shape[-1] // options.heads
        parts = [dense(Estimate(x.value[..., n * groups:(n + 1) * groups],
                                x.error[..., n * groups:(n + 1) * groups]), w[n], profile)
                 for n in range(options.heads)]
        return Estimate(np.stack([part.value for part in parts], axis=3),
                        np.stack([part.error for part in parts], axis=3))
    return split_heads(dense(x, w, profile), options.heads)


def split_heads(x: Estimate, heads: int) -> Estimate:
    """(..., heads, depth) of (..., channels)."""
    shape = (*x.value.shape[:-1], heads, x.value.shape[-1] // heads)
    return Estimate(x.value.reshape(shape), x.error.reshape(shape))


def join_heads(x: Estimate) -> Estimate:
    """(..., channels) of (..., heads, depth)."""
    shape = (*x.value.shape[:-2], x.value.shape[-2] * x.value.shape[-1])
    return Estimate(x.value.reshape(shape), x.error.reshape(shape))


def relative_logits(query: Array, rel_row: Array, rel_col: Array, options: AttentionOptions,
                    profile: Profile) -> Array:
    """Bound on the error of `relative_logits`, of its shape."""
    batch, height, width, heads, depth = query.shape
    out = np.empty((batch, height, width, heads, options.extent, options.extent))
    for i in range(height):
        for j in range(width):
            slots = (table_slots(i, window_positions(i, height, options), options),
                     table_slots(j, window_positions(j, width, options), options))
            r = relative_embedding(rel_row, rel_col, *slots, heads, depth, options)
            magnitude = np.einsum("bnd,nrcd->bnrc", np.abs(query[:, i, j]), np.abs(r))
            out[:, i, j] = sum_error(magnitude, depth + 1, profile, query, rel_row, rel_col)
    return out
