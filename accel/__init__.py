"""sasakit.accel: the reference's interface, fast, behind one door that picks a backend."""

from .door import BACKENDS, installed_backends, resolve_backend
from .weights_file import WeightsFile, read_weights, write_weights

__all__ = ["BACKENDS", "WeightsFile", "installed_backends", "read_weights", "resolve_backend",
           "write_weights"]
