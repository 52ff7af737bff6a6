"""Memory of one task of a kernel, whose first number begins a cache line.

A vector that lies across two lines takes twice as long to read.
"""

from typing import Any

import numpy as np

from .arrays import ALIGNMENT
from .jit import helper


@helper
def scratch(size: int, like: Any) -> Any:
    """(size,) numbers of the dtype of an array, to be written before they are read."""
    raw = np.empty(size + ALIGNMENT // like.itemsize, like.dtype)
    start = (ALIGNMENT - raw.ctypes.data % ALIGNMENT) % ALIGNMENT // like.itemsize
    return raw[start:start + size]
