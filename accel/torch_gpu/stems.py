"""Stems: from pixels to features a quarter the size. SPEC STEM-1 to STEM-7."""

from collections.abc import Mapping

import torch
from torch import Tensor

from sasakit.reference.contract.checks import check_stem
from sasakit.reference.contract.options import AttentionOptions, StemOptions

from .arrays import TORCH, widen
from .layers import batch_norm, block_max_pool, convolution, overlapping_max_pool
from .mixture import join_blocks, mix_blocks, split_blocks


def stem(images: Tensor, weights: Mapping[str, Tensor], *, options: StemOptions) -> Tensor:
    """(batch, ceil(height / 4), ceil(width / 4), width): one of the paper's four stems.

    images   (batch, height, width, channels_in), float16, bfloat16, float32 or float64
    weights  conv                  w_conv (7, 7, channels_in, width)
             plain                 w_query, w_key, w_value (channels_in, width)
             conv_value            the same, w_value (window, window, channels_in, width)
             mixture               the same, w_value (mixtures, channels_in, width), and emb_row,
                                   emb_col (window, embedding), nu (mixtures, embedding)
             and for every kind    norm_scale, norm_shift, norm_mean, norm_variance (width,)
    An attention stem divides the size by `options.window`, which is 4 by default.
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    check_stem(TORCH, images, weights, options)
    return run_stem(widen(images), weights, options).to(images.dtype)


def run_stem(images: Tensor, weights: Mapping[str, Tensor], options: StemOptions,
             momentum: float | None = None) -> Tensor:
    """What `stem` gives, unchecked, in the dtype of the images; momentum as for `batch_norm`."""
    if options.kind == "conv":
        # SPEC STEM-1
        y = convolution(images, weights["w_conv"], stride=2, before=3)
        return overlapping_max_pool(torch.relu(batch_norm(y, weights, momentum)))
    y = _block_attention(images, weights, options)
    # SPEC STEM-3: normalization, then the maximum of every block; no ReLU between.
    return block_max_pool(batch_norm(y, weights, momentum), options.window)


def _block_attention(images: Tensor, weights: Mapping[str, Tensor],
                     options: StemOptions) -> Tensor:
    """(batch, height, width, channels): every pixel attends to its own block's, SPEC STEM-2.

    Head by head, so that no head is ever moved apart from the others.
    """
    window = options.window
    blocks = split_blocks(images, window, window)
    absent = _absent(images, window)
    heads = zip(*(weights[name].to(images.dtype).chunk(options.heads, dim=-1)
                  for name in ("w_query", "w_key", "w_value")), strict=True)
    parts = []
    for w_query, w_key, w_value in heads:
        value = _values(images, blocks, dict(weights) | {"w_value": w_value}, options)
        logits = (blocks @ w_query) @ (blocks @ w_key).transpose(-2, -1)
        if absent is not None:
            # SPEC STEM-7: what fills up a block that the image cuts has no probability, and a
            # value of true zero, also where a matrix is not finite.
            logits = logits.masked_fill(absent, -torch.inf)
            value = value.masked_fill(absent.transpose(-2, -1), 0)
        parts.append(torch.softmax(logits, dim=-1) @ value)
    return join_blocks(torch.cat(parts, dim=-1), images, window)


def _absent(images: Tensor, window: int) -> Tensor | None:
    """(1, blocks, 1, pixels) whether a key only fills up its block; None where none does."""
    height, width = images.shape[1:3]
    if height % window == 0 and width % window == 0:
        return None
    ones = torch.ones(1, height, width, 1, device=images.device)
    return split_blocks(ones, window, window).transpose(-2, -1) == 0


def _values(images: Tensor, blocks: Tensor, weights: Mapping[str, Tensor],
            options: StemOptions) -> Tensor:
    """(batch, blocks, pixels, depth): one head's values."""
    w = weights["w_value"]
    if options.kind == "mixture":
        # SPEC STEM-6
        return mix_blocks(blocks, w, weights["emb_row"], weights["emb_col"], weights["nu"])
    if options.kind == "conv_value":
        # SPEC STEM-5: the convolution sees the whole image, with WIN-1 and WIN-2's alignment.
        before = AttentionOptions(extent=options.window).slots_before
        values = convolution(images, w, stride=1, before=before)
        return split_blocks(values, options.window, options.window)
    # SPEC STEM-4
    return blocks @ w
