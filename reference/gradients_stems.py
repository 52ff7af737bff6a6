"""Chapter 12, gradients of the stems: backwards through chapter 7, step by step. GRAD-8, GRAD-9."""

from collections.abc import Mapping

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .attention import split_heads, window_softmax
from .contract.options import AttentionOptions, StemOptions
from .contract.upstream import check_stem_vjp
from .gradients_attention import softmax_vjp
from .gradients_layers import batch_norm_vjp, convolution_vjp, max_pool_vjp, relu_vjp
from .gradients_mixture import value_mixture_vjp
from .layers import batch_norm, convolution, relu
from .stems import block_attention, stem_values

MIXTURE = ("w_value", "emb_row", "emb_col", "nu")


@SILENT
def stem_vjp(upstream: Floats, images: Floats, weights: Mapping[str, Floats], *,
             options: StemOptions) -> dict[str, Floats]:
    """Gradients of the images and of every learned weight by name, SPEC GRAD-8.

    upstream  the shape and dtype of what `stem` gives
    The other arguments are those of `stem`; norm_mean and norm_variance are constants and have no
    gradient. Each gradient has its argument's shape and dtype.
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    check_stem_vjp(NUMPY, upstream, images, weights, options)
    if options.kind == "conv":
        w = weights["w_conv"]
        y = convolution(images, w, stride=2, before=3)
        normed = batch_norm(y, weights)
        dy = max_pool_vjp(upstream, relu(normed), stride=2, before=1, window=3)
        dy, norm = batch_norm_vjp(relu_vjp(dy, normed), y, weights)
        dimages, dw = convolution_vjp(dy, images, w, stride=2, before=3)
        return {"images": dimages, "w_conv": dw, **norm}
    window = options.window
    query, key, value = (split_heads(x, options.heads) for x in (
        images @ weights["w_query"], images @ weights["w_key"],
        stem_values(images, weights, options)))
    y = block_attention(query, key, value, window)
    y = y.reshape(*y.shape[:3], y.shape[3] * y.shape[4])
    dy = max_pool_vjp(upstream, batch_norm(y, weights), stride=window, before=0, window=window)
    dy, norm = batch_norm_vjp(dy, y, weights)
    inner = block_attention_vjp(split_heads(dy, options.heads), query, key, value, window)
    grads = stem_values_vjp(inner["value"].reshape(y.shape), images, weights, options)
    for name in ("query", "key"):
        d = inner[name].reshape(y.shape)
        grads[f"w_{name}"] = np.einsum("bhwi,bhwo->io", images, d)
        # SPEC GRAD-8: the images are read by every projection, and gather from each.
        grads["images"] = grads["images"] + d @ weights[f"w_{name}"].T
    return grads | norm


def stem_values_vjp(upstream: Floats, images: Floats, weights: Mapping[str, Floats],
                    options: StemOptions) -> dict[str, Floats]:
    """Gradients of the images and the value's weights, arguments as of `stem_values`."""
    w = weights["w_value"]
    if options.kind == "mixture":
        grads = value_mixture_vjp(upstream, images, *(weights[name] for name in MIXTURE))
        return {"images": grads.pop("x"), **grads}
    if options.kind == "conv_value":
        before = AttentionOptions(extent=options.window).slots_before
        dimages, dw = convolution_vjp(upstream, images, w, stride=1, before=before)
        return {"images": dimages, "w_value": dw}
    return {"images": upstream @ w.T, "w_value": np.einsum("bhwi,bhwo->io", images, upstream)}


def block_attention_vjp(upstream: Floats, query: Floats, key: Floats, value: Floats,
                        window: int) -> dict[str, Floats]:
    """Gradients of query, key and value, arguments as of `block_attention`, SPEC GRAD-8."""
    grads = {"query": np.empty_like(query), "key": np.empty_like(key),
             "value": np.empty_like(value)}
    height, width = query.shape[1:3]
    for i in range(0, height, window):
        for j in range(0, width, window):
            block = np.s_[:, i:i + window, j:j + window]
            q, k, v, g = query[block], key[block], value[block], upstream[block]
            p = window_softmax(np.einsum("bijnd,brcnd->bijnrc", q, k))
            ds = softmax_vjp(np.einsum("bijnd,brcnd->bijnrc", g, v), p, axis=(-2, -1))
            grads["query"][block] = np.einsum("bijnrc,brcnd->bijnd", ds, k)
            grads["key"][block] = np.einsum("bijnrc,bijnd->brcnd", ds, q)
            grads["value"][block] = np.einsum("bijnrc,bijnd->brcnd", p, g)
    return grads
