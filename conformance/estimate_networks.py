"""Error bounds of the value mixture, the stems and a network's layers, each from given inputs."""

from collections.abc import Mapping
from itertools import product

import numpy as np

from sasakit.reference import AttentionOptions, StemOptions, layers
from sasakit.reference.contract.architecture import Block
from sasakit.reference.mixture import mixture_weights
from sasakit.reference.network import part

from . import estimate
from .estimate import Array, Estimate, dense, exact, stored
from .estimate_attention import attention_layer, cut, join_heads, mixture_of_slots, split_heads
from .profiles import Profile, gamma


def value_mixture(x: Estimate, w: Array, emb_row: Array, emb_col: Array, nu: Array,
                  profile: Profile) -> Estimate:
    """Bounds of `value_mixture`, shapes as there; weights or outputs may be mixed."""
    p = mixture_weights(emb_row, emb_col, nu)
    h = mixture_weight_errors(emb_row, emb_col, nu, profile)
    mixtures, channels_in = w.shape[:2]
    # Relative error of a probability: its own exponential's, the sum's, and the sum's roundings.
    relative = h + (p * h).sum(axis=-1, keepdims=True) + gamma(mixtures + 3, profile.u)
    grown = relative * (1 + relative) + gamma(channels_in + mixtures + 2, profile.u)
    out = [np.empty((*x.value.shape[:3], w.shape[2])) for _ in range(2)]
    for i in range(x.value.shape[1]):
        for j in range(x.value.shape[2]):
            a, b = i % p.shape[0], j % p.shape[1]
            mixed = np.einsum("m,mio->io", p[a, b], w)
            doubt = np.einsum("m,mio->io", p[a, b] * grown[a, b], np.abs(w))
            size = np.einsum("m,mio->io", p[a, b], np.abs(w))
            out[0][:, i, j] = x.value[:, i, j] @ mixed
            out[1][:, i, j] = x.most[:, i, j] @ doubt + x.error[:, i, j] @ size
    return stored(Estimate(out[0], out[1]), profile)


def mixture_weight_errors(emb_row: Array, emb_col: Array, nu: Array, profile: Profile) -> Array:
    """(window_rows, window_cols, mixtures): relative error of each weight's exponential."""
    magnitude = (np.abs(emb_row)[:, None] + np.abs(emb_col)) @ np.abs(nu).T
    s = (emb_row[:, None] + emb_col) @ nu.T
    t = s - s.max(axis=-1, keepdims=True)
    e = gamma(nu.shape[1] + 1, profile.u) * magnitude
    return np.expm1(e + profile.u * np.abs(t) + profile.exp_ulps * profile.u)


def stem(images: Estimate, weights: Mapping[str, Array], options: StemOptions,
         profile: Profile) -> Estimate:
    """Bounds of `stem`, shapes as there."""
    if options.kind == "conv":
        y = estimate.convolution(images, weights["w_conv"], profile, stride=2, before=3)
        y = estimate.relu(estimate.batch_norm(y, weights, profile))
        return Estimate(layers.overlapping_max_pool(y.value), layers.overlapping_max_pool(y.error))
    value = stem_values(images, weights, options, profile)
    query, key = (dense(images, weights[name], profile) for name in ("w_query", "w_key"))
    y = block_attention(split_heads(query, options.heads), split_heads(key, options.heads),
                        split_heads(value, options.heads), options.window, profile)
    y = estimate.batch_norm(stored(join_heads(y), profile), weights, profile)
    return Estimate(layers.block_max_pool(y.value, options.window),
                    layers.block_max_pool(y.error, options.window))


def stem_values(images: Estimate, weights: Mapping[str, Array], options: StemOptions,
                profile: Profile) -> Estimate:
    """Bounds of an attention stem's values."""
    w = weights["w_value"]
    if options.kind == "mixture":
        return value_mixture(images, w, weights["emb_row"], weights["emb_col"], weights["nu"],
                             profile)
    if options.kind == "conv_value":
        before = AttentionOptions(extent=options.window).slots_before
        return estimate.convolution(images, w, profile, stride=1, before=before)
    return dense(images, w, profile)


def block_attention(query: Estimate, key: Estimate, value: Estimate, window: int,
                    profile: Profile) -> Estimate:
    """Bounds of attention within blocks, (batch, height, width, heads, depth)."""
    out = [np.empty_like(value.value) for _ in range(2)]
    height, width = value.value.shape[1:3]
    for (down, rows), (along, cols) in product(_runs(height, window), _runs(width, window)):
        q, k, v = (Estimate(cut(x.value[:, down, along], rows, cols),
                            cut(x.error[:, down, along], rows, cols)) for x in (query, key, value))
        everywhere = np.ones(rows * cols, bool)
        here = mixture_of_slots(q, k, v, None, everywhere, (1.0, 1.0), profile)
        for target, array in zip(out, (here.value, here.error), strict=True):
            apart = array.reshape(*array.shape[:4], rows, cols, array.shape[5])
            region = target[:, down, along]
            region[...] = apart.transpose(0, 1, 4, 2, 5, 3, 6).reshape(region.shape)
    return Estimate(out[0], out[1])


def _runs(size: int, window: int) -> list[tuple[slice, int]]:
    """Where blocks of one length lie along an axis, and that length: whole ones, a last one cut."""
    whole = size - size % window
    return [(slice(start, stop), length) for start, stop, length in (
        (0, whole, window), (whole, size, size - whole)) if stop > start]


def reduce(x: Array, own: Mapping[str, Array], profile: Profile) -> Estimate:
    """A block's first layer from the block's input (NET-2)."""
    y = dense(exact(x), own["reduce.w"], profile)
    return estimate.relu(estimate.batch_norm(y, part(own, "reduce"), profile))


def spatial(x: Array, own: Mapping[str, Array], block: Block, options: AttentionOptions,
            profile: Profile) -> Estimate:
    """A block's middle layer from the first layer's output (NET-2, NET-3)."""
    if block.attention:
        y = attention_layer(exact(x), part(own, "attention"), options, profile)
        y = estimate.average_pool(y, profile) if block.stride == 2 else y
    else:
        y = estimate.convolution(exact(x), own["conv.w"], profile, stride=block.stride, before=1)
    return estimate.relu(estimate.batch_norm(y, part(own, "spatial"), profile))


def expand(x: Array, middle: Array, own: Mapping[str, Array], block: Block,
           profile: Profile) -> Estimate:
    """A block's output from its input and its middle layer's output (NET-2, NET-10)."""
    y = estimate.batch_norm(dense(exact(middle), own["expand.w"], profile),
                            part(own, "expand"), profile)
    shortcut = exact(x)
    if block.projects:
        strided = exact(x[:, ::block.stride, ::block.stride])
        shortcut = estimate.batch_norm(dense(strided, own["shortcut.w"], profile),
                                       part(own, "shortcut"), profile)
    return estimate.relu(estimate.added(y, shortcut, profile))


def classify(x: Array, own: Mapping[str, Array], profile: Profile) -> Estimate:
    """Logits from the last block's output (NET-7)."""
    y = dense(estimate.global_average(exact(x), profile), own["w"], profile)
    return estimate.added(y, exact(np.broadcast_to(own["bias"], y.value.shape)), profile)
