"""The door for Python code: a function, a class, an object or a module that speaks NumPy.

What is loaded offers operations by their interface names, channels-last arrays in and out, with
`options` as in `sasakit.reference`: def local_attention(query, key, value, rel_row, rel_col, *,
options). A network is offered as `load(spec, weights)`, whose result has `trace(images)`. It may
declare `dtypes`, `profile`, `options` and `checks_input`, as `read_offer` reads them.
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..case import Case, call
from ..estimate import Array
from ..isolation.failure import TargetFailure
from ..offer import OPERATIONS, Offer, read_offer
from ..profiles import Profile
from ..target import native_arrays
from .module_door import ModuleTarget, is_module_class, makes_modules

DECLARED = ("dtypes", "profile", "options", "checks_input")


class PythonTarget:
    """Whatever was loaded, as a target."""

    def __init__(self, name: str, offered: Any, offer: Offer) -> None:
        self.name, self._offered, self.offer = name, offered, offer

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Types of the arrays that it takes."""
        return tuple(self.offer.profiles)

    def profile(self, dtype: str) -> Profile:
        """How it says that it rounds."""
        return self.offer.profiles[dtype]

    def native(self, case: Case) -> dict[str, Any]:
        """NumPy arrays."""
        return native_arrays(case, lambda array, dtype=None: array)

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The operation; a network gives its layers by name."""
        return call(self._offered, case, arrays)

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


def load(arguments: Mapping[str, Any]) -> PythonTarget | ModuleTarget:
    """Target of the arguments "spec" (file.py:name, package.module:name, package.module) and
    optional "operation" (which one a bare callable is). A class of torch modules becomes a
    ModuleTarget, whose constructor gets "arguments", by name with placeholders.

    Raises what importing raises, ValueError for a name that is missing, TypeError for an object
    that offers nothing.
    """
    place, _, name = str(arguments["spec"]).rpartition(":") \
        if ":" in str(arguments["spec"]) else (str(arguments["spec"]), "", "")
    found: Any = _module(place)
    for part in name.split(".") if name else ():
        if not hasattr(found, part):
            raise ValueError(f"`target` must name something in {place}; got {name!r}.")
        found = getattr(found, part)
    made = arguments.get("operation") is None and makes_modules(found, arguments.get("arguments")
                                                                or {})
    if is_module_class(found) or made:
        return ModuleTarget(str(arguments["spec"]), found, arguments.get("arguments", {}))
    if isinstance(found, type):
        found = found()
    offered, operations = _offered(found, arguments.get("operation"))
    declared = {key: getattr(found, key) for key in DECLARED if hasattr(found, key)}
    return PythonTarget(str(arguments["spec"]), offered,
                        read_offer({**declared, "operations": operations}))


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(place)
    path = Path(place).resolve()
    if not path.is_file():
        raise ValueError(f"`target` must name a file that exists; got {place!r}.")
    # As for a script: what lies beside it can be imported.
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"`target` must name a file of Python; got {place!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _offered(found: Any, operation: str | None) -> tuple[Any, list[str]]:
    """What is asked for operations by name, and which of them it has."""
    if operation is not None or _is_function(found):
        name = operation or str(getattr(found, "__name__", ""))
        attribute = "load" if name == "network" else name
        if name not in OPERATIONS:
            raise ValueError(f"`--operation` must be one of {', '.join(OPERATIONS)} where the "
                             f"function has another name; got {name!r}.")
        if not callable(found):
            found = getattr(found, attribute)
        return SimpleNamespace(**{attribute: found}), [name]
    names = [name for name in OPERATIONS
             if callable(getattr(found, "load" if name == "network" else name, None))]
    if not names:
        raise TypeError(f"`target` must be a function or offer some of {', '.join(OPERATIONS)}; "
                        f"got {_kind(found)} that offers none.")
    return found, names


def _is_function(found: Any) -> bool:
    """A callable that offers no operation by name is one operation itself."""
    return callable(found) and not any(hasattr(found, name) for name in (*OPERATIONS, "load"))
