"""The layer under any reading of it, for whole images at once, in float64.

Shapes: x (batch, height, width, channels); projected arrays (batch, height, width, channels_out);
windows (batch, height, width, rows, cols, channels_out). Small images only: every window is
gathered. This is no definition; the reference is, and a test holds this to it where they meet.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ..estimate import Array
from .choices import Choices
from .network_pools import averaged


@dataclass
class LayerWeights:
    """A layer's weights by role; rows are output channels.

    query, key, value    (channels_out, channels_in), or (.., rows, cols) where a projection sees
                         more than one pixel; key None without content
    biases               by role, (channels_out,)
    row, col             tables, (entries, channels), or (heads, entries, channels)
    grid                 (entries, entries, channels), instead of row and col; (.., heads) as a bias
    out, out_bias        (channels, channels_out) after everything; None where there is none
    """

    query: Array
    key: Array | None
    value: Array
    biases: dict[str, Array] = field(default_factory=dict)
    row: Array | None = None
    col: Array | None = None
    grid: Array | None = None
    out: Array | None = None
    out_bias: Array | None = None


def window_of(size: int, extent: int, before: int | None, choices: Choices) -> tuple[Array, Array]:
    """Positions (size, extent) that each query sees along one axis, and those inside the image.

    Positions outside are moved to where the padding takes its pixel from.
    """
    return _window_of(size, extent, extent // 2 if before is None else before, choices.padding,
                      choices.dilation)


@lru_cache(maxsize=256)
def _window_of(size: int, extent: int, before: int, padding: str,
               dilation: int) -> tuple[Array, Array]:
    start = np.arange(size) - before * dilation
    if padding == "shift":
        start = np.clip(start, 0, size - extent)
    at = start[:, None] + np.arange(extent) * dilation
    inside = (at >= 0) & (at < size)
    if padding == "wrap":
        return at % size, np.ones_like(inside)
    if padding == "reflect":
        mirrored = np.abs(at)
        mirrored = np.where(mirrored >= size, 2 * (size - 1) - mirrored, mirrored)
        return np.clip(mirrored, 0, size - 1), np.ones_like(inside)
    if padding == "edge":
        return np.clip(at, 0, size - 1), np.ones_like(inside)
    return np.clip(at, 0, size - 1), inside


# Rows and columns of the pixels whose queries are computed.
Pixels = tuple[Array, Array]


def windows(image: Array, extent: int, choices: Choices, outside: Array | None = None,
            pixels: Pixels | None = None) -> tuple[Array, Array, tuple[Array, Array]]:
    """Every query's window of an image, which slots are inside, and the offsets of the slots.

    outside  (channels,) what stands at a slot outside; zero when None
    pixels   rows and columns of the queries; all when None
    """
    height, width = image.shape[1:3]
    at_rows, at_cols = pixels or (np.arange(height), np.arange(width))
    rows, rows_in = (each[at_rows] for each in window_of(height, extent, choices.before_row,
                                                         choices))
    cols, cols_in = (each[at_cols] for each in window_of(width, extent, choices.before_col,
                                                         choices))
    seen = image[:, rows[:, None, :, None], cols[None, :, None, :]]
    inside = rows_in[:, None, :, None] & cols_in[None, :, None, :]
    if not inside.all():
        seen[:, ~inside] = 0.0 if outside is None else outside
    return seen, inside, (rows - at_rows[:, None], cols - at_cols[:, None])


# A reading that is not the module's may well overflow; then it is not finite and does not match.
@np.errstate(invalid="ignore", over="ignore")
def variant_layer(x: Array, weights: LayerWeights, heads: int, extent: int, choices: Choices,
                  pixels: Pixels | None = None) -> Array:
    """(batch, rows, cols, channels): the layer of these weights under this reading.

    pixels  rows and columns of the queries whose outputs are computed, whatever the stride; all
            that the stride leaves when None
    """
    if pixels is None:
        pixels = (np.arange(0, x.shape[1], choices.stride),
                  np.arange(0, x.shape[2], choices.stride))
    query, value = (project(x, weights, role) for role in ("query", "value"))
    key = None if weights.key is None or not choices.content else project(x, weights, "key")
    if choices.swapped and key is not None:
        query, key = key, query
    outside = {role: weights.biases.get(role) if choices.pad_input else None
               for role in ("query", "key", "value")}
    y = variant_core(query, key, value, weights, heads, extent, choices, outside, pixels)
    if weights.out is not None:
        y = y @ weights.out.T
    if weights.out_bias is not None:
        y = y + weights.out_bias
    return averaged(y, choices.pool)


def project(x: Array, weights: LayerWeights, role: str) -> Array:
    """(batch, height, width, channels_out): a projection, zeros around it where it sees more."""
    w = getattr(weights, role)
    y = x @ w.T if w.ndim == 2 else _convolved(x, w)
    bias = weights.biases.get(role)
    return y if bias is None else y + bias


def _convolved(x: Array, w: Array) -> Array:
    """A convolution by (channels_out, channels_in, rows, cols) that keeps the image's size."""
    rows, cols = w.shape[2:]
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (rows // 2, rows // 2), (cols // 2, cols // 2), (0, 0)))
    return np.sum([padded[:, a:a + height, b:b + width] @ w[:, :, a, b].T
                   for a in range(rows) for b in range(cols)], axis=0)


def variant_core(query: Array, key: Array | None, value: Array, weights: LayerWeights, heads: int,
                 extent: int, choices: Choices, outside: dict[str, Array | None],
                 pixels: Pixels | None = None) -> Array:
    """(batch, height, width, channels): attention without projections, at all pixels when None."""
    channels = query.shape[-1]
    groups = head_groups(channels, heads, choices.heads)
    v, inside, offsets = windows(value, extent, choices, outside.get("value"), pixels)
    if pixels is not None:
        query = query[:, pixels[0]][:, :, pixels[1]]
    r = embedding(weights, heads, extent, channels, choices, offsets)
    logits = np.zeros((*v.shape[:5], len(groups)))
    meets = per_group(query, groups)
    if key is not None:
        k = windows(key, extent, choices, outside.get("key"), pixels)[0]
        logits = logits + choices.content_scale * group_sums(query[:, :, :, None, None] * k, meets)
    if r is not None and choices.arrangement == "slot_bias":
        logits = logits + per_head_map(r, heads, groups)
    elif r is not None and choices.term in ("logit", "both"):
        joined = query[:, :, :, None, None] * r
        if choices.inside_only:
            joined = joined * inside[..., None]
        logits = logits + choices.relative_scale * group_sums(joined, meets)
    if choices.padding == "exclude":
        logits = np.where(inside[..., None], logits, -np.inf)
    if r is not None and choices.term in ("value", "both"):
        v = v + r
    p = normalize(logits, choices.softmax)
    return reordered(((p @ meets) * v).sum(axis=(3, 4)), heads, choices.order)


def head_groups(channels: int, heads: int, form: str) -> list[Array]:
    """Channels of every group that shares one map."""
    every = np.arange(channels)
    if form == "channel":
        return [every[n:n + 1] for n in range(channels)]
    if form == "one":
        return [every]
    if form == "interleaved":
        return [every[n::heads] for n in range(heads)]
    return list(every.reshape(heads, -1))


def per_group(query: Array, groups: list[Array]) -> Array:
    """(groups, channels): one where the channel belongs to the group."""
    meets = np.zeros((len(groups), query.shape[-1]))
    for number, members in enumerate(groups):
        meets[number, members] = 1.0
    return meets


def group_sums(products: Array, meets: Array) -> Array:
    """Sums over each group's channels."""
    return products @ meets.T


def per_head_map(bias: Array, heads: int, groups: list[Array]) -> Array:
    """A (height, width, rows, cols, heads) bias for every group; groups that are no heads share."""
    if bias.shape[-1] == len(groups):
        return bias
    return np.repeat(bias, max(len(groups) // bias.shape[-1], 1), axis=-1)[..., :len(groups)]


def normalize(logits: Array, softmax: str) -> Array:
    """Probabilities of (batch, height, width, rows, cols, groups)."""
    if softmax == "none":
        return logits
    axes = {"window": (3, 4), "row": (4,), "column": (3,), "heads": (5,)}[softmax]
    top = logits.max(axis=axes, keepdims=True)
    weights = np.exp(logits - np.where(np.isfinite(top), top, 0.0))
    return weights / np.maximum(weights.sum(axis=axes, keepdims=True), 1e-300)


def reordered(y: Array, heads: int, order: str) -> Array:
    """Output channels from value channels."""
    if order == "contiguous":
        return y
    shape = (*y.shape[:-1], heads, -1) if order == "interleaved" else (*y.shape[:-1], -1, heads)
    return y.reshape(shape).swapaxes(-1, -2).reshape(y.shape)


def embedding(weights: LayerWeights, heads: int, extent: int, channels: int, choices: Choices,
              offsets: tuple[Array, Array]) -> Array | None:
    """(height, width, rows, cols, channels): r of every slot of every window."""
    if choices.arrangement == "none":
        return None
    tables = weights.grid if weights.grid is not None else weights.row
    if tables is None:
        raise ValueError(f"`arrangement` must be none without tables; got {choices.arrangement}.")
    entries = tables.shape[0 if weights.grid is not None or tables.ndim == 2 else 1]
    slots = tuple(_entries(offset, extent, entries, direction, before, choices)
                  for offset, direction, before in zip(
                      offsets, (choices.row, choices.column),
                      (choices.before_row, choices.before_col), strict=True))
    if weights.grid is not None:
        return weights.grid[slots[0][:, None, :, None], slots[1][None, :, None, :]]
    row, col = _wide_tables(weights, heads, channels, choices)
    return row[slots[0]][:, None, :, None] + col[slots[1]][None, :, None, :]


def _entries(offset: Array, extent: int, entries: int, direction: str, before: int | None,
             choices: Choices) -> Array:
    """(size, extent): the table's entry of every slot."""
    if entries == extent:
        slots = np.broadcast_to(np.arange(extent), offset.shape)
    else:
        # True offsets; as clipped positions outside still carry theirs, recompute from the slots.
        slots = offset + (entries - 1) // 2
        if choices.padding != "shift":
            own = extent // 2 if before is None else before
            slots = np.broadcast_to(np.arange(extent) - own + (entries - 1) // 2, offset.shape)
    return entries - 1 - slots if direction == "descending" else slots


def _wide_tables(weights: LayerWeights, heads: int, channels: int,
                 choices: Choices) -> tuple[Array, Array]:
    """(entries, channels) of rows and of columns, zero where the other half stands."""
    row, col, depth = weights.row, weights.col, channels // heads
    if row is None or col is None:
        raise ValueError("`row` must be given with its column table; got none.")
    if choices.arrangement in ("full_sum", "full_sum_layer"):
        if choices.arrangement == "full_sum":
            return np.tile(row, (1, heads)), np.tile(col, (1, heads))
        return row, col
    if choices.arrangement == "layer_halves":
        return _joined(row, col, choices.first_half)
    if row.ndim == 2:
        wide = _joined(row, col, choices.first_half)
        return np.tile(wide[0], (1, heads)), np.tile(wide[1], (1, heads))
    first, second = (table.swapaxes(0, 1).reshape(table.shape[1], heads * depth)
                     for table in _joined(row, col, choices.first_half))
    return first, second


def _joined(row: Array, col: Array, first_half: str) -> tuple[Array, Array]:
    nothing = np.zeros_like(row)
    if first_half == "row":
        return np.concatenate([row, nothing], -1), np.concatenate([nothing, col], -1)
    return np.concatenate([nothing, row], -1), np.concatenate([col, nothing], -1)
