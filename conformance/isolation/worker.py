"""The process that runs foreign code: loads one target, then answers one case after the other.

Started by child.py as `python -m sasakit.conformance.isolation.worker JSON`. Nothing that happens
here is trusted there.
"""

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from .supervisor import supervise

if TYPE_CHECKING:
    from ..target import Target

MOST_FILE = 1 << 30


def main() -> None:
    """Split into the supervisor and the worker."""
    given = json.loads(sys.argv[1])
    supervise(given["control"], given["status"], lambda: _work(given))


def _work(given: dict[str, Any]) -> None:
    for name in ("request", "reply"):
        os.set_inheritable(given[name], False)
    _limit(given["memory"])
    requests = os.fdopen(given["request"], "rb")
    # Where the foreign code's own arguments would be.
    sys.argv = [""]
    target = None
    try:
        target = _load(given["description"])
        hello = _hello(target)
    except BaseException as error:
        hello = _failed(error, starting=True)
    _write(given["reply"], hello)
    while target is not None and (line := requests.readline()):
        _write(given["reply"], _answer(target, line, requests, given["seconds"]))


def _limit(memory: int) -> None:
    import resource
    for limit, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_FSIZE, MOST_FILE)):
        hard = resource.getrlimit(limit)[1]
        if most or limit != resource.RLIMIT_AS:
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (most, most))


def _allow_cpu(seconds: float) -> None:
    """Let this process compute for so long from now on."""
    import math
    import resource
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _load(description: dict[str, Any]) -> "Target":
    from ..doors import load_described
    return load_described(description)


def _hello(target: "Target") -> bytes:
    from dataclasses import asdict

    from ..case import VJP
    from ..offer import offer_of
    from .frames import encode
    offer = offer_of(target)
    return encode({
        "operations": [*offer.operations, *(name + VJP for name in offer.gradients)],
        "options": dict(offer.options), "checks_input": offer.checks_input,
        "dtypes": target.dtypes,
        "profile": {dtype: asdict(target.profile(dtype)) for dtype in target.dtypes}})


def _answer(target: "Target", line: bytes, requests: Any, seconds: float) -> bytes:
    import faulthandler

    from .frames import decode_arrays, decode_case, decode_header
    header, size = decode_header(line)
    case = decode_case(header, decode_arrays(header, requests.read(size)))
    _allow_cpu(seconds)
    # A little before the kit gives up, so that it can tell where the time went.
    faulthandler.dump_traceback_later(0.8 * seconds, exit=False)
    try:
        return _run(target, case, header["id"])
    except BaseException as error:
        return _failed(error, number=header["id"])
    finally:
        faulthandler.cancel_dump_traceback_later()


def _run(target: "Target", case: Any, number: int) -> bytes:
    """The reply: the results, then the inputs that changed."""
    import numpy as np

    from ..case import UPSTREAM, asked_name
    from ..gradients import gradients_of
    from ..offer import NAMED_RESULTS
    from .frames import RESULT_TYPES, encode
    asked = asked_name(case)
    native = target.native(case)
    before = {name: np.array(target.read(array)) for name, array in native.items()
              if array is not None}
    result = gradients_of(case, target, native) if UPSTREAM in native \
        else target.call(case, native)
    several = asked != case.operation or asked in NAMED_RESULTS
    named = _by_name(asked, result) if several else {asked: result}
    results = [_checked(name, target.read(value)) for name, value in named.items()]
    changed = {name: after for name, array in before.items()
               if array.dtype.name in RESULT_TYPES
               and (after := np.asarray(target.read(native[name]))).tobytes() != array.tobytes()}
    return encode(
        {"id": number, "names": list(named) if several else None,
         "dtypes": [target.result_dtype(value) for value in named.values()],
         "changed": list(changed)}, [*results, *changed.values()])


def _by_name(operation: str, result: Any) -> dict[str, Any]:
    from collections.abc import Mapping

    from .failure import TargetFailure
    if not isinstance(result, Mapping):
        raise TargetFailure("bad answer", f"{operation} returned a {type(result).__name__}; "
                                          f"expected results by name.")
    return {str(name): value for name, value in result.items()}


def _checked(name: str, array: Any) -> Any:
    from .failure import TargetFailure
    from .frames import RESULT_TYPES
    if array.dtype.name not in RESULT_TYPES:
        raise TargetFailure("bad answer", f"{name} returned an array of dtype {array.dtype}; "
                                          f"expected {', '.join(RESULT_TYPES)}.")
    return array


def _failed(error: BaseException, *, number: int = 0, starting: bool = False) -> bytes:
    from .failure import Raised, TargetFailure, failure_document
    from .frames import encode
    if isinstance(error, TargetFailure):
        failure = error
    elif isinstance(error, SystemExit):
        failure = TargetFailure("exit", f"called sys.exit({error.code!r:.200}).\n{_trace(error)}")
    elif isinstance(error, MemoryError):
        failure = TargetFailure("memory", f"more than the limit allows.\n{_trace(error)}")
    else:
        kind = type(error)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        bases = tuple(base.__name__ for base in kind.__mro__ if base.__module__ == "builtins")
        raised = Raised(f"{module}{kind.__qualname__}", _text(error), bases)
        failure = TargetFailure("import error" if starting else "exception",
                                f"{raised}\n{_trace(error)}", None if starting else raised)
    return encode({"id": number, "failure": failure_document(failure)})


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as another:
        return f"(its message cannot be had: {type(another).__name__})"


def _trace(error: BaseException) -> str:
    """The traceback from the first line that is not the kit's own."""
    import traceback
    from pathlib import Path
    kit = str(Path(__file__).parent.parent)
    try:
        frames = traceback.extract_tb(error.__traceback__)
        while frames and (frames[0].filename.startswith((kit, "<frozen"))
                          or "importlib" in frames[0].filename):
            del frames[0]
        return "".join(traceback.format_list(frames)).rstrip()
    except Exception:
        return "(its trace cannot be had)"


def _write(descriptor: int, frame: bytes) -> None:
    left = memoryview(frame)
    while left:
        left = left[os.write(descriptor, left):]


if __name__ == "__main__":
    main()
