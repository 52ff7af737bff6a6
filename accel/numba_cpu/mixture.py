"""value_mixture: chapter 6, one matrix for every position in the pooling window.

axis      meaning                                    memory
position  (row, col) in the pooling window           stride channels_in channels_out
tap       channels_in                                stride channels_out
channel   channels_out                               contiguous
"""

from typing import Any

import numpy as np

from sasakit.reference.contract.checks import check_value_mixture

from .arrays import NUMBA, Floats, empty, flat
from .jit import helper, kernel, launch, prange, signed
from .lanes import U, clear
from .plan import Array, Plan


@helper
def apply_matrix(out: Any, target: int, x: Any, source: int, weights: Any, place: int,
                 taps: int, channels: int) -> None:
    """Write one pixel: its numbers times one position's matrix."""
    clear(out, target, channels)
    t, w = U(target), U(place)
    for tap in range(taps):
        number = x[source + tap]
        for channel in range(U(channels)):
            out[t + channel] += number * weights[w + channel]
        w += U(channels)


@kernel
def mixture_kernel(out: Any, x: Any, weights: Any, batch: int, height: int, width: int,
                   window_rows: int, window_cols: int, taps: int, channels: int) -> None:
    """Write every number of `out`, flat (batch, height, width, channels)."""
    for index in prange(batch * height):
        image_row = signed(index)
        for j in range(width):
            pixel = image_row * width + j
            position = image_row % height % window_rows * window_cols + j % window_cols
            apply_matrix(out, pixel * channels, x, pixel * taps, weights,
                         position * taps * channels, taps, channels)


def mixture_matrices(w_value: Floats, emb_row: Floats, emb_col: Floats, nu: Floats) -> Floats:
    """(window_rows, window_cols, channels_in, channels_out): sum_m p(a, b, m) W_m, MIX-1, MIX-3."""
    with np.errstate(all="ignore"):
        logits = np.einsum("abe,me->abm", emb_row[:, None] + emb_col, nu)
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        return np.einsum("abm,mio->abio", p, w_value)


def apply_mixture(plan: Plan, out: Array, x: Array, shape: tuple[int, ...],
                  matrices: Floats) -> None:
    """Write (batch, height, width, channels_out): each pixel times its position's matrix, MIX-2.

    x  flat (batch, height, width, channels_in)
    """
    plan.launch(mixture_kernel, out, x, flat(matrices), *shape[:3], *matrices.shape)


def value_mixture(x: Floats, w_value: Floats, emb_row: Floats, emb_col: Floats,
                  nu: Floats) -> Floats:
    """(batch, height, width, channels_out): ( sum_m p(a, b, m) W_m ) x at every pixel, SPEC MIX-3.

    x                 (batch, height, width, channels_in), float32 or float64
    w_value           (mixtures, channels_in, channels_out)
    emb_row, emb_col  (window_rows, embedding), (window_cols, embedding)
    nu                (mixtures, embedding)
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_value_mixture(NUMBA, x, w_value, emb_row, emb_col, nu)
    matrices = mixture_matrices(w_value, emb_row, emb_col, nu)
    out = empty((*x.shape[:3], matrices.shape[3]), x)
    launch(mixture_kernel, out.reshape(-1), flat(x), flat(matrices), *x.shape[:3],
           *matrices.shape)
    return out
