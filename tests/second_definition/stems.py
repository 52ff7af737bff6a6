"""Stems by padding and reshaping whole images."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sasakit.reference.arrays import NUMPY
from sasakit.reference.contract import checks

from .pairs import masked_softmax


def tiles(x, rows, cols, fill):
    """(batch, blocks down, blocks across, rows, cols, ...): the image padded and cut into tiles."""
    height, width = x.shape[1:3]
    pad = [(0, 0), (0, -height % rows), (0, -width % cols)] + [(0, 0)] * (x.ndim - 3)
    padded = np.pad(x, pad, constant_values=fill)
    shape = (x.shape[0], padded.shape[1] // rows, rows, padded.shape[2] // cols, cols, *x.shape[3:])
    return np.swapaxes(padded.reshape(shape), 2, 3)


def average_pool(x):
    checks.check_pool(NUMPY, x)
    return means(x)


def means(x):
    counts = tiles(np.ones((1, *x.shape[1:3], 1), x.dtype), 2, 2, 0).sum(axis=(3, 4))
    return tiles(x, 2, 2, 0).sum(axis=(3, 4)) / counts


def value_mixture(x, w_value, emb_row, emb_col, nu):
    checks.check_value_mixture(NUMPY, x, w_value, emb_row, emb_col, nu)
    return mix(x, w_value, emb_row, emb_col, nu)


def mix(x, w_value, emb_row, emb_col, nu):
    logits = np.einsum("re,me->rm", emb_row, nu)[:, None] + np.einsum("ce,me->cm", emb_col, nu)
    weights = np.exp(logits - logits.real.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    height, width = x.shape[1:3]
    repeats = (-(-height // len(emb_row)), -(-width // len(emb_col)), 1)
    everywhere = np.tile(weights, repeats)[:height, :width]
    # All outputs first, mixed after.
    outputs = np.einsum("bijc,mco->bijmo", x, w_value)
    return np.einsum("bijmo,ijm->bijo", outputs, everywhere)


def convolve(x, w, stride, before):
    """Cross-correlation by one product of all windows."""
    rows, cols = w.shape[:2]
    pads = ((0, 0), (before, rows - 1 - before), (before, cols - 1 - before), (0, 0))
    windows = sliding_window_view(np.pad(x, pads), (rows, cols), axis=(1, 2))
    return np.einsum("bijcrs,rsco->bijo", windows[:, ::stride, ::stride], w)


def folded(weights):
    """Normalization as one factor and one shift for every channel."""
    variance = weights["norm_variance"]
    factor = weights["norm_scale"] / np.sqrt(variance + variance.dtype.type(1e-5))
    return factor, weights["norm_shift"] - weights["norm_mean"] * factor


def stem(images, weights, *, options):
    checks.check_stem(NUMPY, images, weights, options)
    return run_stem(images, weights, options)


def first_maximum(x):
    """Maxima over the last two axes; of complex numbers, those with the largest real part."""
    flat = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
    return np.take_along_axis(flat, flat.real.argmax(axis=-1)[..., None], axis=-1)[..., 0]


def run_stem(images, weights, options):
    factor, shift = folded(weights)
    if options.kind == "conv":
        y = convolve(images, weights["w_conv"] * factor, 2, 3) + shift
        y = np.where(y.real <= 0, 0, y)
        padded = np.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
        return first_maximum(sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2])
    window, heads = options.window, options.heads
    q, k = (np.einsum("bijc,co->bijo", images, weights[name]) for name in ("w_query", "w_key"))
    y = _blocks(q, k, _values(images, weights, options), window, heads)
    cut = tiles(y * factor + shift, window, window, -np.inf)
    return first_maximum(np.moveaxis(cut, 5, 3))


def _values(images, weights, options):
    w = weights["w_value"]
    if options.kind == "mixture":
        return mix(images, w, weights["emb_row"], weights["emb_col"], weights["nu"])
    if options.kind == "conv_value":
        return convolve(images, w, 1, options.window // 2)
    return np.einsum("bijc,co->bijo", images, w)


def _blocks(q, k, v, window, heads):
    """All pairs within padded tiles, the padding masked away."""
    batch, height, width, channels = q.shape
    shape = (window, window, heads, channels // heads)
    cut = [tiles(x, window, window, 0) for x in (q, k, v)]
    q, k, v = (x.reshape(*x.shape[:3], *shape) for x in cut)
    real = tiles(np.ones((1, height, width), bool), window, window, False)
    logits = np.einsum("bxyijnd,bxyrcnd->bxynijrc", q, k)
    p = masked_softmax(logits, real[:, :, :, None, None, None])
    out = np.einsum("bxynijrc,bxyrcnd->bxiyjnd", p, v)
    down, across = out.shape[1] * window, out.shape[3] * window
    return out.reshape(batch, down, across, channels)[:, :height, :width]
