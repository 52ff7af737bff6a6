"""What this backend takes as an array, NumPy of float32 and float64, and the memory it gives."""

import math
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from sasakit.reference.contract.arrays import ArrayKind

MOST_KNOWN = 256
ALIGNMENT = 64  # bytes of a cache line, and of the widest vector

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
    if type(array) is np.ndarray and array.flags.carray and array.dtype.isnative:
        return array.reshape(-1)
    native = array.dtype.newbyteorder("=")
    return np.require(array, native, ("C", "A", "W", "E")).reshape(-1)


class Fitting:
    """Calls whose arguments were found to fit, which repeated ones need not be.

    Checks look at what is no array, at shapes and at dtypes, and at nothing else.
    """

    def __init__(self) -> None:
        self._known: set[Hashable] = set()

    def check(self, check: Callable[[], object], others: Hashable, *arrays: Floats | None) -> None:
        """Run a check, which raises what it finds, unless it passed for arguments like these."""
        plain = all(array is None or type(array) is np.ndarray for array in arrays)
        traits = (others, *(None if array is None else (array.shape, array.dtype)
                            for array in arrays)) if plain else None
        try:
            known = traits in self._known
        # Options, say, that are none.
        except TypeError:
            known, traits = False, None
        if not known:
            check()
        if traits is not None and not known:
            if len(self._known) == MOST_KNOWN:
                self._known.clear()
            self._known.add(traits)


def zeros(size: int, like: Floats) -> Floats:
    """(size,) zeros of another array's dtype, in native byte order."""
    return np.zeros(size, like.dtype.newbyteorder("="))


def empty(shape: tuple[int, ...], like: Floats) -> Floats:
    """Aligned array of another array's dtype, in native byte order, to be written in full."""
    dtype = like.dtype.newbyteorder("=")
    return _aligned(np.empty(math.prod(shape) * dtype.itemsize + ALIGNMENT, np.uint8),
                    dtype).reshape(shape)


def aligned_zeros(size: int, dtype: np.dtype) -> Floats:
    """(size,) zeros whose first number begins a cache line."""
    return _aligned(np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8), dtype)


def aligned(array: Floats) -> Floats:
    """(size,) copy of an array that begins a cache line."""
    copy = aligned_zeros(array.size, array.dtype)
    copy[:] = array.reshape(-1)
    return copy


def _aligned(raw: Floats, dtype: np.dtype) -> Floats:
    """All but ALIGNMENT of so many bytes, as numbers from the beginning of a cache line on."""
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start:start + raw.size - ALIGNMENT].view(dtype)
