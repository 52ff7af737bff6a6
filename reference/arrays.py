"""What the reference takes as an array: NumPy, any float type."""

import numpy as np
import numpy.typing as npt

from .contract.arrays import ArrayKind

Floats = npt.NDArray[np.floating]

NUMPY = ArrayKind(
    backend="reference",
    noun="a NumPy array",
    accepts=lambda x: isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray),
    dtype=lambda x: str(x.dtype.name),
    device=lambda x: "cpu",
)

# SPEC NUM-4: what is not finite is defined by the equation, so it is no cause for a warning.
SILENT = np.errstate(invalid="ignore", over="ignore")


def from_numpy(array: Floats, dtype: str | None = None) -> Floats:
    """Array of the same values, rounded to `dtype` when given."""
    return array if dtype is None else array.astype(dtype, copy=False)


def to_numpy(array: Floats) -> Floats:
    """Return the array itself: it is one of NumPy's."""
    return array
