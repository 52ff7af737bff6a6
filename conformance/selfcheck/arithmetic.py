"""Sums, exponentials and mixtures in ways that are all sound and do not give the same bits."""

from collections.abc import Callable

import numpy as np

from ..estimate import Array

Dot = Callable[[Array, Array], Array]
Exponential = Callable[[Array], Array]
Mixture = Callable[[Array, Array, "Dot", "Exponential"], Array]

LOG2_E = 1.4426950408889634
# exp(60) and its sums are far from the largest float32.
SAFE = 60.0


def forwards(a: Array, b: Array) -> Array:
    """Sum of a b over the last axis, from the first to the last."""
    products = np.moveaxis(a * b, -1, 0)
    total = np.zeros_like(products[0])
    for product in products:
        total = total + product
    return total


def backwards(a: Array, b: Array) -> Array:
    """The same from the last to the first."""
    return forwards(a[..., ::-1], b[..., ::-1])


def pairwise(a: Array, b: Array) -> Array:
    """The same in halves, whose sums are added."""
    products = a * b
    while products.shape[-1] > 1:
        half = products.shape[-1] // 2
        sums = products[..., :half] + products[..., half:2 * half]
        products = np.concatenate([sums, products[..., 2 * half:]], axis=-1)
    return products[..., 0]


def compensated(a: Array, b: Array) -> Array:
    """The same with what every addition loses carried along (Kahan)."""
    products = np.moveaxis(a * b, -1, 0)
    total, lost = np.zeros_like(products[0]), np.zeros_like(products[0])
    for product in products:
        corrected = product - lost
        grown = total + corrected
        lost = (grown - total) - corrected
        total = grown
    # An infinity makes what is lost a NaN; it is the sum itself that must stay infinite.
    return np.where(np.isfinite(total), total, forwards(a, b))


def fused(a: Array, b: Array) -> Array:
    """The same with each product and addition rounded once, as float32 hardware does."""
    total = np.zeros(np.broadcast_shapes(a.shape, b.shape)[:-1], a.dtype)
    for at in range(a.shape[-1]):
        exact = a[..., at].astype(np.float64) * b[..., at].astype(np.float64)
        total = (exact + total.astype(np.float64)).astype(a.dtype)
    return total


def library(a: Array, b: Array) -> Array:
    """The same as NumPy's einsum orders it."""
    return np.einsum("...i,...i->...", a, b)


def powers_of_two(x: Array) -> Array:
    """exp(x) as 2^(x log2 e)."""
    return np.exp2(x * x.dtype.type(LOG2_E))


def natural(x: Array) -> Array:
    """exp(x)."""
    return np.exp(x)


def at_once(s: Array, v: Array, dot: Dot, exp: Exponential) -> Array:
    """(..., depth): probabilities p of logits s (..., slots), then the sum of p v.

    v  (..., depth, slots)
    Every mixture has this form.
    """
    return dot(probabilities(s, dot, exp)[..., None, :], v)


def probabilities(s: Array, dot: Dot, exp: Exponential) -> Array:
    """(..., slots): the softmax."""
    weights = exp(s - s.max(axis=-1, keepdims=True))
    return weights / dot(weights, np.ones_like(weights))[..., None]


def divided_last(s: Array, v: Array, dot: Dot, exp: Exponential) -> Array:
    """Weights are mixed first, and their sum divides the result."""
    weights = exp(s - s.max(axis=-1, keepdims=True))
    return dot(weights[..., None, :], v) / dot(weights, np.ones_like(weights))[..., None]


def unshifted(s: Array, v: Array, dot: Dot, exp: Exponential) -> Array:
    """Without the maximum, wherever no exponential can overflow or all vanish."""
    top = s.max(axis=-1, keepdims=True)
    weights = exp(s - np.where(np.abs(top) <= SAFE, s.dtype.type(0), top))
    return dot(weights[..., None, :], v) / dot(weights, np.ones_like(weights))[..., None]


def streamed(s: Array, v: Array, dot: Dot, exp: Exponential) -> Array:
    """One slot after the other, all before it rescaled whenever a larger logit comes."""
    top = np.full(s.shape[:-1], -np.inf, s.dtype)
    total, out = np.zeros_like(top), np.zeros(v.shape[:-1], v.dtype)
    for slot in range(s.shape[-1]):
        higher = np.maximum(top, s[..., slot])
        # Before the first slot that takes part there is nothing to rescale.
        shift = np.where(higher == -np.inf, s.dtype.type(0), higher)
        shrink, weight = exp(top - shift), exp(s[..., slot] - shift)
        total = total * shrink + weight
        out = out * shrink[..., None] + weight[..., None] * v[..., slot]
        top = higher
    return out / total[..., None]


def in_tiles(s: Array, v: Array, dot: Dot, exp: Exponential) -> Array:
    """Tiles of three slots, each with its own maximum, joined at the end."""
    cuts = list(range(0, s.shape[-1], 3))
    tops = [s[..., cut:cut + 3].max(axis=-1) for cut in cuts]
    top = np.max(np.stack(tops), axis=0)
    total, out = np.zeros_like(top), np.zeros(v.shape[:-1], v.dtype)
    for cut, own in zip(cuts, tops, strict=True):
        shift = np.where(own == -np.inf, s.dtype.type(0), own)
        weights = exp(s[..., cut:cut + 3] - shift[..., None])
        share = exp(np.where(own == -np.inf, own, shift - top))
        total = total + share * dot(weights, np.ones_like(weights))
        out = out + share[..., None] * dot(weights[..., None, :], v[..., cut:cut + 3])
    return out / total[..., None]
