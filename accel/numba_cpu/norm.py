"""Batch normalizations by stored statistics, folded into the weights before them: NET-6."""

from collections.abc import Mapping

import numpy as np

from .arrays import Floats, flat

EPSILON = 1e-5


def fold_norm(weights: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """(channels,) factor, in float64, and shift, in the weights' dtype: a batch norm, NET-6."""
    scale, shift, mean, variance = (weights[f"norm_{part}"].astype(np.float64)
                                    for part in ("scale", "shift", "mean", "variance"))
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + EPSILON)
        return factor, flat((shift - mean * factor).astype(weights["norm_shift"].dtype))


def folded(w: Floats, factor: Floats) -> Floats:
    """Weights whose last axis, the channels out, is multiplied by a factor."""
    with np.errstate(all="ignore"):
        return (w * factor).astype(w.dtype)
