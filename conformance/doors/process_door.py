"""The door for a process in any language: one JSON document a line, on its stdin and stdout.

docs/process-door.md describes the lines, schemas/process.schema.json spells them. What the process
writes to stderr is kept and shown where it fails.
"""

import base64
import json
import math
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from sasakit.reference.contract.version import SPEC_VERSION

from ..case import UPSTREAM, Case, asked_name
from ..estimate import Array
from ..isolation.failure import Raised, TargetFailure
from ..isolation.frames import RESULT_TYPES
from ..offer import Offer, read_offer
from .offered import OfferedTarget

PROTOCOL = 1
MOST_LINE = 256 << 20
ENCODINGS = ("base64", "lists")
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# What a process may call an error, and what Python would call it.
KIN = ("ValueError", "TypeError")


@dataclass(frozen=True)
class Result:
    """One array of a response; bfloat16 is carried by float32."""

    array: Array
    dtype: str


class ProcessTarget(OfferedTarget):
    """A running process as a target; it is started again after a line that cannot be read."""

    def __init__(self, command: str) -> None:
        self.name = command
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self._encoding = "base64"
        self.offer = self._start()

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The response to one request; a network's by layer, gradients by argument."""
        if self._process is None:
            self.offer = self._start()
        self._asked += 1
        response = self._exchange(_request(case, arrays, self._asked, self._encoding))
        try:
            if response.get("id") != self._asked:
                raise ValueError(f"its id is {response.get('id')!r:.50}, not {self._asked}")
            if "error" in response:
                raise _raised(response["error"])
            by_name = "gradients" if UPSTREAM in case.arrays else "layers"
            if by_name == "layers" and case.operation != "network":
                return _result(response, case.dtype)
            return {str(name): _result(entry, case.dtype)
                    for name, entry in response[by_name].items()}
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            self._stop()
            raise TargetFailure("bad answer", f"{type(error).__name__}: {error}, in the response "
                                              f"to {asked_name(case)}.") from None

    def gradients(self, case: Case, arrays: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
        """The response to a request for gradients, by argument."""
        found: dict[str, Any] = self.call(case, {**arrays, UPSTREAM: upstream})
        return found

    def read(self, result: Any) -> Array:
        """NumPy array."""
        return result.array if isinstance(result, Result) else np.asarray(result)

    def result_dtype(self, result: Any) -> str:
        """The dtype that the response says, or the request's."""
        return result.dtype if isinstance(result, Result) else str(result.dtype)

    def close(self) -> None:
        """End the process."""
        self._stop()

    def _start(self) -> Offer:
        try:
            self._process = subprocess.Popen(shlex.split(self._command), stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE)
        except (OSError, ValueError, IndexError) as error:
            raise TargetFailure("import error", f"cannot run {self._command!r}: {error}") from None
        said = self._exchange({"hello": {"protocol": PROTOCOL, "spec_version": SPEC_VERSION}})
        hello = said.get("hello")
        try:
            if not isinstance(hello, dict):
                raise ValueError(f"its first line must be a hello; got {said!r:.200}")
            _check_version(hello.get("spec_version"))
            if hello.get("encoding", "base64") not in ENCODINGS:
                raise ValueError(f"`encoding` must be one of {', '.join(ENCODINGS)}; "
                                 f"got {hello['encoding']!r:.50}")
            self._encoding = hello.get("encoding", "base64")
            return read_offer(hello)
        except (ValueError, TypeError) as error:
            self._stop()
            raise TargetFailure("bad answer", f"{error}, starting.") from None

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._let_go()

    def _let_go(self) -> None:
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout) if process is not None else ():
            # What was not sent can no longer be.
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _exchange(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Send one line, read one. The kit ends whoever takes too long."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise TargetFailure("crash", "the process does not run.")
        # One that has ended may have said something before.
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(document, allow_nan=False).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline(MOST_LINE)
        if not line.endswith(b"\n"):
            if len(line) == MOST_LINE:
                self._stop()
                raise TargetFailure("endless output", f"a line of more than {MOST_LINE} bytes.")
            raise self._ended()
        try:
            said = json.loads(line)
            if isinstance(said, dict):
                return said
        except (ValueError, RecursionError):
            pass
        self._stop()
        raise TargetFailure("bad answer", f"a line that is no JSON object: {line[:200]!r}")

    def _ended(self) -> TargetFailure:
        code = self._process.wait() if self._process is not None else 0
        self._let_go()
        if code < 0:
            return TargetFailure("crash", f"the process ended by {signal.Signals(-code).name}.")
        return TargetFailure("exit", f"the process ended with status {code}.")


def load(arguments: Mapping[str, Any]) -> ProcessTarget:
    """Target of the argument "command", which is split as a shell would, and run without one."""
    return ProcessTarget(str(arguments["command"]))


def _check_version(given: object) -> None:
    """Clauses keep their meaning, so that an older text is judged by a newer kit."""
    parts = given.split(".") if isinstance(given, str) else []
    known = [int(part) for part in SPEC_VERSION.split(".")]
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 9
                                  for part in parts) \
            or int(parts[0]) != known[0] or int(parts[1]) > known[1]:
        raise ValueError(f"`spec_version` must be at most {SPEC_VERSION}, of the same first "
                         f"number; got {given!r:.50}")


def _raised(error: Mapping[str, Any]) -> TargetFailure:
    kind, message = error["type"], error["message"]
    if not isinstance(kind, str) or not isinstance(message, str):
        raise TypeError("an error must have a type and a message, both strings")
    raised = Raised(kind, message, (kind,) if kind in KIN else ())
    return TargetFailure("exception", str(raised), raised)


def _request(case: Case, arrays: Mapping[str, Any], number: int, encoding: str) -> dict[str, Any]:
    options = case.options
    spelled = None if options is None else {
        name: getattr(options, name) for name in options.__dataclass_fields__}
    return {"id": number, "operation": asked_name(case), "options": spelled, "dtype": case.dtype,
            "arrays": {name: None if array is None else
                       spell_array(array, case.types.get(name, case.dtype), encoding)
                       for name, array in arrays.items()}}


def spell_array(array: Array, dtype: str, encoding: str = "base64") -> dict[str, Any]:
    """An array as the process gets it; bfloat16 is the upper half of float32's bits."""
    shape = list(array.shape)
    if encoding == "lists":
        if np.iscomplexobj(array):
            array = np.stack([array.real, array.imag], axis=-1)
        return {"shape": shape, "dtype": dtype, "data": _listed(array.tolist())}
    if dtype == "bfloat16":
        array = (np.ascontiguousarray(array, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    little = array.astype(array.dtype.newbyteorder("<"))
    return {"shape": shape, "dtype": dtype, "data": base64.b64encode(little.tobytes()).decode()}


def _listed(value: Any) -> Any:
    if isinstance(value, list):
        return [_listed(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return next(name for name, number in NOT_FINITE.items()
                    if number == value or (name == "NaN" and math.isnan(value)))
    return value


def _result(entry: Mapping[str, Any], dtype: str) -> Result:
    """An array of a response. Raises ValueError or TypeError for one that is none."""
    dtype = entry.get("dtype", dtype)
    if dtype not in (*RESULT_TYPES, "bfloat16"):
        raise ValueError(f"`dtype` must be a float type; got {dtype!r:.50}")
    shape = entry["shape"]
    if not isinstance(shape, list) or len(shape) > 16 or not all(
            type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"`shape` must be a list of sizes; got {shape!r:.200}")
    data = entry["data"]
    carrier = "uint16" if dtype == "bfloat16" else dtype
    if isinstance(data, str):
        flat = np.frombuffer(base64.b64decode(data, validate=True),
                             np.dtype(carrier).newbyteorder("<"))
        if dtype == "bfloat16":
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
    else:
        numbers: list[float] = []
        _flatten(data, shape, numbers)
        flat = np.array(numbers, "float32" if dtype == "bfloat16" else dtype)
    if flat.size != math.prod(shape):
        raise ValueError(f"`data` must hold {math.prod(shape)} numbers; got {flat.size}")
    return Result(flat.reshape(shape).astype(flat.dtype.newbyteorder("=")), dtype)


def _flatten(value: Any, shape: list[int], numbers: list[float]) -> None:
    if not shape:
        if type(value) not in (int, float) and value not in NOT_FINITE:
            raise ValueError(f"`data` must hold numbers; got {value!r:.50}")
        numbers.append(NOT_FINITE[value] if isinstance(value, str) else float(value))
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise ValueError(f"`data` must be nested as {shape} says; got {value!r:.50}")
    for entry in value:
        _flatten(entry, shape[1:], numbers)
