"""The door for Python code: a function, a class, an object or a module that speaks NumPy.

What is loaded offers operations by their interface names, channels-last arrays in and out, with
`options` as in `sasakit.reference`: def local_attention(query, key, value, rel_row, rel_col, *,
options). A network is offered as `load(spec, weights)`, whose result has `trace(images)`, gradients
as `<operation>_vjp(upstream, ...)`, a function's also by its own name with _vjp. It may declare
`dtypes`, `profile`, `options` and `checks_input`, as `read_offer` reads them, and `tensors = True`
where it takes and gives those of torch.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..case import VJP, Case, call, call_vjp
from ..estimate import Array
from ..isolation.failure import TargetFailure
from ..offer import OPERATIONS, VJPS, Offer, read_offer
from ..target import Target
from .module_door import ModuleTarget, is_module_class, makes_modules
from .offered import OfferedTarget

DECLARED = ("dtypes", "profile", "options", "checks_input")


class PythonTarget(OfferedTarget):
    """Whatever was loaded, as a target."""

    def __init__(self, name: str, offered: Any, offer: Offer) -> None:
        self.name, self.offered, self.offer = name, offered, offer

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The operation; a network gives its layers by name."""
        return call(self.offered, case, arrays)

    def gradients(self, case: Case, arrays: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
        """The operation's own gradients, by argument."""
        found: dict[str, Any] = call_vjp(self.offered, case, arrays, upstream)
        return found

    def read(self, result: Any) -> Array:
        """NumPy array of an array or a tensor."""
        if hasattr(result, "detach"):
            result = result.detach().cpu()
            result = result.float() if self.result_dtype(result) == "bfloat16" else result
        if not hasattr(result, "__array__"):
            raise TargetFailure("bad answer", f"returned {_kind(result)}; expected an array.")
        return np.asarray(result)

    def result_dtype(self, result: Any) -> str:
        """Such as "float32", whoever's dtype it is."""
        dtype = result.dtype if hasattr(result, "dtype") else self.read(result).dtype
        return str(dtype).removeprefix("torch.")


def _kind(result: object) -> str:
    return "None" if result is None else f"a {type(result).__name__}"


def load(arguments: Mapping[str, Any]) -> Target:
    """Target of the arguments "spec" (file.py:name, package.module:name, package.module) and
    optional "operation" (which one a bare callable is) and "tensors" (whether it takes those of
    torch). A class of torch modules becomes a ModuleTarget, whose constructor gets "arguments", by
    name with placeholders.

    Raises what importing raises, ValueError for a name that is missing, TypeError for an object
    that offers nothing.
    """
    place, _, name = str(arguments["spec"]).rpartition(":") \
        if ":" in str(arguments["spec"]) else (str(arguments["spec"]), "", "")
    found: Any = _module(place)
    owner: Any = found
    for part in name.split(".") if name else ():
        if not hasattr(found, part):
            raise ValueError(f"`target` must name something in {place}; got {name!r}.")
        owner, found = found, getattr(found, part)
    chosen = arguments.get("arguments") or {}
    plain = arguments.get("operation") is None and not arguments.get("tensors")
    if is_module_class(found) or (plain and makes_modules(found, chosen)):
        return ModuleTarget(str(arguments["spec"]), found, chosen, arguments.get("weights"))
    if isinstance(found, type):
        found = found()
    beside = getattr(owner, f"{name.rpartition('.')[2]}{VJP}", None)
    offered, operations = _offered(found, arguments.get("operation"), beside)
    declared = {key: getattr(found, key) for key in DECLARED if hasattr(found, key)}
    offer = read_offer({**declared, "operations": operations})
    if arguments.get("tensors") or getattr(found, "tensors", getattr(owner, "tensors", False)):
        from .torch_tensors import TensorTarget
        return TensorTarget(str(arguments["spec"]), offered, offer)
    return PythonTarget(str(arguments["spec"]), offered, offer)


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(place)
    path = Path(place).resolve()
    if not path.is_file():
        raise ValueError(f"`target` must name a file that exists; got {place!r}.")
    if _imports_relatively(path):
        return _in_package(path)
    # As for a script: what lies beside it can be imported.
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"`target` must name a file of Python; got {place!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _imports_relatively(path: Path) -> bool:
    """Whether a file of a package imports from it; others do without what the package needs."""
    return (path.parent / "__init__.py").is_file() and any(
        isinstance(node, ast.ImportFrom) and node.level > 0
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))))


def _in_package(path: Path) -> ModuleType:
    """A file of a package as its module."""
    names = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    # What lies beside it can also be imported as it is, after all that its package offers.
    sys.path[:0] = [str(folder), str(path.parent)]
    return importlib.import_module(".".join(names))


def _offered(found: Any, operation: str | None, beside: Any) -> tuple[Any, list[str]]:
    """What is asked for operations by name, and which of them it has.

    beside  the function of its gradients, for a function that has one
    """
    if operation is not None or _is_function(found):
        name = operation or str(getattr(found, "__name__", ""))
        attribute = "load" if name == "network" else name
        if name not in (*OPERATIONS, *VJPS):
            raise ValueError(f"`--operation` must be one of {', '.join(OPERATIONS)} where the "
                             f"function has another name; got {name!r}.")
        if not callable(found):
            found = getattr(found, attribute)
        functions = {attribute: found}
        if callable(beside) and f"{name}{VJP}" in VJPS:
            functions[f"{name}{VJP}"] = beside
        return SimpleNamespace(**functions), [name, *(each for each in functions if each in VJPS
                                                      and each != name)]
    names = [name for name in (*OPERATIONS, *VJPS)
             if callable(getattr(found, "load" if name == "network" else name, None))]
    if not names:
        raise TypeError(f"`target` must be a function or offer some of {', '.join(OPERATIONS)}; "
                        f"got {_kind(found)} that offers none.")
    return found, names


def _is_function(found: Any) -> bool:
    """A callable that offers no operation by name is one operation itself."""
    return callable(found) and not any(
        hasattr(found, name) for name in (*OPERATIONS, *VJPS, "load"))
