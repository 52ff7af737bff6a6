"""Buffers that calls borrow and give back, so that a repeated call allocates nothing."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import numpy as np

from .arrays import Floats
from .locks import ForkSafeLock

# Bytes that wait for the next call of their kind; the longest unused go first.
MOST = 1 << 28
ALIGNMENT = 64

_lock = ForkSafeLock()
_waiting: dict[Hashable, list[Floats]] = {}


def aligned_zeros(size: int, dtype: np.dtype) -> Floats:
    """(size,) zeros whose first number begins a cache line."""
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start:start + size * dtype.itemsize].view(dtype)


@contextmanager
def borrowed(kind: Hashable, size: int, dtype: np.dtype) -> Iterator[Floats]:
    """(size,) numbers: zeros at first, later what the last borrower of this kind left there."""
    key = (kind, size, dtype.str)
    with _lock:
        stack = _waiting.get(key)
        buffer = stack.pop() if stack else None
    if buffer is None:
        buffer = aligned_zeros(size, dtype)
    try:
        yield buffer
    finally:
        with _lock:
            # Put last in the order of use.
            stack = _waiting.pop(key, [])
            _waiting[key] = [*stack, buffer]
            _forget()


def _forget() -> None:
    total = sum(buffer.nbytes for stack in _waiting.values() for buffer in stack)
    for key in list(_waiting):
        if total <= MOST:
            return
        total -= sum(buffer.nbytes for buffer in _waiting.pop(key))
