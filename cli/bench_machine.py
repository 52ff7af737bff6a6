"""The machine of a measurement: what it is, what is installed, and what it can do at most."""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba

from sasakit.accel.numba_cpu import ceilings

from .backends import describe_cpu

PACKAGES = ("sasakit", "numpy", "numba", "tbb", "torch", "onnx", "onnxruntime", "openvino")
# Variables that decide how fast somebody is.
PREFIXES = ("NUMBA_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "DNNL_", "ONEDNN_", "SASAKIT_")


def most_threads() -> int:
    """How many threads Numba was given when it was imported."""
    config: Any = numba.config
    return int(config.NUMBA_NUM_THREADS)


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Let Numba and torch use this many threads. Raises ValueError for more than Numba has."""
    if not 1 <= threads <= most_threads():
        raise ValueError(f"`threads` must lie in 1 to {most_threads()}, as many as Numba has here; "
                         f"got {threads}.")
    torch = _torch()
    before = numba.get_num_threads(), 1 if torch is None else torch.get_num_threads()
    try:
        _set_threads(torch, threads, threads)
        yield
    finally:
        _set_threads(torch, *before)


def _set_threads(torch: Any, of_numba: int, of_torch: int) -> None:
    numba.set_num_threads(of_numba)
    if torch is not None:
        torch.set_num_threads(of_torch)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    # Whoever needs it is told missing, with the reason.
    except Exception:
        return None


def describe_machine(threads: int) -> dict[str, Any]:
    """What the numbers depend on, as --json shows it, once a kernel has run."""
    runtime: Any = numba  # its published types leave out the layer
    return {"cpu": describe_cpu(), "cores": os.cpu_count(), "threads": threads,
            "threading_layer": runtime.threading_layer(), "system": platform.platform(),
            "python": platform.python_version(),
            "packages": {name: version for name in PACKAGES
                         if (version := _version(name)) is not None},
            "environment": {name: value for name, value in sorted(os.environ.items())
                            if name.startswith(PREFIXES)}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def measure_ceilings(threads: int) -> dict[str, Any]:
    """The ceilings on one thread and on as many as are used, as --json shows them."""
    rates = []
    for count in sorted({1, threads}):
        with thread_count(count):
            rates.append({"threads": count, "gflops": ceilings.multiply_add_rate() / 1e9})
    with thread_count(threads):
        return {"multiply_add": rates, "copy_gbytes": ceilings.copy_rate() / 1e9}


def highest(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The higher of two measurements of the ceilings: whatever disturbs one only lowers it."""
    pairs = zip(first["multiply_add"], second["multiply_add"], strict=True)
    return {"multiply_add": [max(pair, key=lambda rate: rate["gflops"]) for pair in pairs],
            "copy_gbytes": max(first["copy_gbytes"], second["copy_gbytes"])}
