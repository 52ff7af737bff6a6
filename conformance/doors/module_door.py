"""The door for torch module classes that nobody adapted: built, set and run as the kit asks.

A case "module" has the arrays x (batch, height, width, channels), sizes (4,) as the numbers of
`Sizes`, and parameters by name; "module parameters" has sizes alone and gives the parameters that
a new build has, with its `Facts`. Every case says all that it depends on, so that a process that
was lost is no loss.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..case import Case
from ..diagnosis.instance import Sizes
from ..estimate import Array
from ..offer import MODULE, Offer, profiles_of
from ..profiles import Profile
from ..target import native_arrays

ROOT = "torch.nn.modules.module"


def is_module_class(found: object) -> bool:
    """Whether something is a class of torch modules; torch itself is not imported for it."""
    return isinstance(found, type) and any(
        base.__module__ == ROOT and base.__name__ == "Module" for base in found.__mro__)


class ModuleTarget:
    """A module class in this process."""

    dtypes = ("float64",)
    offer = Offer((MODULE,), profiles_of({}, ("float64",)))

    def __init__(self, name: str, make: Callable[..., Any], arguments: Mapping[str, str]) -> None:
        from .torch_module import TorchBuilder, TorchInstance
        self.name = name
        self._builder = TorchBuilder(make, arguments)
        self._built: dict[Sizes, TorchInstance] = {}

    def profile(self, dtype: str) -> Profile:
        """Double precision throughout."""
        return self.offer.profiles[dtype]

    def native(self, case: Case) -> dict[str, Any]:
        """NumPy arrays."""
        return native_arrays(case, lambda array, dtype=None: array)

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The module's output, or its own parameters."""
        given = dict(arrays)
        sizes = Sizes(*(int(size) for size in given.pop("sizes")))
        if sizes not in self._built:
            self._built[sizes] = self._builder.build(sizes)
        instance = self._built[sizes]
        if case.operation != MODULE:
            return instance.get() | instance.facts.arrays()
        x = given.pop("x")
        instance.set(given)
        return instance.run(x)

    def read(self, result: Any) -> Array:
        """The result itself."""
        return np.asarray(result)

    def result_dtype(self, result: Any) -> str:
        """Of a NumPy array."""
        return str(result.dtype)
