"""An attention stem under any reading of it, for whole images at once, in float64.

Shapes: images (batch, height, width, channels); windows (batch, height, width, rows, cols, depth).
As in variant.py, this is no definition; a test holds it to the reference where they meet.
"""

from dataclasses import dataclass, field

import numpy as np

from sasakit.reference.layers import batch_norm, convolution, relu
from sasakit.reference.mixture import mixture_weights

from ..estimate import Array
from .instance import Sizes
from .network_pools import pooled
from .stem_choices import SCALES, StemChoices
from .variant import head_groups


@dataclass
class StemWeights:
    """A stem's weights by role; rows are output channels.

    query, key    (channels_out, channels_in)
    value         (mixtures, channels_out, channels_in), one mixture where values are plain;
                  (window, window, channels_in, channels_out) where a convolution gives them
    biases        by role, (channels_out,), those of the values (mixtures, channels_out)
    row, col, nu  (entries, embedding) twice and (mixtures, embedding); None without a mixture
    norm          norm_scale, norm_shift, norm_mean, norm_variance, (channels_out,); empty
                  without a normalization
    tables        of a relative term, for rows and columns, (entries, channels)
    """

    query: Array
    key: Array
    value: Array
    biases: dict[str, Array] = field(default_factory=dict)
    row: Array | None = None
    col: Array | None = None
    nu: Array | None = None
    norm: dict[str, Array] = field(default_factory=dict)
    tables: tuple[Array, Array] | None = None


# A reading that is not the module's may well overflow; then it is not finite and does not match.
@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def variant_stem(x: Array, weights: StemWeights, sizes: Sizes, choices: StemChoices) -> Array:
    """(batch, rows, cols, channels): the stem of these weights under this reading."""
    window = choices.sizes_at(sizes).extent
    if choices.cut == "padded":
        rows, cols = (-size % window for size in x.shape[1:3])
        x = np.pad(x, ((0, 0), (0, rows), (0, cols), (0, 0)))
    y = variant_attention(x, weights, sizes, choices)
    return finished(y, weights, window, choices)


def variant_attention(x: Array, weights: StemWeights, sizes: Sizes,
                      choices: StemChoices) -> Array:
    """(batch, height, width, channels_out): the stem's attention alone."""
    sizes = choices.sizes_at(sizes)
    window = sizes.extent
    query = x @ weights.query.T + weights.biases.get("query", 0.0)
    key = x @ weights.key.T + weights.biases.get("key", 0.0)
    seen = tuple(slots(size, window, choices) for size in x.shape[1:3])
    inside = seen[0][1][:, None, :, None] & seen[1][1][None, :, None, :]
    groups = head_groups(query.shape[-1], sizes.heads, choices.form)
    meets = np.array([[channel in set(members.tolist()) for channel in range(query.shape[-1])]
                      for members in groups], float)
    outside = weights.biases.get("key") if choices.pad_input else None
    keys = gathered(key, seen, inside, outside)
    logits = SCALES[choices.scale](sizes) * ((query[:, :, :, None, None] * keys) @ meets.T)
    if weights.tables is not None:
        joined = relative_embedding(weights.tables, query.shape[-1], seen, window, choices)
        logits = logits + (query[:, :, :, None, None] * joined) @ meets.T
    if choices.outside == "none":
        logits = np.where(inside[..., None], logits, -np.inf)
    p = np.exp(logits - logits.max(axis=(3, 4), keepdims=True))
    p = p / p.sum(axis=(3, 4), keepdims=True)
    value = seen_values(x, weights, seen, inside, window, choices)
    return np.einsum("bijrcg,gd,bijrcd->bijd", p, meets, value, optimize=True)


def slots(size: int, window: int, choices: StemChoices) -> tuple[Array, Array]:
    """Positions (size, slots) that each query sees along one axis, and which are inside."""
    at = np.arange(size)[:, None]
    if choices.scope == "blocks":
        positions = at // window * window + np.arange(window)
    elif choices.scope == "sliding":
        positions = at - before_of(window, choices) + np.arange(window)
    else:
        positions = np.broadcast_to(np.arange(size), (size, size))
    inside = (positions >= 0) & (positions < size)
    return np.clip(positions, 0, size - 1), inside


def before_of(window: int, choices: StemChoices) -> int:
    """Slots of a window before its pixel."""
    return (window - 1) // 2 if choices.late else window // 2


def gathered(image: Array, seen: tuple[tuple[Array, Array], ...], inside: Array,
             outside: Array | None = None) -> Array:
    """What every query sees of an image; outside of it zeros, or what is given."""
    found = image[:, seen[0][0]][:, :, :, seen[1][0]].swapaxes(2, 3)
    if not inside.all():
        found = found.copy()
        found[:, ~inside] = 0.0 if outside is None else outside
    return found


def seen_values(x: Array, weights: StemWeights, seen: tuple[tuple[Array, Array], ...],
                inside: Array, window: int, choices: StemChoices) -> Array:
    """(batch, height, width, rows, cols, channels): the values that every query sees."""
    bias = weights.biases.get("value")
    if choices.values == "convolution":
        value = convolved(x, weights.value, window, choices) + (0.0 if bias is None else bias[0])
        return gathered(value, seen, inside)
    parts = x @ weights.value.swapaxes(1, 2)[:, None, None]
    parts = parts if bias is None else parts + bias[:, None, None, None]
    around = bias if choices.pad_input and bias is not None else np.zeros((len(parts), 1))
    if choices.values == "plain":
        return gathered(parts[0], seen, inside, around[0])
    p = mixture(weights, choices)
    if choices.place == "sliding":
        return sum(p[..., m, None] * gathered(parts[m], seen, inside, around[m])
                   for m in range(len(parts)))
    rows, cols = (np.arange(size) if choices.place == "image" else np.arange(size) % window
                  for size in x.shape[1:3])
    value = np.einsum("ijm,mbijd->bijd", p[rows][:, cols], parts)
    return gathered(value, seen, inside)


def convolved(x: Array, kernel: Array, window: int, choices: StemChoices) -> Array:
    """The values of a convolution of the image, or of each block alone."""
    kernel = kernel[::-1, ::-1] if choices.flipped else kernel
    before = before_of(len(kernel), choices)
    if choices.convolved == "image":
        return convolution(x, kernel, stride=1, before=before)
    value = np.empty((*x.shape[:3], kernel.shape[3]))
    for i in range(0, x.shape[1], window):
        for j in range(0, x.shape[2], window):
            block = np.s_[:, i:i + window, j:j + window]
            value[block] = convolution(x[block], kernel, stride=1, before=before)
    return value


def mixture(weights: StemWeights, choices: StemChoices) -> Array:
    """(rows, cols, mixtures): the weights of the value matrices at every place."""
    if weights.row is None or weights.col is None or weights.nu is None:
        raise ValueError("`row`, `col` and `nu` must be given for a mixture; got none.")
    row = np.zeros_like(weights.row) if choices.tables == "columns" else weights.row
    col = np.zeros_like(weights.col) if choices.tables == "rows" else weights.col
    row, col = (col, col) if choices.tables == "tied" else (row, col)
    if choices.normalized == "softmax":
        return mixture_weights(row, col, weights.nu)
    logits = (row[:, None] + col) @ weights.nu.T
    if choices.normalized == "raw":
        return logits
    if choices.normalized == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    if choices.normalized == "exp":
        return np.exp(logits)
    p = np.exp(logits - logits.max(axis=(0, 1)))
    return p / p.sum(axis=(0, 1))


def relative_embedding(tables: tuple[Array, Array], channels: int,
                       seen: tuple[tuple[Array, Array], ...], window: int,
                       choices: StemChoices) -> Array:
    """(height, width, rows, cols, channels): r of every slot, by offset or by slot."""
    halves = []
    for table, (positions, _) in zip(tables, seen, strict=True):
        if choices.relative == "by offset":
            at = np.clip(positions - np.arange(len(positions))[:, None] + window - 1,
                         0, len(table) - 1)
        else:
            at = np.broadcast_to(np.arange(positions.shape[1]) % len(table), positions.shape)
        halves.append(table[at])
    row, col = halves[0][:, None, :, None], halves[1][None, :, None, :]
    shape = (*np.broadcast_shapes(row.shape[:4], col.shape[:4]), -1)
    joined = np.concatenate([np.broadcast_to(row, (*shape[:4], row.shape[-1])),
                             np.broadcast_to(col, (*shape[:4], col.shape[-1]))], -1)
    return np.tile(joined, channels // joined.shape[-1])


def finished(y: Array, weights: StemWeights, window: int, choices: StemChoices) -> Array:
    """Normalization, ReLU and pool in the order of this reading."""
    for step in choices.finish:
        if step == "norm":
            y = batch_norm(y, weights.norm)
        elif step == "relu":
            y = relu(y)
        else:
            y = pooled(y, window, step, floor=choices.cut == "floor")
    return y
