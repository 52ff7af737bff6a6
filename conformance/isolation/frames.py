"""Frames between the kit and a child: one line of JSON, then the raw bytes of the arrays it lists.

Nothing is unpickled: what comes from a child is numbers of a few known types, in shapes whose size
is checked before anything is allocated.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sasakit.reference import AttentionOptions, NetworkSpec, StemOptions

from ..case import Case
from ..estimate import Array

MOST_HEADER = 1 << 20
MOST_ARRAYS = 4096
RESULT_TYPES = ("float16", "float32", "float64")
_OPTIONS: dict[str, Any] = {
    each.__name__: each for each in (AttentionOptions, StemOptions, NetworkSpec)}


class BadFrame(ValueError):
    """A frame that is none, or that lists what is not allowed."""


def encode(header: Mapping[str, Any], arrays: Sequence[Array | None] = ()) -> bytes:
    """A frame with the header's entries and the arrays, None among them."""
    listed = [None if array is None else [array.dtype.name, list(array.shape)] for array in arrays]
    line = json.dumps({**header, "arrays": listed}, allow_nan=False)
    return b"\n".join([line.encode(), b"".join(
        np.ascontiguousarray(array).tobytes() for array in arrays if array is not None)])


def decode_header(line: bytes) -> tuple[dict[str, Any], int]:
    """Header of a frame, and the number of bytes that follow it. Raises BadFrame."""
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        raise BadFrame(f"not a line of JSON: {line[:200]!r}") from None
    listed = header.get("arrays") if isinstance(header, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_ARRAYS:
        raise BadFrame(f"no list of at most {MOST_ARRAYS} arrays: {line[:200]!r}")
    return header, sum(_bytes(entry) for entry in listed if entry is not None)


def _bytes(entry: object) -> int:
    match entry:
        case [str(dtype), [*shape]] if dtype in RESULT_TYPES and len(shape) <= 16:
            sizes = [size for size in shape if type(size) is int and 0 <= size < 2**40]
            if len(sizes) == len(shape):
                return math.prod(sizes) * np.dtype(dtype).itemsize
    raise BadFrame(f"an array must be {', '.join(RESULT_TYPES)} and a shape; got {entry!r:.200}.")


def decode_arrays(header: Mapping[str, Any], data: bytes) -> list[Array | None]:
    """The arrays that a checked header lists, each its own copy."""
    arrays: list[Array | None] = []
    start = 0
    for entry in header["arrays"]:
        if entry is None:
            arrays.append(None)
            continue
        size = _bytes(entry)
        flat = np.frombuffer(data[start:start + size], entry[0])
        arrays.append(flat.reshape(entry[1]).copy())
        start += size
    return arrays


def encode_case(case: Case, number: int) -> bytes:
    """The request to run a case."""
    options = case.options
    spelled = None if options is None else {
        "kind": type(options).__name__,
        "fields": {name: getattr(options, name) for name in options.__dataclass_fields__}}
    header = {"id": number, "operation": case.operation, "options": spelled, "dtype": case.dtype,
              "layout": case.layout, "types": dict(case.types), "names": list(case.arrays)}
    return encode(header, [None if array is None else array.astype(np.float64)
                           for array in case.arrays.values()])


def decode_case(header: Mapping[str, Any], arrays: Sequence[Array | None]) -> Case:
    """The case of a request."""
    spelled: Any = header["options"]
    options = None if spelled is None else _OPTIONS[spelled["kind"]](
        **{name: tuple(value) if isinstance(value, list) else value
           for name, value in spelled["fields"].items()})
    return Case(header["operation"], dict(zip(header["names"], arrays, strict=True)), options,
                header["dtype"], header["layout"], types=header["types"])
