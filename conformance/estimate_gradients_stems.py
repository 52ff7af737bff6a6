"""Error bounds of the gradients of the value mixture, the layers around attention and the stems."""

from collections.abc import Mapping

import numpy as np

from sasakit.reference import AttentionOptions, StemOptions, layers
from sasakit.reference.gradients_layers import convolution_vjp, max_pool_vjp, relu_vjp
from sasakit.reference.mixture import mixture_weights

from . import estimate, estimate_networks
from .estimate import FOLDED, Array, Estimate, dense, exact, stored
from .estimate_attention import join_heads, split_heads
from .estimate_gradients import Gradients, contracted, plus, probabilities, slots, softmax
from .profiles import Profile, gamma


def value_mixture(g: Estimate, x: Array, w: Array, emb_row: Array, emb_col: Array, nu: Array,
                  profile: Profile) -> Gradients:
    """Bounds of `value_mixture_vjp`, shapes as there; weights or outputs may be mixed."""
    p = mixture_weights(emb_row, emb_col, nu)
    h = estimate_networks.mixture_weight_errors(emb_row, emb_col, nu, profile)
    share = probabilities(p, h, True, profile)
    positions, mixtures = p.shape[0] * p.shape[1], p.shape[2]
    dx, dmixed, most = _mixed(g, x, w, share, profile)
    pixels = x.shape[0] * x.shape[1] * x.shape[2]
    terms = pixels + w.shape[1] * w.shape[2] + mixtures + 2
    # Weights or outputs may be mixed: a sum may cancel in one order and not in the other, so that
    # its roundings are those of the magnitudes.
    dp = Estimate(np.einsum("abio,mio->abm", dmixed.value, w),
                  np.einsum("abio,mio->abm", dmixed.error + gamma(terms, profile.u) * most,
                            np.abs(w)))
    dw = Estimate(np.einsum("abm,abio->mio", p, dmixed.value),
                  np.einsum("abm,abio->mio", share.most, dmixed.error)
                  + np.einsum("abm,abio->mio", share.error
                              + gamma(pixels + positions, profile.u) * share.most, most))
    size = np.einsum("abio,mio->abm", most, np.abs(w))
    doubt = share.error * size + share.most * (dp.error + gamma(terms, profile.u) * size)
    mean = Estimate((p * dp.value).sum(axis=-1, keepdims=True), doubt.sum(axis=-1, keepdims=True))
    ds = softmax(share, dp, mean, profile)
    terms = positions + mixtures + 2
    return {"x": dx, "w_value": dw,
            "emb_row": contracted("abm,me->ae", ds, exact(nu), terms, profile),
            "emb_col": contracted("abm,me->be", ds, exact(nu), terms, profile),
            "nu": plus(contracted("abm,ae->me", ds, exact(emb_row), terms, profile),
                       contracted("abm,be->me", ds, exact(emb_col), terms, profile))}


def _mixed(g: Estimate, x: Array, w: Array, share: Estimate,
           profile: Profile) -> tuple[Estimate, Estimate, Array]:
    """Gradient of x, that of the mixed matrix of every place, and the magnitudes of the latter."""
    mixed = contracted("abm,mio->abio", share, exact(w), share.value.shape[2], profile)
    size = np.einsum("abm,mio->abio", share.most, np.abs(w))
    rounding = gamma(w.shape[2] + share.value.shape[2] + 1, profile.u)
    dx = [np.zeros(x.shape) for _ in range(2)]
    met, doubt, most = (np.zeros(mixed.value.shape) for _ in range(3))
    for i, j in np.ndindex(*x.shape[1:3]):
        a, b = i % share.value.shape[0], j % share.value.shape[1]
        value, error, larger = g.value[:, i, j], g.error[:, i, j], g.most[:, i, j]
        dx[0][:, i, j] = value @ mixed.value[a, b].T
        dx[1][:, i, j] = (error @ size[a, b].T
                          + larger @ (mixed.error[a, b] + rounding * size[a, b]).T)
        met[a, b] += x[:, i, j].T @ value
        doubt[a, b] += np.abs(x[:, i, j]).T @ error
        most[a, b] += np.abs(x[:, i, j]).T @ larger
    pixels = x.shape[0] * x.shape[1] * x.shape[2]
    return (Estimate(dx[0], dx[1]), Estimate(met, doubt + gamma(pixels, profile.u) * most), most)


def average_pool(upstream: Array, x: Array, profile: Profile) -> Gradients:
    """Bounds of `average_pool_vjp`: one quotient."""
    share = np.repeat(np.repeat(np.abs(upstream), 2, axis=1), 2, axis=2)
    error = gamma(2, profile.u) * share[:, :x.shape[1], :x.shape[2]]
    return {"x": Estimate(np.zeros_like(x), error)}


def max_pool(g: Estimate, x: Estimate, *, stride: int, before: int, window: int,
             profile: Profile) -> Estimate:
    """Bounds of `max_pool_vjp`: any pixel that may be the first maximum may have it all.

    Where what is compared has no error, as in a tie of equal numbers, the first is certain.
    """
    value = max_pool_vjp(g.value, x.value, stride=stride, before=before, window=window)
    error = max_pool_vjp(g.error, x.value, stride=stride, before=before, window=window)
    # Twice, since the reference rounds too.
    low, high = x.value - 2 * x.error, x.value + 2 * x.error
    for i, j in np.ndindex(*g.value.shape[1:3]):
        top, left = stride * i - before, stride * j - before
        seen = np.s_[:, max(top, 0):top + window, max(left, 0):left + window]
        may = high[seen] >= low[seen].max(axis=(1, 2), keepdims=True)
        several = (may.sum(axis=(1, 2), keepdims=True) > 1)
        unsure = several & (may & (x.error[seen] > 0)).any(axis=(1, 2), keepdims=True)
        error[seen] += np.where(may & unsure, g.most[:, i, j][:, None, None], 0.0)
    # Where windows overlap, four of them may give to one pixel.
    return Estimate(value, error + gamma(4, profile.u) * (np.abs(value) + error))


def relu(g: Estimate, x: Estimate) -> Estimate:
    """Bounds of `relu_vjp`: where the sign of x is in doubt, all or nothing passes."""
    unsure = (np.abs(x.value) <= 2 * x.error) & (x.error > 0)
    return Estimate(relu_vjp(g.value, x.value),
                    np.where(unsure, g.most, relu_vjp(g.error, x.value)))


def normed(x: Estimate, weights: Mapping[str, Array], profile: Profile) -> Estimate:
    """Bounds of `batch_norm`; with a scale of zero the result is the shift itself."""
    y = estimate.batch_norm(x, weights, profile)
    return Estimate(y.value, np.where(weights["norm_scale"] == 0, 0.0, y.error))


def batch_norm(g: Estimate, x: Estimate, weights: Mapping[str, Array],
               profile: Profile) -> tuple[Estimate, Gradients]:
    """Bounds of `batch_norm_vjp`, normalizations folded or not."""
    inverse = 1 / np.sqrt(weights["norm_variance"] + layers.EPSILON)
    factor, axes = np.abs(weights["norm_scale"]) * inverse, (0, 1, 2)
    dx = Estimate(g.value * weights["norm_scale"] * inverse,
                  g.error * factor + gamma(FOLDED, profile.u) * g.most * factor)
    centred = Estimate((x.value - weights["norm_mean"]) * inverse, (
        x.error + gamma(FOLDED, profile.u) * (x.most + np.abs(weights["norm_mean"]))) * inverse)
    # Folded, the factor's two parts are summed apart.
    most = (x.most + np.abs(weights["norm_mean"])) * inverse
    pixels = g.value.shape[0] * g.value.shape[1] * g.value.shape[2]
    rounding = gamma(pixels + FOLDED, profile.u)
    scale = Estimate((g.value * centred.value).sum(axis=axes),
                     (g.error * most + g.most * centred.error + rounding * g.most * most)
                     .sum(axis=axes))
    shift = Estimate(g.value.sum(axis=axes), (g.error + rounding * g.most).sum(axis=axes))
    return stored(dx, profile), {"norm_scale": scale, "norm_shift": shift}


def convolution(g: Estimate, x: Array, w: Array, profile: Profile, *, stride: int,
                before: int) -> tuple[Estimate, Estimate]:
    """Bounds of `convolution_vjp`."""
    def apply(upstream: Array, image: Array, kernel: Array) -> tuple[Array, Array]:
        return convolution_vjp(upstream, image, kernel, stride=stride, before=before)
    terms = (w.shape[0] * w.shape[1] * w.shape[3] + FOLDED,
             g.value.shape[0] * g.value.shape[1] * g.value.shape[2] + FOLDED)
    value, carried, most = (apply(g.value, x, w), apply(g.error, np.abs(x), np.abs(w)),
                            apply(g.most, np.abs(x), np.abs(w)))
    dx, dw = (Estimate(value[n], carried[n] + gamma(terms[n], profile.u) * most[n])
              for n in range(2))
    return dx, dw


def stem(upstream: Array, images: Array, weights: Mapping[str, Array], options: StemOptions,
         profile: Profile) -> Gradients:
    """Bounds of `stem_vjp`, shapes as there."""
    g = exact(upstream)
    if options.kind == "conv":
        w = weights["w_conv"]
        y = estimate.convolution(exact(images), w, profile, stride=2, before=3)
        n = normed(y, weights, profile)
        dy = max_pool(g, estimate.relu(n), stride=2, before=1, window=3, profile=profile)
        dy, norm = batch_norm(relu(dy, n), y, weights, profile)
        dimages, dw = convolution(dy, images, w, profile, stride=2, before=3)
        return {"images": dimages, "w_conv": dw, **norm}
    query, key = (dense(exact(images), weights[name], profile) for name in ("w_query", "w_key"))
    value = estimate_networks.stem_values(exact(images), weights, options, profile)
    q, k, v = (split_heads(x, options.heads) for x in (query, key, value))
    y = stored(join_heads(estimate_networks.block_attention(q, k, v, options.window, profile)),
               profile)
    dy = max_pool(g, normed(y, weights, profile), stride=options.window, before=0,
                  window=options.window, profile=profile)
    dy, norm = batch_norm(dy, y, weights, profile)
    inner = _block_attention(split_heads(dy, options.heads), q, k, v, options.window, profile)
    found = _stem_values(stored(join_heads(inner["v"]), profile), images, weights, options, profile)
    parts = [found.pop("images")]
    for name, short in (("w_query", "q"), ("w_key", "k")):
        dx, found[name] = _dense(stored(join_heads(inner[short]), profile), images, weights[name],
                                 profile)
        parts.append(dx)
    return {"images": plus(*parts), **found, **norm}


def _dense(d: Estimate, x: Array, w: Array, profile: Profile) -> tuple[Estimate, Estimate]:
    """Gradients of x and w from that of x w; two roundings more for the sum of three such."""
    pixels = x.shape[0] * x.shape[1] * x.shape[2]
    return (contracted("bhwo,io->bhwi", d, exact(w), w.shape[1] + 2, profile),
            contracted("bhwi,bhwo->io", exact(x), d, pixels, profile))


def _stem_values(g: Estimate, images: Array, weights: Mapping[str, Array], options: StemOptions,
                 profile: Profile) -> Gradients:
    w = weights["w_value"]
    if options.kind == "mixture":
        found = value_mixture(g, images, w, weights["emb_row"], weights["emb_col"], weights["nu"],
                              profile)
        return {"images": found.pop("x"), **found}
    if options.kind == "conv_value":
        before = AttentionOptions(extent=options.window).slots_before
        dimages, dw = convolution(g, images, w, profile, stride=1, before=before)
    else:
        dimages, dw = _dense(g, images, w, profile)
    return {"images": dimages, "w_value": dw}


def _block_attention(g: Estimate, query: Estimate, key: Estimate, value: Estimate, window: int,
                     profile: Profile) -> Gradients:
    out = {name: Estimate(np.empty_like(value.value), np.empty_like(value.value))
           for name in ("q", "k", "v")}
    height, width = value.value.shape[1:3]
    for i in range(0, height, window):
        for j in range(0, width, window):
            block = np.s_[:, i:i + window, j:j + window]
            own, q, k, v = (_as_slots(Estimate(x.value[block], x.error[block]))
                            for x in (g, query, key, value))
            pixels = v.value.shape[2]
            found = slots(own, q, k, v, None, np.ones(pixels, bool), (1.0, 1.0), (pixels, 0),
                          profile)
            for name, whole in out.items():
                shape = whole.value[block].shape
                for into, array in ((whole.value, found[name].value),
                                    (whole.error, found[name].error)):
                    into[block] = np.swapaxes(array, 1, 2).reshape(shape)
    return out


def _as_slots(x: Estimate) -> Estimate:
    """(batch, heads, slots, depth) of (batch, rows, cols, heads, depth)."""
    batch, rows, cols, heads, depth = x.value.shape
    parts = [np.swapaxes(array.reshape(batch, rows * cols, heads, depth), 1, 2)
             for array in (x.value, x.error)]
    return Estimate(parts[0], parts[1])
