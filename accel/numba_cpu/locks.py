"""A lock that a forked child may use, whoever held it when the process forked."""

import os
import threading
from typing import Any


class ForkSafeLock:
    """A lock for `with`; a child begins with it free, for its holder is not there."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: Any) -> None:
        self._lock.release()
