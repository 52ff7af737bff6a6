"""sasakit backends: what is installed here, what it runs on, and which backend auto picks."""

import importlib
import importlib.metadata
import os
from typing import Any

import click

from sasakit.accel import installed_backends, resolve_backend
from sasakit.accel.door import BACKENDS, ENVIRONMENT
from sasakit.reference import SPEC_VERSION

from .lazy import one_line
from .output import json_option, print_json, print_table

PACKAGES = {
    "reference": ("numpy",),
    "numba": ("numba", "llvmlite", "tbb"),
    "torch": ("torch", "triton"),
}
# float32 lanes of each vector instruction set, the widest first.
LANES = {"avx512f": 16, "avx2": 8, "avx": 8, "neon": 4, "sse2": 4}


@click.command()
@json_option
def backends(as_json: bool) -> None:
    """Show every backend: installed or not, versions, threads, instruction set, GPU.

    A backend that is installed but cannot be imported is shown as broken, with the reason; the
    others still work. The environment variable SASAKIT_BACKEND picks the backend of every command
    that is not told one.

    \b
    Examples:
      sasakit backends
      sasakit backends --json
      SASAKIT_BACKEND=reference sasakit classify digit.png

    \b
    Keys of --json (null where a thing is absent or unknown):
      spec_version, auto, auto_error
      environment  the value of SASAKIT_BACKEND
      cpu          name, instruction_set, float32_lanes
      backends     name, installed, usable, error, packages (name to version),
                   threads, threading_layer, device

    Exit status: 0, whatever is installed.
    """
    rows = [describe_backend(name) for name in BACKENDS if name != "auto"]
    auto, auto_error = _auto()
    document = {"spec_version": SPEC_VERSION, "auto": auto, "auto_error": auto_error,
                "environment": os.environ.get(ENVIRONMENT), "cpu": describe_cpu(),
                "backends": rows}
    print_json(document) if as_json else _print_text(document)


def describe_backend(name: str) -> dict[str, Any]:
    """One backend, as --json shows it; whatever its import raises is told, not raised."""
    row: dict[str, Any] = {
        "name": name, "installed": name in installed_backends(), "usable": False, "error": None,
        "packages": _versions(PACKAGES[name]),
        "threads": None, "threading_layer": None, "device": None}
    if not row["installed"]:
        return row
    try:
        resolve_backend(name)
        row |= {"usable": True} | {"numba": _numba, "torch": _torch}.get(name, dict)()
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {one_line(error)}"
    return row


def _numba() -> dict[str, Any]:
    numba = importlib.import_module("numba")
    # The layer is known only once the threads run; a kernel would start them the same way.
    importlib.import_module("numba.np.ufunc.parallel")._launch_threads()
    return {"threads": numba.get_num_threads(), "threading_layer": numba.threading_layer(),
            "device": "cpu"}


def _torch() -> dict[str, Any]:
    import torch
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {"threads": torch.get_num_threads(), "device": gpu}


def _versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _auto() -> tuple[str | None, str | None]:
    try:
        return resolve_backend("auto").name, None
    except Exception as error:
        return None, f"{type(error).__name__}: {one_line(error)}"


def describe_cpu() -> dict[str, Any]:
    """The processor and the widest vectors that Numba's compiler sees in it."""
    try:
        binding = importlib.import_module("llvmlite.binding")
        name, features = binding.get_host_cpu_name(), binding.get_host_cpu_features()
    except Exception:
        return {"name": None, "instruction_set": None, "float32_lanes": None}
    widest = next((known for known in LANES if features.get(known)), None)
    return {"name": name, "instruction_set": widest,
            "float32_lanes": LANES[widest] if widest else None}


def _print_text(document: dict[str, Any]) -> None:
    rows = [("backend", "state", "runs on", "packages")]
    for row in document["backends"]:
        packages = ", ".join(f"{name} {version}" for name, version in row["packages"].items()
                             if version is not None)
        rows.append((row["name"], _state(row), _runs_on(row), packages))
    print_table(rows, "<<<<")
    click.echo()
    for row in document["backends"]:
        if row["error"] is not None:
            click.echo(f"{row['name']} is broken: {row['error']}")
    cpu = document["cpu"]
    if cpu["instruction_set"] is not None:
        click.echo(f"The processor, {cpu['name']}, has {cpu['instruction_set']}: "
                   f"{cpu['float32_lanes']} float32 numbers at once.")
    if document["environment"] is not None:
        click.echo(f"{ENVIRONMENT} asks for {document['environment']}.")
    picks = f"auto picks {document['auto']}."
    click.echo(picks if document["auto"] else f"auto fails: {document['auto_error']}")


def _state(row: dict[str, Any]) -> str:
    if row["usable"]:
        return "ready"
    return "broken" if row["installed"] else "not installed"


def _runs_on(row: dict[str, Any]) -> str:
    if row["threads"] is None:
        return ""
    threads = f"{row['device']}, {row['threads']} threads"
    return threads if row["threading_layer"] is None else f"{threads} ({row['threading_layer']})"
