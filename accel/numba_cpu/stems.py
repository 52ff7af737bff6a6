"""stem: chapter 7, the four stems; weights are packed apart from running them."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.checks import check_stem
from sasakit.reference.contract.options import AttentionOptions, StemOptions

from .arrays import NUMBA, Floats, empty, flat
from .block_attention import Blocks, block_attention
from .dense import convolve, dense, pixel_walk
from .max_pool import max_pool
from .mixture import apply_mixture, mixture_matrices
from .norm import fold_norm, folded
from .panels import Packed, pack_weights
from .plan import Array, Plan
from .stem_blocks import attend_blocks
from .stem_weights import HEADS, StemWeights, heads_last, pack_stem_lanes


class Stem(NamedTuple):
    """A stem's weights with its normalization folded in: the convolution, or queries and keys.

    packed    w_conv; or w_query, w_key and, for a plain stem, w_value side by side; or all of them
              for heads as lanes, where they can be
    values    w_value packed for conv_value; a matrix per position for mixture unless it is in
              `packed`; otherwise None
    """

    options: StemOptions
    packed: Packed | StemWeights
    values: Packed | Floats | None
    shift: Floats
    channels: int


def pack_stem(weights: Mapping[str, Floats], options: StemOptions) -> Stem:
    """Pack a stem's weights."""
    factor, shift = fold_norm(weights)
    channels = shift.size
    if options.kind == "conv":
        w = weights["w_conv"].reshape(-1, channels)
        return Stem(options, pack_weights([(w, 0, 0)], channels, shift, factor), None, shift,
                    channels)
    if options.heads in HEADS:
        return _pack_lanes(weights, options, factor, shift)
    matrices = [weights["w_query"], weights["w_key"]]
    w_value = weights["w_value"]
    values: Packed | Floats | None = None
    if options.kind == "plain":
        # Probabilities sum to one, so a factor may meet the values before they are mixed.
        matrices.append(folded(w_value, factor))
    elif options.kind == "conv_value":
        values = pack_weights([(w_value.reshape(-1, channels), 0, 0)], channels, factor=factor)
    else:
        values = folded(mixture_matrices(w_value, weights["emb_row"], weights["emb_col"],
                                         weights["nu"]), factor)
    packed = pack_weights([(w, 0, part * channels) for part, w in enumerate(matrices)],
                          len(matrices) * channels)
    return Stem(options, packed, values, shift, channels)


def _pack_lanes(weights: Mapping[str, Floats], options: StemOptions, factor: Floats,
                shift: Floats) -> Stem:
    heads, window, w_value = options.heads, options.window, weights["w_value"]
    values, matrices = None, None
    if options.kind == "conv_value":
        by_place = heads_last(folded(w_value, factor), heads)
        channels = math.prod(by_place.shape[-2:])
        values = pack_weights([(by_place.reshape(-1, channels), 0, 0)], channels)
    else:
        w = mixture_matrices(w_value, weights["emb_row"], weights["emb_col"], weights["nu"]) \
            if options.kind == "mixture" else np.broadcast_to(w_value, (window, window,
                                                                        *w_value.shape))
        # Probabilities sum to one, so a factor may meet the values before they are mixed.
        matrices = folded(w, factor)
    packed = pack_stem_lanes(weights["w_query"], weights["w_key"], matrices, shift, heads, window)
    return Stem(options, packed, values, shift, shift.size)


def run_stem(plan: Plan, out: Array, images: Array, shape: tuple[int, ...], stem: Stem) -> None:
    """Write (batch, rows, cols, channels) of images of shape (batch, height, width, channels)."""
    if isinstance(stem.packed, StemWeights):
        values = _convolved(plan, images, shape, stem)
        attend_blocks(plan, out, images, shape, stem.packed,
                      stem.shift[:0] if values is None else values)
        if values is not None:
            plan.release(values)
        return
    if stem.options.kind == "conv":
        batch, height, width, _ = shape
        rows, cols = -(-height // 2), -(-width // 2)
        y = plan.buffer(batch * rows * cols * stem.channels, out.dtype)
        convolve(plan, y, images, shape, stem.packed, 7, stride=2, before=3, relu=True)
        max_pool(plan, out, y, (batch, rows, cols, stem.channels), window=3, stride=2, before=1)
        plan.release(y)
        return
    _run_blocks(plan, out, images, shape, stem, stem.packed)


def _convolved(plan: Plan, images: Array, shape: tuple[int, ...], stem: Stem) -> Floats | None:
    """Values of every pixel where a convolution gives them."""
    if not isinstance(stem.values, Packed):
        return None
    window = stem.options.window
    values = plan.buffer(math.prod(shape[:3]) * stem.values.channels, images.dtype)
    convolve(plan, values, images, shape, stem.values, window, stride=1,
             before=AttentionOptions(extent=window).slots_before)
    return values


def _run_blocks(plan: Plan, out: Array, images: Array, shape: tuple[int, ...], stem: Stem,
                packed: Packed) -> None:
    """Write an attention stem's output step by step, for any number of heads."""
    window, heads, channels = stem.options.window, stem.options.heads, stem.channels
    stride, pixels = packed.channels, math.prod(shape[:3])
    x = plan.buffer(pixels * stride, out.dtype)
    dense(plan, x, images, packed, pixel_walk(shape, stride))
    values = _convolved(plan, images, shape, stem)
    if isinstance(stem.values, np.ndarray):
        values = plan.buffer(pixels * channels, out.dtype)
        apply_mixture(plan, values, images, shape, stem.values)
    mixed, start, by_pixel = (x, 2 * channels, stride) if values is None else (values, 0, channels)
    batch, height, width, _ = shape
    blocks = Blocks(batch, height, width, heads, channels // heads, window, 0, channels, stride,
                    start, by_pixel)
    y = plan.buffer(pixels * channels, out.dtype)
    block_attention(plan, y, x, mixed, stem.shift, blocks)
    max_pool(plan, out, y, (*shape[:3], channels), window=window, stride=window, before=0)
    for buffer in (x, y) if values is None else (x, y, values):
        plan.release(buffer)


def stem_shape(shape: tuple[int, ...], stem: Stem) -> tuple[int, ...]:
    """Shape of a stem's output for images of a shape."""
    # A convolution's stride is 2, and then the pool's.
    across = stem.options.window if stem.options.kind != "conv" else 4
    return (shape[0], -(-shape[1] // across), -(-shape[2] // across), stem.channels)


def stem(images: Floats, weights: Mapping[str, Floats], *, options: StemOptions) -> Floats:
    """(batch, ceil(height / 4), ceil(width / 4), width): one of the paper's four stems.

    images   (batch, height, width, channels_in), float32 or float64
    weights  conv                  w_conv (7, 7, channels_in, width)
             plain                 w_query, w_key, w_value (channels_in, width)
             conv_value            the same, w_value (window, window, channels_in, width)
             mixture               the same, w_value (mixtures, channels_in, width), and emb_row,
                                   emb_col (window, embedding), nu (mixtures, embedding)
             and for every kind    norm_scale, norm_shift, norm_mean, norm_variance (width,)
    An attention stem divides the size by `options.window`, which is 4 by default.
    Raises ValueError for shapes and names, TypeError for dtypes. SPEC STEM-1 to STEM-7.
    """
    check_stem(NUMBA, images, weights, options)
    packed, plan = pack_stem(weights, options), Plan()
    out = empty(stem_shape(images.shape, packed), images)
    run_stem(plan, out.reshape(-1), flat(images), images.shape, packed)
    plan.run()
    return out
