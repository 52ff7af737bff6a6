"""All pairs of pixels at once: which see each other, and at which offset."""

import numpy as np


def axis_pairs(size, options):
    """Positions of a canvas along one axis, and for every query which it sees and at what entry.

    Returns positions (canvas,), sees (size, canvas) and entry (size, canvas), where entry indexes
    a relative table and is meaningless where sees is False.
    """
    extent = options.extent
    margin = 0 if options.padding == "shift" else extent
    positions = np.arange(-margin, size + margin)
    offset = positions[None, :] - np.arange(size)[:, None]
    if options.padding == "shift":
        entry = offset + extent - 1
        low = np.minimum(np.maximum(np.arange(size) - _before(options), 0), size - extent)
        sees = (positions >= low[:, None]) & (positions < low[:, None] + extent)
    else:
        entry = offset + _before(options)
        sees = (entry >= 0) & (entry < extent)
    return positions, sees, entry


def _before(options):
    if options.extent % 2:
        return options.extent // 2
    return options.extent // 2 - (options.even_window == "after")


def on_canvas(image, rows, cols):
    """(batch, rows, cols, ...): the image laid on a canvas of zeros at those positions."""
    canvas = np.zeros((image.shape[0], len(rows), len(cols), *image.shape[3:]), image.dtype)
    top, left = int(-rows[0]), int(-cols[0])
    canvas[:, top:top + image.shape[1], left:left + image.shape[2]] = image
    return canvas


def masked_softmax(logits, mask):
    """Softmax over the last two axes where mask holds; zero elsewhere."""
    top = np.where(mask, logits.real, -np.inf).max(axis=(-2, -1), keepdims=True)
    weights = np.where(mask, np.exp(np.where(mask, logits - top, 0)), 0)
    return weights / weights.sum(axis=(-2, -1), keepdims=True)
