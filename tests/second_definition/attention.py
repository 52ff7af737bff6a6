"""Attention as one masked matrix over all pairs of pixels.

Each operation is its checks and an unchecked twin, which takes complex numbers too.
"""

import numpy as np

from sasakit.reference.arrays import NUMPY
from sasakit.reference.contract import checks

from .pairs import axis_pairs, masked_softmax, on_canvas


def head_tables(rel_row, rel_col, heads, depth, options):
    """(heads, entries, depth) twice: tables widened to the whole depth, zero in the other half."""
    first, second = (rel_row, rel_col) if options.first_half == "row" else (rel_col, rel_row)
    if options.relative == "layer_halves":
        zeros = np.zeros_like(first)
        wide = [np.concatenate(pair, axis=-1).reshape(-1, heads, depth).transpose(1, 0, 2)
                for pair in ((first, zeros), (zeros, second))]
    else:
        first, second = (np.broadcast_to(t, (heads, *t.shape[-2:])) for t in (first, second))
        zeros = np.zeros_like(first)
        wide = [np.concatenate(pair, axis=-1) for pair in ((first, zeros), (zeros, second))]
    return wide if options.first_half == "row" else wide[::-1]


def relative_logits(query, rel_row, rel_col, *, options):
    checks.check_relative_logits(NUMPY, query, rel_row, rel_col, options)
    return separable_logits(query, rel_row, rel_col, options)


def separable_logits(query, rel_row, rel_col, options):
    _, height, width, heads, depth = query.shape
    row, col = head_tables(rel_row, rel_col, heads, depth, options)
    # All entries first, the window's slots after: a separable form.
    by_row = np.einsum("bijnd,ntd->bijnt", query, row)
    by_col = np.einsum("bijnd,ntd->bijnt", query, col)
    picked = []
    for logits, axis, size in ((by_row, 1, height), (by_col, 2, width)):
        _, sees, entry = axis_pairs(size, options)
        slots = entry[sees].reshape(size, options.extent)
        shape = [1] * 5
        shape[axis], shape[4] = size, options.extent
        picked.append(np.take_along_axis(logits, slots.reshape(shape), axis=4))
    return picked[0][..., :, None] + picked[1][..., None, :]


def local_attention(query, key, value, rel_row, rel_col, *, options):
    checks.check_local_attention(NUMPY, query, key, value, rel_row, rel_col, options)
    return attend(query, key, value, rel_row, rel_col, options)


def attend(query, key, value, rel_row, rel_col, options):
    _, height, width, heads, depth = query.shape
    (rows, sees_row, entry_row), (cols, sees_col, entry_col) = (
        axis_pairs(size, options) for size in (height, width))
    mask = sees_row[:, None, :, None] & sees_col[None, :, None, :]
    in_rows, in_cols = ((p >= 0) & (p < size) for p, size in ((rows, height), (cols, width)))
    if options.padding == "exclude":
        mask = mask & in_rows[:, None] & in_cols
    with np.errstate(invalid="ignore"):
        logits = np.zeros((query.shape[0], heads, height, width, len(rows), len(cols)), query.dtype)
        if options.position == "relative":
            row, col = head_tables(rel_row, rel_col, heads, depth, options)
            by_row = np.einsum("bijnd,iand->bnija", query, _at_offsets(row, entry_row))
            by_col = np.einsum("bijnd,jand->bnija", query, _at_offsets(col, entry_col))
            logits = logits + by_row[..., :, None] + by_col[..., None, :]
        if options.position == "absolute":
            e = waves(rows, cols, depth, options.first_half).astype(query.dtype)
            e[~(in_rows[:, None] & in_cols)] = 0
            logits = logits + np.einsum("bijnd,acd->bnijac", query, e)
        if options.scale_terms == "both":
            logits = logits * query.dtype.type(options.scale)
        if options.content:
            content = np.einsum("bijnd,bacnd->bnijac", query, on_canvas(key, rows, cols))
            logits = logits + content * query.dtype.type(options.scale)
        p = masked_softmax(logits, mask)
        canvas = on_canvas(value, rows, cols)
        # Values outside the window are left out, not multiplied by zero: they may not be finite.
        blank = np.where(np.isfinite(canvas), 0, canvas)
        out = np.einsum("bnijac,bacnd->bijnd", p, np.where(np.isfinite(canvas), canvas, 0))
        for a, c in np.argwhere(~np.isfinite(canvas).all(axis=(0, 3, 4))):
            out += np.where(mask[:, :, a, c, None, None], blank[:, None, None, a, c], 0)
        return out


def _at_offsets(table, entry):
    """(size, canvas, heads, depth): a table's entry for every pair; the first where none is."""
    valid = (entry >= 0) & (entry < table.shape[1])
    picked = np.moveaxis(table[:, np.where(valid, entry, 0)], 0, 2)
    return np.where(valid[..., None, None], picked, 0)


def waves(rows, cols, depth, first_half):
    """(rows, cols, depth): the sinusoid as real and imaginary parts of turning numbers."""
    half = depth // 2
    turns = 10000.0 ** (-2.0 * (np.arange(half) // 2) / half)
    parts = []
    for positions in (rows, cols):
        number = np.exp(1j * positions[:, None] * turns)
        parts.append(np.where(np.arange(half) % 2, number.real, number.imag))
    row = np.repeat(parts[0][:, None], len(cols), axis=1)
    col = np.repeat(parts[1][None], len(rows), axis=0)
    return np.concatenate((row, col) if first_half == "row" else (col, row), axis=-1)


def attention_layer(x, weights, *, options):
    checks.check_attention_layer(NUMPY, x, weights, options)
    return layer(x, weights, options)


def layer(x, weights, options):
    heads, w_value = options.heads, weights["w_value"]
    depth = w_value.shape[-1] // (1 if options.projection == "per_head" else heads)

    def project(w):
        if options.projection == "per_head":
            # A block-diagonal dense matrix, block by block.
            dense = np.zeros((x.shape[-1], heads * depth), w.dtype)
            step = w.shape[1]
            for n in range(heads):
                dense[n * step:(n + 1) * step, n * depth:(n + 1) * depth] = w[n]
            w = dense
        columns = w.reshape(w.shape[0], heads, depth)
        return np.einsum("bijc,cnd->bijnd", x, columns)

    key = project(weights["w_key"]) if options.content else None
    y = attend(project(weights["w_query"]), key, project(w_value), weights.get("rel_row"),
               weights.get("rel_col"), options)
    return y.reshape(*y.shape[:3], heads * depth)
