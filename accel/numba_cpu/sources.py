"""What attention is computed from: arrays to read, and what the keys and the logits are made of."""

from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from .arrays import Floats
from .plan import Array
from .tables import absolute_rows


class Source(NamedTuple):
    """Queries, keys or values: pixel p has head n, depth d at p stride + start + n depth + d."""

    array: Array
    start: int
    stride: int


class Keys(NamedTuple):
    """Keys are `factor` k + embedding, and logits `content` q . key + `position` q . r.

    present    whether there are keys at all
    taken      whether k is part of them
    embedding  flat (depth, height, width), or None
    """

    present: bool
    taken: bool
    factor: float
    embedding: Floats | None
    content: float
    position: float


def keys_of(shape: tuple[int, ...], has_key: bool, options: AttentionOptions,
            dtype: np.dtype) -> Keys:
    """What the keys are for arrays of shape (batch, height, width, heads, depth): ATT-3, POS-2."""
    both, scale = options.scale_terms == "both", options.scale
    position = scale if both else 1.0
    if options.position != "absolute":
        return Keys(has_key, has_key, 1.0, None, scale, position)
    # q . k + q . e is q . (k + e); where the factor is the content's alone, it joins the keys.
    embedding = absolute_rows(shape[1], shape[2], shape[4], options, dtype)
    return Keys(True, has_key, 1.0 if both else scale, embedding, position, position)
