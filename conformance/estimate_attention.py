"""Error bounds of attention: logits, softmax and mixture, window by window and block by block."""

from collections.abc import Mapping
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

    q (..., heads, queries, depth); k, v (..., heads, slots, depth), r too or without batch
    inside (..., slots): whether a slot takes part. Returns (..., heads, queries, depth).
    """
    return mixture_of_shares(*shares_of_slots(q, k, r, inside, scales, profile), v, profile)


def shares_of_slots(q: Estimate, k: Estimate | None, r: Estimate | None, inside: Array,
                    scales: tuple[float, float], profile: Profile) -> tuple[Array, Array]:
    """(..., heads, queries, slots) twice: probabilities, and each exponential's relative error.

    Arguments as for `mixture_of_slots`.
    """
    depth = q.value.shape[-1]
    s = np.zeros((*q.value.shape[:-1], inside.shape[-1]))
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

    p, h (..., heads, queries, slots) as `shares_of_slots` gives them
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
    slots = window_arguments(query, key if options.content else None, value, rel_row, rel_col,
                             options, profile)
    found = mixture_of_slots(*slots, scales, profile)
    return Estimate(found.value[..., 0, :], found.error[..., 0, :])


Slots = tuple[Estimate, Estimate | None, Estimate, Estimate | None, Array]


def window_arguments(query: Estimate, key: Estimate | None, value: Estimate,
                     rel_row: Array | None, rel_col: Array | None, options: AttentionOptions,
                     profile: Profile) -> Slots:
    """q, k, v, r and inside of every pixel's window for `mixture_of_slots`, all pixels at once.

    q, k, v and r (batch, height, width, heads, ..., depth), r perhaps without batch, and inside
    (height, width, 1, 1, slots), as `pixel_arguments` cuts them.
    key  None when content is off
    """
    height, width = query.value.shape[1:3]
    # Positions of all rows' windows, one after the other, and the same of the columns'.
    rows, cols = (np.concatenate([window_positions(at, size, options) for at in range(size)])
                  for size in (height, width))
    r = None
    if options.position == "absolute":
        r = _windows(_absolute(query.value.shape, key, options, profile), rows, cols, options)
    elif rel_row is not None and rel_col is not None:
        r = exact(relative_windows(rel_row, rel_col, query.value.shape, options))
    seen = inside_image(rows, height)[:, None] & inside_image(cols, width)
    inside = cut((seen | (options.padding != "exclude"))[None, :, :, None, None],
                 options.extent, options.extent)
    own = Estimate(query.value[..., None, :], query.error[..., None, :])
    return (own, None if key is None else _windows(key, rows, cols, options),
            _windows(value, rows, cols, options), r, np.swapaxes(inside[0], -1, -2))


def pixel_arguments(slots: Slots, i: int, j: int) -> Slots:
    """The same of one pixel: q, k, v, r (batch, heads, ..., depth), inside (1, 1, slots)."""
    q, k, v, r, inside = slots
    whole = q.value.ndim

    def at(x: Estimate) -> Estimate:
        here = np.s_[:, i, j] if x.value.ndim == whole else np.s_[i, j]
        return Estimate(x.value[here], x.error[here])
    return at(q), None if k is None else at(k), at(v), None if r is None else at(r), inside[i, j]


def relative_windows(rel_row: Array, rel_col: Array, shape: tuple[int, ...],
                     options: AttentionOptions) -> Array:
    """(height, width, heads, slots, depth): r of every slot of every pixel's window.

    shape  of the queries, (batch, height, width, heads, depth)
    """
    height, width, heads, depth = shape[1:]
    rows, cols = (np.concatenate([table_slots(at, window_positions(at, size, options), options)
                                  for at in range(size)]) for size in (height, width))
    r = relative_embedding(rel_row, rel_col, rows, cols, heads, depth, options)
    return cut(np.moveaxis(r, 0, 2)[None], options.extent, options.extent)[0]


def _windows(x: Estimate, rows: Array, cols: Array, options: AttentionOptions) -> Estimate:
    """(batch, height, width, heads, slots, depth) of all windows."""
    return Estimate(*(cut(neighbours(array, rows, cols), options.extent, options.extent)
                      for array in (x.value, x.error)))


def cut(image: Array, rows: int, cols: int) -> Array:
    """(batch, blocks, blocks, heads, slots, depth) of an image cut into blocks of rows x cols.

    image  (batch, height, width, heads, depth), which the blocks divide
    """
    batch, height, width, heads, depth = image.shape
    apart = image.reshape(batch, height // rows, rows, width // cols, cols, heads, depth)
    together = apart.transpose(0, 1, 3, 5, 2, 4, 6)
    return together.reshape(*together.shape[:4], rows * cols, depth)


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
    r = np.abs(relative_windows(rel_row, rel_col, query.shape, options))
    magnitude = np.einsum("bhwnd,hwnsd->bhwns", np.abs(query), r)
    shape = (*query.shape[:4], options.extent, options.extent)
    return sum_error(magnitude, query.shape[4] + 1, profile, query, rel_row,
                     rel_col).reshape(shape)
