"""The value mixture under any reading, and the deviations that it is known to show."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...estimate import Array
from .acting import say
from .twist import Twist


@dataclass(frozen=True)
class MixtureReading:
    """One reading; the first value of each field is canonical.

    over      what the weights are normalized over: mixtures, positions, positions_shifted (by each
              position's own maximum first), nothing, nothing_shifted, equal (all weights alike)
    axes      whose embeddings count: both, row, column
    place     where a pixel stands: window, image (its last entry from there on), transposed
    first     whether the first matrix stands for all
    """

    over: str = "mixtures"
    axes: str = "both"
    place: str = "window"
    first: bool = False


def mixture_variant(x: Array, w_value: Array, emb_row: Array, emb_col: Array, nu: Array,
                    reading: MixtureReading) -> Array:
    """(batch, height, width, channels_out), shapes as for `reference.value_mixture`."""
    rows, cols = len(emb_row), len(emb_col)
    row = emb_row if reading.axes != "column" else 0 * emb_row
    col = emb_col if reading.axes != "row" else 0 * emb_col
    p = _weights((row[:, None] + col) @ nu.T, reading.over)
    if reading.first:
        p = np.zeros_like(p)
        p[..., 0] = 1.0
    i, j = np.arange(x.shape[1])[:, None], np.arange(x.shape[2])[None, :]
    if reading.place == "image":
        a, b = np.minimum(i, rows - 1), np.minimum(j, cols - 1)
    elif reading.place == "transposed":
        a, b = j % rows, i % cols
    else:
        a, b = i % rows, j % cols
    weights = p[np.broadcast_to(a, x.shape[1:3]), np.broadcast_to(b, x.shape[1:3])]
    return np.einsum("hwm,bhwi,mio->bhwo", weights, x, w_value, optimize=True)


def _weights(logits: Array, over: str) -> Array:
    """(rows, cols, mixtures)."""
    if over == "equal":
        return np.full(logits.shape, 1 / logits.shape[-1])
    shift = logits.max(axis=-1, keepdims=True) if over in ("mixtures", "positions_shifted",
                                                           "nothing_shifted") else 0.0
    weights = np.exp(logits - shift)
    if over.startswith("nothing"):
        return weights
    axes = (-1,) if over == "mixtures" else (0, 1)
    return weights / weights.sum(axis=axes, keepdims=True)


def mixture_twists() -> Iterator[Twist]:
    """Every known deviation of the value mixture."""
    yield say("mixture-over-positions", "MIX-1", "the softmax runs over the positions of the "
              "pooling window, not over the mixtures", over="positions")
    yield say("mixture-over-positions", "MIX-1", "exponentials, of which each position's maximum "
              "is taken away first, are normalized over the positions", over="positions_shifted")
    yield say("mixture-unnormalized", "MIX-1", "the weights are exponentials, not normalized",
              over="nothing")
    yield say("mixture-unnormalized", "MIX-1", "the weights are exponentials, the largest 1, not "
              "normalized", over="nothing_shifted")
    yield say("mixture-rows-only", "MIX-1", "the column embedding never matters", axes="row")
    yield say("mixture-columns-only", "MIX-1", "the row embedding never matters", axes="column")
    yield say("position-in-image", "MIX-2", "the position is taken in the image; beyond the "
              "pooling window its last entry stands", place="image")
    yield say("position-transposed", "MIX-2", "rows and columns of the position are exchanged",
              place="transposed")
    yield say("mixture-first-only", "MIX-3", "the first matrix alone makes the values", first=True)
