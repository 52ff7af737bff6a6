"""A network in one file: its spec and its weights, as safetensors, which no code is run to read.

metadata key     value
format           sasakit
spec_version     the version of SPEC.md that the network was written under
network          every field of its NetworkSpec, as JSON
any other        text of the writer's, such as labels and how images are prepared
"""

import contextlib
import dataclasses
import errno
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sasakit.reference.contract.architecture import NetworkSpec
from sasakit.reference.contract.arrays import ArrayKind
from sasakit.reference.contract.errors import broken
from sasakit.reference.contract.parameters import check_network, network_parameters
from sasakit.reference.contract.version import SPEC_VERSION

Floats = npt.NDArray[np.floating]

FORMAT = "sasakit"
RESERVED = ("format", "spec_version", "network")
LONGEST_NETWORK = 4096  # characters; a spec has some 400
# safetensors' names; NumPy has no bfloat16.
DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64"}

FILED = ArrayKind(
    backend="weights file",
    noun="a NumPy array",
    accepts=lambda x: isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray),
    dtype=lambda x: str(x.dtype.name),
    device=lambda x: "cpu",
    dtypes=tuple(DTYPES.values()),
)


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """What a weights file holds.

    spec      the network
    weights   its NumPy weights by the names of `network_parameters`, in that order (NET-6)
    metadata  the writer's own texts by name
    """

    spec: NetworkSpec
    weights: dict[str, Floats]
    metadata: dict[str, str]


def write_weights(path: str | os.PathLike[str], spec: NetworkSpec, weights: Mapping[str, Floats],
                  /, **metadata: str) -> None:
    """Write a network's weights; a file of that name is replaced whole, or left as it was.

    weights   NumPy arrays by the names of `network_parameters`: float16, float32 or float64,
              one dtype, finite (NET-6)
    metadata  texts to keep beside them
    Raises ValueError or TypeError for weights that do not fit the network, are not finite, or for
    metadata that is no text or has a reserved name; ImportError without safetensors; OSError where
    the file cannot be written.
    """
    check_network(FILED, spec, weights)
    for name, text in metadata.items():
        if name in RESERVED:
            raise ValueError(broken("metadata", f"not be named {', '.join(RESERVED)}", name))
        if not isinstance(text, str):
            raise TypeError(broken(name, "be text", type(text).__name__))
    names = network_parameters(spec)
    for name in names:
        if not np.isfinite(weights[name]).all():
            raise ValueError(broken("weights", "be finite", f"NaN or infinity in {name}"))
    arrays = {name: np.ascontiguousarray(weights[name], weights[name].dtype.newbyteorder("="))
              for name in names}
    header = metadata | {"format": FORMAT, "spec_version": SPEC_VERSION,
                         "network": json.dumps(dataclasses.asdict(spec))}
    _safetensors()
    from safetensors.numpy import save
    _replace(Path(path), _in_order(save(arrays, header)))


def _in_order(content: bytes) -> bytes:
    """The same file with its header sorted: safetensors orders metadata by chance, and the same
    network is to give the same bytes.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[start:]


def _replace(path: Path, content: bytes) -> None:
    """Write beside the file, then rename: no moment shows half of it, whatever interrupts."""
    target = Path(os.path.realpath(path))
    partial = target.parent / f".{secrets.token_hex(8)}.partial"
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        # Told of the file that was asked for, not of the one beside it.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def read_weights(path: str | os.PathLike[str]) -> WeightsFile:
    """Read what `write_weights` wrote; nothing in the file is ever run.

    Raises FileNotFoundError for a missing file; ValueError, which begins with "`weights` must",
    for what is no whole safetensors file of this project, for a network that cannot be, for
    weights that do not fit it or are not finite, and for a major version of SPEC.md newer than
    this one; ImportError without safetensors.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    if not path.is_file():
        _refuse("be a file", path, "which is a directory" if path.is_dir() else "which is none")
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = dict(file.metadata() or {})
            spec = _read_spec(path, header, len(file.keys()))
            weights = {name: _read_array(path, file, name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        _refuse("be a whole safetensors file", path, str(error))
    try:
        check_network(FILED, spec, weights)
    except (ValueError, TypeError) as error:
        _refuse("fit their network", path, f"where {error}")
    for name, w in weights.items():
        if not np.isfinite(w).all():
            _refuse("be finite", path, f"with NaN or infinity in {name}")
    ordered = {name: weights[name] for name in network_parameters(spec)}
    own = {name: text for name, text in header.items() if name not in RESERVED}
    return WeightsFile(spec, ordered, own)


def _safetensors() -> ModuleType:
    try:
        import safetensors
    except ImportError as error:
        raise ImportError("`safetensors` must be installed to read or write weights; "
                          "pip install 'sasakit[images]'.") from error
    return safetensors


def _refuse(rule: str, path: Path, why: str) -> NoReturn:
    detail = " ".join(why.split()).rstrip(".")
    raise ValueError(broken("weights", rule, f"{os.fspath(path)!r}, {detail}")) from None


def _read_array(path: Path, file: Any, name: str) -> Floats:
    dtype = file.get_slice(name).get_dtype()
    if dtype not in DTYPES:
        _refuse(f"be {' or '.join(DTYPES.values())}", path, f"with {dtype} in {name}")
    array: Floats = file.get_tensor(name)
    return array


def _read_spec(path: Path, header: Mapping[str, str], count: int) -> NetworkSpec:
    """The network of a file with so many arrays."""
    if header.get("format") != FORMAT or any(name not in header for name in RESERVED):
        _refuse("be a file that sasakit wrote", path, "whose metadata names no network of its own")
    _check_version(path, header["spec_version"])
    rule = "name a network that can be"
    text = header["network"]
    if len(text) > LONGEST_NETWORK:
        _refuse(rule, path, f"with {len(text)} characters of it")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        _refuse(rule, path, "which names it in no JSON")
    expected = {field.name for field in dataclasses.fields(NetworkSpec)}
    if not isinstance(fields, dict) or fields.keys() != expected:
        _refuse(rule, path, "whose fields are not those of NetworkSpec")
    for name in ("blocks", "stages"):
        if isinstance(fields[name], list):
            fields[name] = tuple(fields[name])
    try:
        spec = NetworkSpec(**fields)
    except (ValueError, TypeError) as error:
        _refuse(rule, path, f"where {error}")
    # Every block has arrays of its own; a count far beyond them would take for ever to list.
    if sum(spec.block_counts) > count:
        _refuse("fit their network", path,
                f"with {count} arrays for {sum(spec.block_counts)} blocks")
    return spec


def _check_version(path: Path, version: str) -> None:
    major, _, minor = version.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in (major, minor)):
        _refuse("say their version of SPEC.md", path, f"which says {version[:40]!r}")
    newest = SPEC_VERSION.partition(".")[0]
    if int(major) > int(newest):
        _refuse(f"follow SPEC.md {newest} or older", path, f"which follows {version}")
