"""Golden vectors on the disk: a manifest, and one safetensors file for each case.

Nothing that is read is trusted: names stay inside their folder, sizes are limited, files must have
the manifest's digest, and whatever is wrong is one ValueError.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sasakit.reference import AttentionOptions, StemOptions

from .case import Case
from .estimate import Array
from .judge import Expected

FORMAT = "sasakit-vectors"
MANIFEST = "manifest.json"
DTYPES = ("float64", "float32", "float16")
# Far above what is exported; what is larger was not.
MOST_MANIFEST = 64 << 20
MOST_FILE = 16 << 20
MOST_SIZE = 64
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}\.safetensors")
OPTIONS = {"AttentionOptions": AttentionOptions, "StemOptions": StemOptions, None: None}


@dataclass(frozen=True)
class Vector:
    """One case with what is expected of it.

    entry  its line in the manifest
    """

    entry: Mapping[str, Any]
    case: Case
    want: Expected


@contextmanager
def replaced_directory(directory: Path, *, force: bool) -> Iterator[Path]:
    """A folder to write into, which becomes `directory` once all is written.

    force  replace golden vectors, or an empty folder, that are there already
    Raises ValueError where something else is there.
    """
    if directory.exists() or directory.is_symlink():
        ours = directory.is_dir() and not directory.is_symlink() and (
            not any(directory.iterdir()) or _is_ours(directory))
        if not force:
            raise ValueError(f"`directory` must not exist yet, or be replaced with --force; "
                             f"got {directory}.")
        if not ours:
            raise ValueError(f"`directory` must hold golden vectors or nothing to be replaced; "
                             f"got {directory}.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent) as made:
        new, old = Path(made, "new"), Path(made, "old")
        new.mkdir()
        yield new
        if directory.exists():
            directory.rename(old)
        new.rename(directory)
        shutil.rmtree(old, ignore_errors=True)


def _is_ours(directory: Path) -> bool:
    try:
        read_manifest(directory)
    except ValueError:
        return False
    return True


def write_file(path: Path, tensors: Mapping[str, Array]) -> str:
    """Write tensors, the same bytes for the same tensors; their digest."""
    from safetensors.numpy import save
    data = save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest, its form checked. Raises ValueError."""
    data = _read_bytes(directory / MANIFEST, MOST_MANIFEST)
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"`{MANIFEST}` must be JSON; got something else.") from None
    match manifest:
        case {"format": "sasakit-vectors", "format_version": 1, "spec_version": str(),
              "cases": [*entries]}:
            for number, entry in enumerate(entries):
                _check_entry(number, entry)
            files = [entry["file"] for entry in entries]
            if len(set(files)) != len(files):
                raise ValueError(f"`{MANIFEST}` must name every file once; got one twice.")
            return dict(manifest)
    raise ValueError(f"`{MANIFEST}` must be of the format {FORMAT} 1; got another.")


def _check_entry(number: int, entry: Any) -> None:
    match entry:
        case {"id": str(), "clause": str(), "property": str(), "operation": str(),
              "dtype": str(dtype), "arguments": [*names], "file": str(file),
              "sha256": str(digest), "options": dict() | None, "options_type": kind} \
                if dtype in DTYPES and all(isinstance(name, str) for name in names) \
                and (kind is None or (isinstance(kind, str) and kind in OPTIONS)):
            if not FILE_NAME.fullmatch(file):
                raise ValueError(f"`file` must be a plain name that ends in .safetensors; "
                                 f"got {file[:200]!r}.")
            if not re.fullmatch("[0-9a-f]{64}", digest):
                raise ValueError(f"`sha256` must be 64 hexadecimal digits; got {digest[:80]!r}.")
        case _:
            raise ValueError(f"`cases` must have the entries that the schema names; "
                             f"got another at {number}.")


def read_vector(directory: Path, entry: Mapping[str, Any]) -> Vector:
    """One case, whole and as the manifest says. Raises ValueError."""
    file = entry["file"]
    data = _read_bytes(directory / file, MOST_FILE)
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ValueError(f"`{file}` must have the digest that the manifest names; got another.")
    tensors = _load(file, data)
    arrays = {name: tensors.pop(f"input.{name}", None) for name in entry["arguments"]}
    value, budget = tensors.pop("expected", None), tensors.pop("budget", None)
    judged = tensors.pop("judged", None)
    if tensors or value is None or budget is None or value.shape != budget.shape \
            or {value.dtype.name, budget.dtype.name} != {"float64"} \
            or any(array is not None and array.dtype.name != entry["dtype"]
                   for array in arrays.values()) \
            or (judged is not None and not _covers(judged, value)):
        raise ValueError(f"`{file}` must hold the inputs in {entry['dtype']}, expected and budget; "
                         f"got other tensors.")
    given = {name: None if array is None else array.astype(np.float64)
             for name, array in arrays.items()}
    case = Case(entry["operation"], given, read_options(entry), entry["dtype"], judged=judged)
    return Vector(entry, case, Expected(value, budget))


def _covers(judged: Array, value: Array) -> bool:
    try:
        return judged.dtype == bool \
            and np.broadcast_shapes(judged.shape, value.shape) == value.shape
    except ValueError:
        return False


def read_options(entry: Mapping[str, Any]) -> AttentionOptions | StemOptions | None:
    """The options of an entry. Raises ValueError."""
    kind, given = OPTIONS[entry["options_type"]], entry["options"]
    if kind is None or given is None:
        if kind is not None or given is not None:
            raise ValueError("`options` must be null exactly where there is no type of them; "
                             f"got {given!r:.200}.")
        return None
    if any(isinstance(value, int) and value > MOST_SIZE for value in given.values()):
        raise ValueError(f"`options` must have sizes of at most {MOST_SIZE}; got {given!r:.300}.")
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`options` must be valid; got {given!r:.300}: {error}") from None


def read_result(directory: Path, file: str) -> Array | None:
    """The tensor "result" of someone's file for a case; None where there is no file.

    Raises ValueError for a file that is none.
    """
    if not (directory / file).exists():
        return None
    tensors = _load(file, _read_bytes(directory / file, MOST_FILE))
    if "result" not in tensors:
        raise ValueError(f"`{file}` must hold a tensor named result; "
                         f"got {', '.join(sorted(tensors)) or 'none'}.")
    return tensors["result"]


def _read_bytes(path: Path, most: int) -> bytes:
    if not path.is_file() or path.is_symlink():
        raise ValueError(f"`{path.name}` must be a file in {path.parent}; got none.")
    if os.path.getsize(path) > most:
        raise ValueError(f"`{path.name}` must have at most {most} bytes; got more.")
    return path.read_bytes()


def _load(file: str, data: bytes) -> dict[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load
    try:
        return dict(load(data))
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"`{file}` must be a safetensors file; got {str(error)[:200]}.") from None
