"""The one door that picks a backend by argument or by environment; never a silent fallback."""

import importlib
import importlib.util
import logging
import os
from typing import cast

from sasakit.reference.contract.backend import Backend

BACKENDS = ("reference", "numba", "torch", "auto")
ENVIRONMENT = "SASAKIT_BACKEND"
_MODULES = {
    "reference": "sasakit.reference",
    "numba": "sasakit.accel.numba_cpu",
    "torch": "sasakit.accel.torch_gpu",
}
_NEEDS = {"reference": "numpy", "numba": "numba", "torch": "torch"}


def installed_backends() -> tuple[str, ...]:
    """Names of the backends whose packages are installed, the reference first."""
    return tuple(name for name in _MODULES if importlib.util.find_spec(_NEEDS[name]) is not None)


def resolve_backend(name: str | None = None) -> Backend:
    """Backend by name: reference, numba, torch, or auto.

    None reads SASAKIT_BACKEND and, where that is unset, means auto. auto picks torch where it
    finds a GPU, otherwise numba; it says what it picked in the log "sasakit", and `backend.name`
    tells.
    Raises ValueError for an unknown name and for one whose package is not installed.
    """
    asked = name if name is not None else os.environ.get(ENVIRONMENT, "auto")
    here = ", ".join(installed_backends())
    if asked not in BACKENDS:
        raise ValueError(f"`backend` must be one of {', '.join(BACKENDS)}; got {asked!r}. "
                         f"Installed here: {here}.")
    if asked == "auto":
        asked = _best_installed()
        logging.getLogger("sasakit").info("auto picked the backend %s", asked)
    if asked not in installed_backends():
        raise ValueError(f"`backend` must be installed; got {asked!r}, which needs "
                         f"pip install 'sasakit[{asked}]'. Installed here: {here}.")
    return cast(Backend, importlib.import_module(_MODULES[asked]))


def _best_installed() -> str:
    installed = installed_backends()
    if "torch" in installed and _torch_sees_a_gpu():
        return "torch"
    return "numba" if "numba" in installed else "reference"


def _torch_sees_a_gpu() -> bool:
    try:
        return bool(importlib.import_module("torch").cuda.is_available())
    # A broken installation raises whatever it likes; who asks for torch by name sees it raised.
    except Exception as error:
        logging.getLogger("sasakit").warning("auto passes over torch, which fails: %s", error)
        return False
