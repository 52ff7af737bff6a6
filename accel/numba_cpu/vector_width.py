"""How many numbers one vector holds on the CPU at hand."""

import os
from functools import cache

import llvmlite.binding as llvm
import numpy as np

from .vector_types import Constant

WIDTHS = (64, 32, 16)
VARIABLE = "SASAKIT_VECTOR_BYTES"


def vector_bytes() -> int:
    """Bytes of one vector: 64 with AVX-512, 32 with AVX, otherwise 16.

    SASAKIT_VECTOR_BYTES asks for another width; what the CPU has not is made of what it has.
    Raises ValueError for one that is none of WIDTHS.
    """
    asked = os.environ.get(VARIABLE)
    if asked is not None:
        if asked not in map(str, WIDTHS):
            raise ValueError(f"`{VARIABLE}` must be one of {', '.join(map(str, WIDTHS))}; "
                             f"got {asked!r}.")
        return int(asked)
    return _widest()


@cache
def _widest() -> int:
    """Bytes of the CPU's own vectors; LLVM takes longer to say so than a small kernel to run."""
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


def lanes_of(dtype: np.dtype) -> Constant:
    """Numbers of a dtype in one vector."""
    return Constant(vector_bytes() // dtype.itemsize)
