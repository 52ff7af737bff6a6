"""What this backend takes as an array: NumPy, float32 and float64."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sasakit.reference.contract.arrays import ArrayKind

Floats = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

NUMBA = ArrayKind(
    backend="numba",
    noun="a NumPy array",
    accepts=lambda x: isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray),
    dtype=lambda x: str(x.dtype.name),
    device=lambda x: "cpu",
    dtypes=("float32", "float64"),
)


def from_numpy(array: Floats, dtype: str | None = None) -> Floats:
    """Array of the same values, rounded to `dtype` when given."""
    return array if dtype is None else array.astype(dtype)


def to_numpy(array: Floats) -> Floats:
    """Return the array itself: it is one of NumPy's."""
    return array


def flat(array: Floats) -> Floats:
    """(size,) the elements in C order, in the one form that the kernels are compiled for.

    That form is native, aligned and writable; kernels never write to it all the same. An array
    that has it already is not copied.
    """
    native = array.dtype.newbyteorder("=")
    return np.require(array, native, ("C", "A", "W", "E")).reshape(-1)


def zeros(size: int, like: Floats) -> Floats:
    """(size,) zeros of another array's dtype, in native byte order."""
    return np.zeros(size, like.dtype.newbyteorder("="))


def empty(shape: tuple[int, ...], like: Floats) -> Floats:
    """Array of another array's dtype, in native byte order, to be written in full."""
    return np.empty(shape, like.dtype.newbyteorder("="))
