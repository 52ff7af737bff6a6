"""Error bounds of gradients: back through the mixture of values, the softmax and the logits.

Every bound is carried by an Estimate from what a sound implementation may hold. Terms of a sum are
counted over the whole sum, so that the bounds of its parts, window by window, add up.
"""

from collections.abc import Mapping

import numpy as np

from sasakit.reference import AttentionOptions
from sasakit.reference.gradients_attention import add_to_neighbours, position_scale
from sasakit.reference.gradients_relative import add_to_tables, zeros_like
from sasakit.reference.relative import relative_embedding
from sasakit.reference.window import table_slots, window_positions

from .estimate import Array, Estimate, exact, stored
from .estimate_attention import (
    mixture_of_shares,
    pixel_arguments,
    project,
    shares_of_slots,
    split_heads,
    window_arguments,
)
from .profiles import Profile, gamma, unit_roundoff

Gradients = dict[str, Estimate]


def contracted(axes: str, x: Estimate, y: Estimate, terms: int, profile: Profile) -> Estimate:
    """Sums of products, as einsum reads `axes`, of `terms` roundings in any order."""
    rounding = gamma(terms, profile.u) * np.einsum(axes, x.most, y.most)
    carried = np.einsum(axes, x.error, y.most) + np.einsum(axes, np.abs(x.value), y.error)
    return Estimate(np.einsum(axes, x.value, y.value), carried + rounding)


def plus(*parts: Estimate) -> Estimate:
    """The sum; whoever bounds the parts has counted its roundings."""
    return Estimate(sum((part.value for part in parts[1:]), parts[0].value),
                    sum((part.error for part in parts[1:]), parts[0].error))


def times(factor: float | Array, x: Estimate) -> Estimate:
    """The same scaled; whoever bounds x has counted its rounding."""
    return Estimate(factor * x.value, np.abs(factor) * x.error)


def probabilities(p: Array, h: Array, inside: Array | bool, profile: Profile) -> Estimate:
    """Probabilities as an implementation holds them, from the error h of each exponential.

    Each is its exponential over a sum whose relative error is at most sum(p h); none exceeds one by
    more than its own roundings.
    """
    rounded = gamma(p.shape[-1] + 3, profile.u)
    theta = (1 + h) * (1 + (p * h).sum(axis=-1, keepdims=True)) * (1 + rounded) - 1
    least = np.minimum(p * theta, 1 + rounded)
    least = least + unit_roundoff(profile.probabilities) * (p + least) + profile.eta
    # What takes no part has probability zero, and not nearly so.
    return Estimate(p, np.where(inside, least, 0.0))


def softmax(share: Estimate, dp: Estimate, mean: Estimate, profile: Profile) -> Estimate:
    """Gradient of the logits, p (dp - D), from the bounds of each.

    mean  D, with one axis more of length one
    """
    apart = dp.value - mean.value
    doubt = dp.error + mean.error
    most = np.abs(apart) + doubt
    value = share.value * apart
    error = (share.error * most + share.value * doubt + gamma(3, profile.u) * share.most * most)
    error = error + unit_roundoff(profile.probabilities) * (np.abs(value) + error)
    return Estimate(value, error + np.where(share.most > 0, profile.eta, 0.0))


def slots(g: Estimate, q: Estimate, k: Estimate | None, v: Estimate, r: Estimate | None,
          inside: Array, scales: tuple[float, float], gathered: tuple[int, int],
          profile: Profile) -> Gradients:
    """Gradients q, k, v and r of `mixture_of_slots`, arguments as there.

    g         (batch, heads, queries, depth)
    gathered  how many terms a pixel, and an entry of a table, gather at most
    """
    p, h = shares_of_slots(q, k, r, inside, scales, profile)
    count, depth = p.shape[-1], q.value.shape[-1]
    share = probabilities(p, h, inside, profile)
    o = stored(mixture_of_shares(p, h, v, profile), profile)
    dp = contracted("...qd,...sd->...qs", g, v, depth, profile)
    # Either formula of D is sound: the sum of p dp, or that of g o.
    mean, other = (contracted("...qs,...qs->...q", share, dp, count + 1, profile),
                   contracted("...qd,...qd->...q", g, o, depth, profile))
    mean = Estimate(mean.value[..., None], np.maximum(mean.error, other.error)[..., None])
    ds = softmax(share, dp, mean, profile)
    dq = [times(scale, contracted("...qs,...sd->...qd", ds, other, count + 5, profile))
          for scale, other in zip(scales, (k, r), strict=True) if other is not None]
    dk, dr = (times(scale, contracted("...qs,...qd->...sd", ds, q, terms + 3, profile))
              for scale, terms in zip(scales, gathered, strict=True))
    dv = contracted("...qs,...qd->...sd", share, g, gathered[0] + 1, profile)
    return {"q": plus(*dq), "v": dv, "k": dk, "r": dr}


def local_attention(g: Estimate, query: Estimate, key: Estimate | None, value: Estimate,
                    rel_row: Array | None, rel_col: Array | None, options: AttentionOptions,
                    profile: Profile) -> Gradients:
    """Bounds of `local_attention_vjp`, shapes as there."""
    batch, height, width, heads, depth = query.value.shape
    given = {"query": query.value, "key": None if key is None else key.value,
             "value": value.value, "rel_row": rel_row, "rel_col": rel_col}
    sums = [zeros_like(given), zeros_like(given)]
    key = key if options.content else None
    scales = (options.scale, position_scale(options))
    gathered = (height * width, batch * height * width * heads * options.extent)
    arguments = window_arguments(query, key, value, rel_row, rel_col, options, profile)
    for i, j in np.ndindex(height, width):
        q, k, v, r, inside = pixel_arguments(arguments, i, j)
        here = Estimate(g.value[:, i, j][:, :, None], g.error[:, i, j][:, :, None])
        found = slots(here, q, k, v, r, inside, scales, gathered, profile)
        rows, cols = (window_positions(at, size, options)
                      for at, size in ((i, height), (j, width)))
        window = (batch, heads, options.extent, options.extent, depth)
        for into, part in zip(sums, ("value", "error"), strict=True):
            into["query"][:, i, j] = getattr(found["q"], part)[:, :, 0]
            for name, short in (("value", "v"), *((("key", "k"),) if key is not None else ())):
                seen = getattr(found[short], part).reshape(window)
                add_to_neighbours(into[name], np.moveaxis(seen, 1, 3), rows, cols)
            if rel_row is not None:
                dr = getattr(found["r"], part).reshape(window).sum(axis=0)
                add_to_tables(into, dr, table_slots(i, rows, options),
                              table_slots(j, cols, options), options)
    return {name: Estimate(value, sums[1][name]) for name, value in sums[0].items()}


def attention_layer(upstream: Array, x: Array, weights: Mapping[str, Array],
                    options: AttentionOptions, profile: Profile) -> Gradients:
    """Bounds of `attention_layer_vjp`, shapes as there."""
    names = {"query": "w_query", "key": "w_key", "value": "w_value"}
    if not options.content:
        del names["key"]
    projected = {name: project(exact(x), weights[w], options, profile)
                 for name, w in names.items()}
    inner = local_attention(
        split_heads(exact(upstream), options.heads), projected["query"], projected.get("key"),
        projected["value"], weights.get("rel_row"), weights.get("rel_col"), options, profile)
    found: Gradients = {}
    parts = []
    for name, w in names.items():
        dx, found[w] = _project(stored(inner.pop(name), profile), x, weights[w], options, profile)
        parts.append(dx)
    return {"x": plus(*parts), **found, **inner}


def _project(d: Estimate, x: Array, w: Array, options: AttentionOptions,
             profile: Profile) -> tuple[Estimate, Estimate]:
    heads = options.heads if options.projection == "per_head" else 1
    groups = split_heads(exact(x), heads)
    joined = [array.reshape(*x.shape[:3], heads, -1) for array in (d.value, d.error)]
    blocks = w.reshape(heads, -1, w.shape[-1])
    # Two roundings more for the sum of three projections' parts.
    dx = contracted("bhwno,nio->bhwni", Estimate(*joined), exact(blocks), w.shape[-1] + 2, profile)
    pixels = x.shape[0] * x.shape[1] * x.shape[2]
    dw = contracted("bhwni,bhwno->nio", groups, Estimate(*joined), pixels, profile)
    return (Estimate(dx.value.reshape(x.shape), dx.error.reshape(x.shape)),
            Estimate(dw.value.reshape(w.shape), dw.error.reshape(w.shape)))


def relative_logits(upstream: Array, query: Array, rel_row: Array, rel_col: Array,
                    options: AttentionOptions, profile: Profile) -> Gradients:
    """Bounds of `relative_logits_vjp`, shapes as there."""
    batch, height, width, heads, depth = query.shape
    errors = zeros_like({"query": query, "rel_row": rel_row, "rel_col": rel_col})
    terms = batch * height * width * heads * options.extent
    rounding = gamma(max(terms, options.extent ** 2), profile.u)
    for i, j in np.ndindex(height, width):
        rows, cols = (table_slots(at, window_positions(at, size, options), options)
                      for at, size in ((i, height), (j, width)))
        r = np.abs(relative_embedding(rel_row, rel_col, rows, cols, heads, depth, options))
        g = np.abs(upstream[:, i, j])
        errors["query"][:, i, j] = rounding * np.einsum("bnrc,nrcd->bnd", g, r)
        dr = np.einsum("bnrc,bnd->nrcd", g, np.abs(query[:, i, j]))
        add_to_tables(errors, rounding * dr, rows, cols, options)
    return {name: Estimate(np.zeros_like(error), error) for name, error in errors.items()}
