"""What this backend takes as an array: torch tensors of four float dtypes, on any device."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sasakit.reference.contract.arrays import ArrayKind
from sasakit.reference.contract.errors import broken, one_of

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16,
          "float32": torch.float32, "float64": torch.float64}
_NARROW = (torch.float16, torch.bfloat16)

TORCH = ArrayKind(
    backend="torch",
    noun="a torch tensor",
    accepts=lambda x: isinstance(x, Tensor),
    dtype=lambda x: str(x.dtype).removeprefix("torch."),
    device=lambda x: str(x.device),
    dtypes=tuple(DTYPES),
)

# What a module exports and imports.
NUMPY = ArrayKind(
    backend="torch",
    noun="a NumPy array",
    accepts=lambda x: isinstance(x, np.ndarray),
    dtype=lambda x: str(x.dtype.name),
    device=lambda x: "cpu",
    dtypes=("float16", "float32", "float64"),
)


def from_numpy(array: npt.NDArray[Any], dtype: str | None = None) -> Tensor:
    """Tensor with the values of an array, in memory of its own; on the GPU when there is one.

    dtype  float16, bfloat16, float32, float64, to which the values are rounded once, to nearest
           even; None keeps the array's dtype
    Raises TypeError for what is no NumPy array of a dtype that torch knows, ValueError for an
    unknown dtype name.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(broken("array", "be a NumPy array", type(array).__name__))
    if dtype is not None:
        one_of("dtype", dtype, tuple(DTYPES))
        with np.errstate(over="ignore"):  # beyond the largest value lies infinity
            array = _to_odd_float32(array) if dtype == "bfloat16" else array.astype(dtype)
    # A copy: torch reads neither negative strides, nor foreign byte orders, nor locked memory.
    own = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    try:
        tensor = torch.from_numpy(own)
    except TypeError:
        raise TypeError(broken("array", "have a dtype that torch knows", own.dtype.name)) from None
    return tensor.to("cuda" if torch.cuda.is_available() else "cpu", DTYPES.get(dtype or ""))


def _to_odd_float32(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """float32 values that round to bfloat16 as the array's own values would.

    Rounding to nearest twice can go wrong by an ulp; what float32 cannot hold is therefore cut
    towards zero and marked in its last bit, so that it no longer looks like a tie.
    """
    exact = array.astype(np.float64)
    near = exact.astype(np.float32)
    bits = near.view(np.int32).copy()
    wide = near.astype(np.float64)
    bits[np.abs(wide) > np.abs(exact)] -= 1
    bits[(wide != exact) & ~np.isnan(exact)] |= 1
    return bits.view(np.float32)


def to_numpy(array: Tensor) -> npt.NDArray[Any]:
    """NumPy array with the values of a tensor; bfloat16, which NumPy lacks, widens to float32.

    Raises TypeError for what is no tensor.
    """
    if not isinstance(array, Tensor):
        raise TypeError(broken("array", "be a torch tensor", type(array).__name__))
    plain = array.detach().cpu()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


def widen(x: Tensor) -> Tensor:
    """The tensor in the dtype that is computed in: float32 for the 16-bit dtypes, else its own.

    A 16-bit dtype cannot carry the sums of a softmax, and rounding every step would cost more than
    the result's own precision; so an operation widens first and rounds once, at its end.
    """
    return x.to(torch.float32) if x.dtype in _NARROW else x
