"""The four stems and the average pool under any reading. In float64, small images only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sasakit.reference import AttentionOptions, StemOptions, layers

from ...case import Case
from ...estimate import Array
from .mixture import MixtureReading, mixture_variant

Reduce = Callable[[Array], Array]


@dataclass(frozen=True)
class StemReading:
    """One reading; the first value of each field is canonical.

    before         rows and columns that the 7 x 7 kernel begins before its pixel
    pool_at        rows and columns that the 3 x 3 maximum begins before its pixel: 1, 0
    flipped        axes along which the kernel is turned round: none, rows, cols, both
    reach          whom a pixel attends to: block, sliding (a window around it), global
    content_by     factor of q . k: 1, 1/sqrt(depth)
    value_from     the matrix of plain values: w_value, w_key, w_query
    value_before   rows and columns that a value's kernel begins before its pixel: before, after
    in_blocks      whether the convolution of the values stays in its block
    cut            what the last blocks are: cut, padded (with zeros), dropped
    norm           running (the stored statistics), batch, outside (epsilon beside the root),
                   unshifted
    pooled         maximum or average
    pool_first     whether the pool precedes the normalization
    activated      whether a ReLU follows the normalization: as in the specification, yes, no
    mixture        how values are mixed
    """

    before: int = 3
    pool_at: int = 1
    flipped: str = "none"
    reach: str = "block"
    content_by: str = "1"
    value_from: str = "w_value"
    value_before: str = "before"
    in_blocks: bool = False
    cut: str = "cut"
    norm: str = "running"
    pooled: str = "maximum"
    pool_first: bool = False
    activated: str = "asked"
    mixture: MixtureReading = field(default_factory=MixtureReading)


# A reading that is not the implementation's may overflow; then it is not finite and no match.
@np.errstate(all="ignore")
def stem_variant(case: Case, reading: StemReading) -> Array:
    """The result of `stem` under a reading."""
    options, weights = case.options, dict(case.arrays)
    assert isinstance(options, StemOptions)
    images = weights.pop("images")
    if options.kind == "conv":
        y = layers.convolution(images, _turned(weights["w_conv"], reading.flipped), stride=2,
                               before=reading.before)
        y = normalized(y, weights, reading.norm)
        return _pooled_around(y if reading.activated == "no" else layers.relu(y), reading)
    height, width = images.shape[1:3]
    window = options.window
    if reading.cut == "padded":
        more = [(0, 0), (0, -height % window), (0, -width % window), (0, 0)]
        images = np.pad(images, more)
    query, key = (images @ weights[name] for name in ("w_query", "w_key"))
    y = _attention(query, key, _values(images, weights, options, reading), options, reading)
    pool = _block_pool(window, reading)
    if reading.pool_first:
        y = normalized(pool(y), weights, reading.norm)
        return layers.relu(y) if reading.activated == "yes" else y
    y = normalized(y, weights, reading.norm)
    return pool(layers.relu(y) if reading.activated == "yes" else y)


def _turned(w: Array, flipped: str) -> Array:
    rows = -1 if flipped in ("rows", "both") else 1
    return w[::rows, ::-1 if flipped in ("cols", "both") else 1]


def normalized(x: Array, weights: Mapping[str, Array], norm: str) -> Array:
    """The normalization of NET-6 under a reading, by its name."""
    mean, variance = weights["norm_mean"], weights["norm_variance"]
    if norm in ("batch_mean", "batch"):
        mean = x.mean(axis=(0, 1, 2))
    if norm == "batch":
        variance = x.var(axis=(0, 1, 2))
    deviation = np.sqrt(variance) + layers.EPSILON if norm == "outside" \
        else np.sqrt(variance + layers.EPSILON)
    y = (x - mean) / deviation * weights["norm_scale"]
    return y if norm == "unshifted" else y + weights["norm_shift"]


def _pooled_around(x: Array, reading: StemReading) -> Array:
    height, width = x.shape[1:3]
    out = np.empty((x.shape[0], -(-height // 2), -(-width // 2), x.shape[3]))
    for i in range(0, height, 2):
        for j in range(0, width, 2):
            top, left = max(i - reading.pool_at, 0), max(j - reading.pool_at, 0)
            around = x[:, top:i - reading.pool_at + 3, left:j - reading.pool_at + 3]
            out[:, i // 2, j // 2] = around.max(axis=(1, 2)) if reading.pooled == "maximum" \
                else around.mean(axis=(1, 2))
    return out


def _block_pool(window: int, reading: StemReading) -> Reduce:
    def pool(x: Array) -> Array:
        height, width = x.shape[1:3]
        rows, cols = (-(-size // window) if reading.cut != "dropped" else max(size // window, 1)
                      for size in (height, width))
        reduce = np.max if reading.pooled == "maximum" else np.mean
        return np.stack([np.stack([
            reduce(x[:, i * window:(i + 1) * window, j * window:(j + 1) * window], axis=(1, 2))
            for j in range(cols)], axis=1) for i in range(rows)], axis=1)
    return pool


def _values(images: Array, weights: Mapping[str, Array], options: StemOptions,
            reading: StemReading) -> Array:
    w = weights["w_value"]
    if options.kind == "mixture":
        return mixture_variant(images, w, weights["emb_row"], weights["emb_col"], weights["nu"],
                               reading.mixture)
    if options.kind == "plain":
        return images @ weights[reading.value_from]
    before = AttentionOptions(extent=options.window,
                              even_window=reading.value_before).slots_before
    w = _turned(w, reading.flipped)
    if not reading.in_blocks:
        return layers.convolution(images, w, stride=1, before=before)
    out = np.empty((*images.shape[:3], w.shape[3]))
    for block in _blocks(images, options.window):
        out[block] = layers.convolution(images[block], w, stride=1, before=before)
    return out


def _blocks(images: Array, window: int) -> list[tuple[slice, slice, slice]]:
    height, width = images.shape[1:3]
    return [np.s_[:, i:i + window, j:j + window]
            for i in range(0, height, window) for j in range(0, width, window)]


def _attention(query: Array, key: Array, value: Array, options: StemOptions,
               reading: StemReading) -> Array:
    """(batch, height, width, channels): of every pixel to those that it reaches."""
    batch, height, width, channels = query.shape
    depth = channels // options.heads
    reached = _reached(height, width, options.window, reading.reach)
    q, k, v = (x.reshape(batch, height * width, options.heads, depth)
               for x in (query, key, value))
    factor = 1.0 if reading.content_by == "1" else depth ** -0.5
    logits = np.einsum("bpnd,bsnd->bnps", q, k, optimize=True) * factor
    logits = np.where(reached, logits, -np.inf)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = weights / weights.sum(axis=-1, keepdims=True)
    return np.einsum("bnps,bsnd->bpnd", p, v, optimize=True).reshape(query.shape)


def _reached(height: int, width: int, window: int, reach: str) -> Array:
    """(pixels, pixels): whether the first attends to the second."""
    i, j = (at.reshape(-1) for at in np.indices((height, width)))
    if reach == "global":
        return np.ones((len(i), len(i)), bool)
    if reach == "block":
        return np.asarray((i[:, None] // window == i // window)
                          & (j[:, None] // window == j // window))
    before = AttentionOptions(extent=window).slots_before
    slots = [at - at[:, None] + before for at in (i, j)]
    near = [(slot >= 0) & (slot < window) for slot in slots]
    return np.asarray(near[0] & near[1])
