"""sasakit.accel: the reference's interface, fast, behind one door that picks a backend."""

from .door import BACKENDS, installed_backends, resolve_backend

__all__ = ["BACKENDS", "installed_backends", "resolve_backend"]
