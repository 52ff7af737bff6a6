"""The interface's operations in one float type, for whole images at once, in any sound arithmetic.

What differs from the reference is how sums are ordered and where factors and divisions stand; a
few rounds of that are enough for other bits and never for another meaning.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from ..estimate import Array
from .arithmetic import Dot, Exponential, Mixture, at_once, library, natural, probabilities


@dataclass(frozen=True)
class Way:
    """How one sound implementation computes.

    dot       sums of products
    exp       exponential of numbers that are not positive, or not large
    mixture   softmax and the sum of values
    logits    "apart" q . k + q . r, "joined" q . (k + r), "scaled query" (scale q) . k + ...
    mixed     value mixture: "matrices" are mixed, or the "outputs" of each
    """

    dot: Dot = library
    exp: Exponential = natural
    mixture: Mixture = at_once
    logits: str = "apart"
    mixed: str = "matrices"

    def product(self, x: Array, w: Array) -> Array:
        """(..., outputs) of x (..., inputs) and w (inputs, outputs)."""
        return self.dot(x[..., None, :], w.T)


def positions(size: int, options: AttentionOptions) -> tuple[Array, Array]:
    """(size, extent) twice: what each query sees along one axis, and whether it is inside."""
    start = np.arange(size) - options.slots_before
    if options.padding == "shift":
        start = start.clip(0, size - options.extent)
    at = start[:, None] + np.arange(options.extent)
    return at.clip(0, size - 1), (at >= 0) & (at < size)


def gathered(image: Array, options: AttentionOptions) -> tuple[Array, Array]:
    """What every query sees, and whether it is inside.

    Returns (batch, height, width, slots, heads, depth) and (height, width, slots).
    """
    height, width = image.shape[1:3]
    (rows, row_in), (cols, col_in) = (positions(size, options) for size in (height, width))
    seen = image[:, rows[:, None, :, None], cols[None, :, None, :]]
    inside = row_in[:, None, :, None] & col_in[None, :, None, :]
    seen = np.where(inside[..., None, None], seen, image.dtype.type(0))
    slots = options.extent ** 2
    shape = (*image.shape[:3], slots, *image.shape[3:])
    return seen.reshape(shape), inside.reshape(height, width, slots)


def wide_tables(rel_row: Array, rel_col: Array, heads: int, depth: int,
                options: AttentionOptions) -> tuple[Array, Array]:
    """(entries, heads, depth) twice, zero in the half that meets the other offset."""
    nothing = np.zeros_like(rel_row)
    first, second = (rel_row, rel_col) if options.first_half == "row" else (rel_col, rel_row)
    halves = [np.concatenate(pair, axis=-1) for pair in ((first, nothing), (nothing, second))]
    if options.relative == "layer_halves":
        wide = [half.reshape(len(half), heads, depth) for half in halves]
    elif options.relative == "per_head":
        wide = [half.swapaxes(0, 1) for half in halves]
    else:
        wide = [np.repeat(half[:, None], heads, axis=1) for half in halves]
    return (wide[0], wide[1]) if options.first_half == "row" else (wide[1], wide[0])


def embedding(rel_row: Array, rel_col: Array, shape: tuple[int, ...],
              options: AttentionOptions) -> Array:
    """(height, width, slots, heads, depth): r of every slot of every window."""
    height, width, heads, depth = shape
    row, col = wide_tables(rel_row, rel_col, heads, depth, options)
    first = options.extent - 1 if options.padding == "shift" else options.slots_before
    entries = []
    for size in (height, width):
        start = np.arange(size) - options.slots_before
        if options.padding == "shift":
            start = start.clip(0, size - options.extent)
        entries.append(start[:, None] - np.arange(size)[:, None] + first
                       + np.arange(options.extent))
    r = row[entries[0]][:, None, :, None] + col[entries[1]][None, :, None, :]
    return r.reshape(height, width, options.extent ** 2, heads, depth)


def sinusoid(height: int, width: int, depth: int, options: AttentionOptions) -> Array:
    """(1, height, width, 1, depth), by exp rather than a power."""
    half = depth // 2
    parts = []
    for size in (height, width):
        pair = np.arange(half) // 2
        angle = np.arange(size)[:, None] * np.exp(-np.log(10000.0) * 2 * pair / half)
        parts.append(np.where(np.arange(half) % 2 == 0, np.sin(angle), np.cos(angle)))
    row = np.broadcast_to(parts[0][:, None], (height, width, half))
    col = np.broadcast_to(parts[1][None], (height, width, half))
    both = (row, col) if options.first_half == "row" else (col, row)
    return np.concatenate(both, axis=-1)[None, :, :, None]


def slot_embedding(query: Array, given: dict[str, Any], options: AttentionOptions) -> Array | None:
    """What the position adds to every slot's key; None under position none."""
    if options.position == "relative":
        return embedding(given["rel_row"], given["rel_col"], query.shape[1:], options)
    if options.position == "absolute":
        _, height, width, _, depth = query.shape
        own = sinusoid(height, width, depth, options).astype(query.dtype)
        return gathered(np.repeat(own, query.shape[3], axis=3), options)[0]
    return None


def logits_of(query: Array, key: Array | None, r: Array | None, options: AttentionOptions,
              way: Way) -> Array:
    """(batch, height, width, slots, heads)."""
    number = query.dtype.type
    scale = number(options.scale)
    both = scale if options.scale_terms == "both" else number(1)
    q = query[:, :, :, None]
    if key is None:
        return way.dot(q, r) * both if r is not None else np.zeros(q.shape[:-1], query.dtype)
    if way.logits == "joined":
        return way.dot(q, key * scale if r is None else key * scale + r * both)
    if way.logits == "scaled query":
        content = way.dot(q * scale, key)
        return content if r is None else content + way.dot(q * both, r)
    content = way.dot(q, key) * scale
    return content if r is None else content + way.dot(q, r) * both


def relative_logits(given: dict[str, Any], options: AttentionOptions, way: Way) -> Array:
    """(batch, height, width, heads, rows, cols)."""
    query = given["query"]
    r = embedding(given["rel_row"], given["rel_col"], query.shape[1:], options)
    s = np.moveaxis(way.dot(query[:, :, :, None], r), -1, -2)
    return s.reshape(*query.shape[:4], options.extent, options.extent)


def local_attention(given: dict[str, Any], options: AttentionOptions, way: Way,
                    rounded: Any = lambda p: p) -> Array:
    """(batch, height, width, heads, depth).

    rounded  how probabilities are stored, where the mixture forms them
    """
    query, key = given["query"], given["key"] if options.content else None
    r = slot_embedding(query, given, options)
    keys = None if key is None else gathered(key, options)[0]
    values, inside = gathered(given["value"], options)
    s = logits_of(query, keys, r, options, way)
    if options.padding == "exclude":
        s = np.where(inside[..., None], s, -query.dtype.type(np.inf))
    s, v = np.moveaxis(s, 3, -1), np.moveaxis(values, 3, -1)
    if way.mixture is at_once:
        return way.dot(rounded(probabilities(s, way.dot, way.exp))[..., None, :], v)
    return way.mixture(s, v, way.dot, way.exp)


def attention_layer(given: dict[str, Any], options: AttentionOptions, way: Way,
                    rounded: Any = lambda p: p) -> Array:
    """(batch, height, width, channels)."""
    x = given["x"]
    projected = {name: project(x, given[f"w_{name}"], options, way)
                 for name in ("query", "key", "value") if f"w_{name}" in given}
    inner = {"key": None, **projected, "rel_row": given.get("rel_row"),
             "rel_col": given.get("rel_col")}
    y = local_attention(inner, options, way, rounded)
    return y.reshape(*x.shape[:3], y.shape[3] * y.shape[4])


def project(x: Array, w: Array, options: AttentionOptions, way: Way) -> Array:
    """(batch, height, width, heads, depth)."""
    if options.projection == "dense":
        y = way.product(x, w)
        return y.reshape(*x.shape[:3], options.heads, y.shape[-1] // options.heads)
    groups = np.split(x, options.heads, axis=-1)
    return np.stack([way.product(group, own) for group, own in zip(groups, w, strict=True)], -2)


def value_mixture(given: dict[str, Any], way: Way) -> Array:
    """(batch, height, width, channels_out)."""
    x, w = given["x"], given["w_value"]
    rows, cols = len(given["emb_row"]), len(given["emb_col"])
    together = given["emb_row"][:, None] + given["emb_col"]
    p = probabilities(way.product(together, given["nu"].T), way.dot, way.exp)
    place = p[np.arange(x.shape[1])[:, None] % rows, np.arange(x.shape[2]) % cols]
    if way.mixed == "outputs":
        each = np.stack([way.product(x, one) for one in w], axis=-1)
        return way.dot(place[None, :, :, None], each)
    matrices = way.dot(place[:, :, None, None], np.moveaxis(w, 0, -1))
    return way.dot(x[..., None, :], matrices.swapaxes(-1, -2))


def average_pool(given: dict[str, Any]) -> Array:
    """(batch, ceil(height / 2), ceil(width / 2), channels): rows first, then columns."""
    x = given["x"]
    for axis in (1, 2):
        first = np.take(x, range(0, x.shape[axis], 2), axis)
        second = np.take(x, range(1, x.shape[axis], 2), axis)
        last = np.take(first, range(second.shape[axis], first.shape[axis]), axis)
        paired = np.take(first, range(second.shape[axis]), axis)
        x = np.concatenate([(paired + second) * x.dtype.type(0.5), last], axis)
    return x
