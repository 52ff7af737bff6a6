"""Softmax over the rows of a (rows, LANES) array, lane by lane.

The maximum is subtracted first. A lane that holds NaN or +inf becomes NaN throughout: whatever
the maximum is then, a difference is NaN, the exponential passes it on, and so does the sum.
"""

from typing import Any

import numpy as np

from .exponential import exp_nonpositive
from .jit import helper
from .lanes import LANES, STEP, U


@helper
def softmax(logits: Any, rows: int) -> None:
    """Replace (rows, LANES) logits by their probabilities."""
    peak, total = np.empty(LANES, logits.dtype), np.empty(LANES, logits.dtype)
    for lane in range(STEP):
        peak[lane] = logits[lane]
        total[lane] = 0
    for row in range(1, rows):
        first = U(row * LANES)
        for lane in range(STEP):
            logit = logits[first + lane]
            peak[lane] = logit if logit > peak[lane] else peak[lane]
    for row in range(rows):
        first = U(row * LANES)
        for lane in range(STEP):
            weight = exp_nonpositive(logits[first + lane] - peak[lane])
            logits[first + lane] = weight
            total[lane] += weight
    # Divided before the mixture: a sum of weighted values could overflow where their mean cannot.
    for row in range(rows):
        first = U(row * LANES)
        for lane in range(STEP):
            logits[first + lane] /= total[lane]
