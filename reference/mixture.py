"""Chapter 6, value mixture: values by the position in the pooling window. MIX-1 to MIX-3."""

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .contract.checks import check_value_mixture


@SILENT
def value_mixture(x: Floats, w_value: Floats, emb_row: Floats, emb_col: Floats,
                  nu: Floats) -> Floats:
    """(batch, height, width, channels_out): ( sum_m p(a, b, m) W_m ) x at every pixel, SPEC MIX-3.

    x                 (batch, height, width, channels_in)
    w_value           (mixtures, channels_in, channels_out)
    emb_row, emb_col  (window_rows, embedding), (window_cols, embedding)
    nu                (mixtures, embedding)
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_value_mixture(NUMPY, x, w_value, emb_row, emb_col, nu)
    p = mixture_weights(emb_row, emb_col, nu)
    out = np.empty((*x.shape[:3], w_value.shape[2]), x.dtype)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            # SPEC MIX-2: (a, b) is the position in the pooling window, not in the image.
            a, b = i % p.shape[0], j % p.shape[1]
            out[:, i, j] = x[:, i, j] @ np.einsum("m,mio->io", p[a, b], w_value)
    return out


def mixture_weights(emb_row: Floats, emb_col: Floats, nu: Floats) -> Floats:
    """(window_rows, window_cols, mixtures): p, a softmax over the mixtures, SPEC MIX-1."""
    logits = (emb_row[:, None] + emb_col) @ nu.T
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
