"""A lock that a forked child may use, whoever held it when the process forked."""

import os
import threading
import weakref
from typing import Any


class ForkSafeLock:
    """A lock for `with`; a child begins with it free, for its holder is not there."""

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """Be free, whoever holds it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: Any) -> None:
        self._lock.release()


# What is registered for forks stays for good, and locks need not.
_locks: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


def _renew_all() -> None:
    for lock in list(_locks):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
