"""The door for torch module classes that nobody adapted: built, set and run as the kit asks. A
function that makes a module, such as a network of one depth, stands for its class.

A case "module" has the arrays x (batch, height, width, channels), sizes (4,) as the numbers of
`Sizes`, and parameters by name; "module parameters" has sizes alone and gives the parameters that
a new build has, with its `Facts`. Every case says all that it depends on, so that a process that
was lost is no loss.

An array whose name begins with "set " is one number that says how: "set padding", "set stride" and
"set bias" are arguments of the constructor, "set fresh" numbers another build of the same sizes,
"set manner" is one of MANNERS, by its place; with "set buffers" the buffers are given instead of
the parameters, with "set weights" those of the file that the target was described with.
"""

from collections.abc import Callable, Mapping
from inspect import signature
from types import FunctionType
from typing import Any

import numpy as np

from ..case import Case
from ..diagnosis.construct import role_of
from ..diagnosis.instance import Sizes
from ..diagnosis.said import MANNERS
from ..estimate import Array
from ..offer import MODULE, OPERATIONS, Offer, profiles_of
from .offered import OfferedTarget

SAID = "set "
ROOT = "torch.nn.modules.module"


def is_module_class(found: object) -> bool:
    """Whether something is a class of torch modules; torch itself is not imported for it."""
    return isinstance(found, type) and any(
        base.__module__ == ROOT and base.__name__ == "Module" for base in found.__mro__)


def makes_modules(found: object, arguments: Mapping[str, str]) -> bool:
    """Whether a function may be one that makes a module: it stands beside classes of modules, and
    asks for nothing that neither its names nor the user says.
    """
    if not isinstance(found, FunctionType) or not any(map(is_module_class,
                                                          found.__globals__.values())):
        return False
    asked = [name for name, each in signature(found).parameters.items()
             if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL,
                                                                 each.VAR_KEYWORD)]
    return found.__name__ not in OPERATIONS and all(
        name in arguments or role_of(name) is not None for name in asked)


class ModuleTarget(OfferedTarget):
    """A module class in this process."""

    offer = Offer((MODULE,), profiles_of({}, ("float64",)), gradients=())

    def __init__(self, name: str, make: Callable[..., Any], arguments: Mapping[str, str],
                 weights: str | None = None) -> None:
        from .network_door import NetworkDoor
        from .torch_module import TorchBuilder, TorchInstance
        self.name, self._weights = name, weights
        self._network = NetworkDoor(make, arguments)
        self._builder = TorchBuilder(make, arguments)
        # Every build with its own parameters, by its sizes and what else was said.
        self._built: dict[tuple[Sizes, tuple[tuple[str, int], ...]],
                          tuple[TorchInstance, dict[str, Array]]] = {}

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The module's output, or its own parameters."""
        given = {name: array for name, array in arrays.items() if not name.startswith(SAID)}
        said = {name.removeprefix(SAID): int(array[0]) for name, array in arrays.items()
                if name.startswith(SAID)}
        if "weights" in said:
            from .torch_module import read_weights
            return read_weights(self._weights or "")
        if self._network.answers(case.operation, given):
            return self._network.call(case.operation, given)
        manner, buffers = MANNERS[said.pop("manner", 0)], said.pop("buffers", 0)
        sizes = Sizes(*(int(size) for size in given.pop("sizes")))
        key = sizes, tuple(said.items())
        if key not in self._built:
            instance = self._builder.build(sizes, said)
            self._built[key] = instance, instance.get()
        instance, own = self._built[key]
        if case.operation != MODULE:
            if buffers:
                return instance.buffers()
            # Nothing that an earlier case did is left.
            instance.set(own)
            return own | instance.facts.arrays()
        x = given.pop("x")
        instance.set(given)
        return instance.run(x, manner)

    def read(self, result: Any) -> Array:
        """The result itself."""
        return np.asarray(result)

    def result_dtype(self, result: Any) -> str:
        """Of a NumPy array."""
        return str(result.dtype)
