"""Every operation once more, in another shape, as a backend of its own.

Where the reference visits windows, this compares all pairs of pixels and masks them; where it pools
block by block, this pads and reshapes; where it normalizes, this folds. Nothing here imports the
reference's arithmetic, so that the two can only agree by both being right.
"""

from .attention import attention_layer, local_attention, relative_logits
from .networks import load
from .stems import average_pool, stem, value_mixture

name = "second"


def from_numpy(array, dtype=None):
    return array if dtype is None else array.astype(dtype)


def to_numpy(array):
    return array


__all__ = ["attention_layer", "average_pool", "from_numpy", "load", "local_attention", "name",
           "relative_logits", "stem", "to_numpy", "value_mixture"]
