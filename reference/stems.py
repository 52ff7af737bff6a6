"""Chapter 7, stems: from pixels to features a quarter the size. STEM-1 to STEM-7."""

from collections.abc import Mapping

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .attention import split_heads, window_softmax
from .contract.checks import check_stem
from .contract.options import AttentionOptions, StemOptions
from .layers import batch_norm, block_max_pool, convolution, overlapping_max_pool, relu
from .mixture import value_mixture


@SILENT
def stem(images: Floats, weights: Mapping[str, Floats], *, options: StemOptions) -> Floats:
    """(batch, ceil(height / 4), ceil(width / 4), width): one of the paper's four stems.

    images   (batch, height, width, channels_in)
    weights  conv                  w_conv (7, 7, channels_in, width)
             plain                 w_query, w_key, w_value (channels_in, width)
             conv_value            the same, w_value (window, window, channels_in, width)
             mixture               the same, w_value (mixtures, channels_in, width), and emb_row,
                                   emb_col (window, embedding), nu (mixtures, embedding)
             and for every kind    norm_scale, norm_shift, norm_mean, norm_variance (width,)
    An attention stem divides the size by `options.window`, which is 4 by default.
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    check_stem(NUMPY, images, weights, options)
    if options.kind == "conv":
        # SPEC STEM-1
        y = convolution(images, weights["w_conv"], stride=2, before=3)
        return overlapping_max_pool(relu(batch_norm(y, weights)))
    projected = (images @ weights["w_query"], images @ weights["w_key"],
                 stem_values(images, weights, options))
    query, key, value = (split_heads(x, options.heads) for x in projected)
    y = block_attention(query, key, value, options.window).reshape(projected[2].shape)
    # SPEC STEM-3: normalization, then the maximum of every block; no ReLU between.
    return block_max_pool(batch_norm(y, weights), options.window)


def stem_values(images: Floats, weights: Mapping[str, Floats], options: StemOptions) -> Floats:
    """(batch, height, width, channels_out): the values of an attention stem."""
    w = weights["w_value"]
    if options.kind == "mixture":
        # SPEC STEM-6
        return value_mixture(images, w, weights["emb_row"], weights["emb_col"], weights["nu"])
    if options.kind == "conv_value":
        # SPEC STEM-5: the convolution sees the whole image, with WIN-1 and WIN-2's alignment.
        window = AttentionOptions(extent=options.window)
        return convolution(images, w, stride=1, before=window.slots_before)
    # SPEC STEM-4
    return images @ w


def block_attention(query: Floats, key: Floats, value: Floats, window: int) -> Floats:
    """Attention of every pixel to the pixels of its own block, SPEC STEM-2.

    query, key, value  (batch, height, width, heads, depth); blocks at the end are cut (STEM-7)
    """
    out = np.empty_like(value)
    height, width = query.shape[1:3]
    for i in range(0, height, window):
        for j in range(0, width, window):
            block = np.s_[:, i:i + window, j:j + window]
            logits = np.einsum("bijnd,brcnd->bijnrc", query[block], key[block])
            out[block] = np.einsum("bijnrc,brcnd->bijnd", window_softmax(logits), value[block])
    return out
