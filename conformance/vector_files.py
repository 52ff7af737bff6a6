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

from sasakit.reference import AttentionOptions, NetworkSpec, StemOptions

from .case import Case
from .estimate import Array
from .isolation.target import Answer
from .judge import Expected
from .profiles import DTYPES
from .vector_kinds import KINDS

FORMAT = "sasakit-vectors"
FORMAT_VERSION = 2
MANIFEST = "manifest.json"
# Types of single inputs, where the error of a case is their type.
OTHER_TYPES = ("int64", "int32", "bool", "float64", "float32")
# Far above what is exported; what is larger was not.
MOST_MANIFEST = 64 << 20
MOST_FILE = 16 << 20
MOST_SIZE = 64
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}\.safetensors")
OPTIONS: dict[str | None, Any] = {"AttentionOptions": AttentionOptions, "StemOptions": StemOptions,
                                  "NetworkSpec": NetworkSpec, None: None}


@dataclass(frozen=True)
class Vector:
    """One case with what is expected of it.

    entry  its line in the manifest
    want   values and budgets by name, "" for a single one; layers have a budget of zero
    """

    entry: Mapping[str, Any]
    case: Case
    want: Mapping[str, Expected]


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
        case {"format": "sasakit-vectors", "format_version": int(version), "spec_version": str(),
              "cases": [*entries]} if version == FORMAT_VERSION:
            for number, entry in enumerate(entries):
                _check_entry(number, entry)
            files = [entry["file"] for entry in entries]
            if len(set(files)) != len(files):
                raise ValueError(f"`{MANIFEST}` must name every file once; got one twice.")
            return dict(manifest)
    raise ValueError(f"`{MANIFEST}` must be of the format {FORMAT} {FORMAT_VERSION}; "
                     f"got another.")


def _check_entry(number: int, entry: Any) -> None:
    match entry:
        case {"id": str(), "clause": str(), "property": str(), "operation": str(),
              "kind": str(expects), "types": dict(types), "error": dict() | None,
              "dtype": str(dtype), "arguments": [*names], "file": str(file),
              "sha256": str(digest), "options": dict() | None, "options_type": kind} \
                if dtype in DTYPES and expects in KINDS \
                and all(each in OTHER_TYPES for each in types.values()) \
                and all(isinstance(name, str) for name in names) \
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
    file, dtype, types = entry["file"], entry["dtype"], entry["types"]
    data = _read_bytes(directory / file, MOST_FILE)
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ValueError(f"`{file}` must have the digest that the manifest names; got another.")
    tensors = _load(file, data)
    arrays = {name: tensors.pop(f"input.{name}", None) for name in entry["arguments"]}
    judged = tensors.pop("judged", None)
    want = _read_wanted(entry["kind"], tensors)
    typed = all(array is None or array.dtype.name == types.get(name, stored_as(dtype))
                for name, array in arrays.items())
    if want is None or not typed or (judged is not None and not (
            list(want) == [""] and _covers(judged, want[""].value))):
        raise ValueError(f"`{file}` must hold the inputs in {dtype}, expected and budget; "
                         f"got other tensors.")
    given = {name: None if array is None else read_stored(
        array, types.get(name, dtype)).astype(np.float64) for name, array in arrays.items()}
    case = Case(entry["operation"], given, read_options(entry), dtype, judged=judged, types=types)
    return Vector(entry, case, want)


def stored_as(dtype: str) -> str:
    """The type of a file's tensors; bfloat16 is the upper half of float32's bits, as uint16."""
    return "uint16" if dtype == "bfloat16" else dtype


def stored(array: Array, dtype: str) -> Array:
    """An array whose values are of a dtype, as a file has it."""
    if dtype != "bfloat16":
        return array.astype(dtype)
    return (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def read_stored(array: Array, dtype: str) -> Array:
    """The values of an array that a file has; bfloat16 is carried by float32."""
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else array


def _read_wanted(kind: str, tensors: dict[str, Array]) -> dict[str, Expected] | None:
    """What is expected by name, taken out of the tensors; None where they are others."""
    want: dict[str, Expected] = {}
    for name in [name for name in tensors if name.partition(".")[0] == "expected"]:
        value = tensors.pop(name)
        zero = np.zeros(value.shape) if kind == "layers" else None
        budget = tensors.pop(f"budget{name.removeprefix('expected')}", zero)
        if budget is None or value.shape != budget.shape \
                or {value.dtype.name, budget.dtype.name} != {"float64"}:
            return None
        want[name.removeprefix("expected").removeprefix(".")] = Expected(value, budget)
    needs = {"value": list(want) == [""], "gradients": bool(want) and "" not in want,
             "layers": bool(want) and "" not in want}
    return want if not tensors and needs.get(kind, not want) else None


def _covers(judged: Array, value: Array) -> bool:
    try:
        return judged.dtype == bool \
            and np.broadcast_shapes(judged.shape, value.shape) == value.shape
    except ValueError:
        return False


def read_options(entry: Mapping[str, Any]) -> AttentionOptions | StemOptions | NetworkSpec | None:
    """The options of an entry. Raises ValueError."""
    kind, given = OPTIONS[entry["options_type"]], entry["options"]
    if kind is None or given is None:
        if kind is not None or given is not None:
            raise ValueError("`options` must be null exactly where there is no type of them; "
                             f"got {given!r:.200}.")
        return None
    if any(_too_large(value) for value in given.values()):
        raise ValueError(f"`options` must have sizes of at most {MOST_SIZE}; got {given!r:.300}.")
    try:
        options: AttentionOptions | StemOptions | NetworkSpec = kind(**{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"`options` must be valid; got {given!r:.300}: {error}") from None
    return options


def _too_large(value: object) -> bool:
    if isinstance(value, list):
        return len(value) > MOST_SIZE or any(map(_too_large, value))
    return isinstance(value, int) and value > MOST_SIZE


def read_results(directory: Path, entry: Mapping[str, Any]) -> dict[str, Answer] | None:
    """Somebody's results for a case by name, "" for the tensor "result"; None without a file.

    Raises ValueError for a file that is none.
    """
    file = entry["file"]
    if not (directory / file).exists():
        return None
    tensors = _load(file, _read_bytes(directory / file, MOST_FILE))
    found = {name.removeprefix("result").removeprefix("."): array
             for name, array in tensors.items() if name.partition(".")[0] == "result"}
    if not found:
        raise ValueError(f"`{file}` must hold a tensor named result; "
                         f"got {', '.join(sorted(tensors)) or 'none'}.")
    return {name: _answer(array, entry["dtype"]) for name, array in found.items()}


def _answer(array: Array, dtype: str) -> Answer:
    """A result as it is; bits of bfloat16 are read where that is due."""
    if dtype == "bfloat16" and array.dtype.name == "uint16":
        return Answer(read_stored(array, dtype), dtype)
    return Answer(array, array.dtype.name)


def read_error(directory: Path, file: str) -> str | None:
    """The argument that somebody's error names: {"error": {"argument": ...}}; None without a file.

    Raises ValueError for a file that is none.
    """
    path = directory / file.replace(".safetensors", ".json")
    if not path.exists():
        return None
    try:
        document = json.loads(_read_bytes(path, MOST_FILE))
    except (ValueError, RecursionError):
        document = None
    match document:
        case {"error": {"argument": str(argument)}}:
            return argument
    raise ValueError(f"`{path.name}` must be an error that names its argument; got something else.")


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
