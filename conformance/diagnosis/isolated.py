"""Instances of a module that lives in another process."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..case import Case
from ..estimate import Array
from ..isolation.failure import TargetFailure
from ..isolation.target import IsolatedTarget
from ..offer import MODULE, MODULE_PARAMETERS
from .instance import ModuleError, Sizes


class IsolatedInstance:
    """One build; its parameters are kept here and go along with every image."""

    def __init__(self, target: IsolatedTarget, sizes: Sizes, operations: tuple[str, str],
                 extra: Mapping[str, Array]) -> None:
        self._target, self._operations, self._extra = target, operations, extra
        self._sizes = np.array([sizes.channels_in, sizes.channels_out, sizes.heads, sizes.extent],
                               float)
        found: dict[str, Any] = self._ask(operations[1], {})
        self._own = {name: target.read(value) for name, value in found.items()}
        self._set: dict[str, Array] = {}

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of its parameters by name, in their order."""
        return {name: value.shape for name, value in self._own.items()}

    def get(self) -> dict[str, Array]:
        """Copies of the parameters as they are."""
        return {name: value.copy() for name, value in {**self._own, **self._set}.items()}

    def set(self, parameters: Mapping[str, Array]) -> None:
        """Overwrite some parameters."""
        self._set |= {name: np.ascontiguousarray(value) for name, value in parameters.items()}

    def run(self, x: Array) -> Array:
        """(batch, rows, cols, channels_out) of x (batch, height, width, channels_in)."""
        return self._target.read(self._ask(self._operations[0], {"x": x, **self._own, **self._set}))

    def _ask(self, operation: str, arrays: Mapping[str, Array]) -> Any:
        case = Case(operation, {"sizes": self._sizes, **self._extra, **arrays}, None, "float64")
        try:
            return self._target.call(case, self._target.native(case))
        except TargetFailure as failure:
            raise ModuleError(str(failure)) from failure


class IsolatedBuilder:
    """Builds in another process.

    operations  that run a build and tell its parameters
    extra       arrays that say which class is meant, where it is not the target's own
    """

    def __init__(self, target: IsolatedTarget,
                 operations: tuple[str, str] = (MODULE, MODULE_PARAMETERS),
                 extra: Mapping[str, Array] | None = None) -> None:
        self._target, self._operations, self._extra = target, operations, extra or {}

    def build(self, sizes: Sizes) -> IsolatedInstance:
        """Raises ModuleError with what happened there."""
        return IsolatedInstance(self._target, sizes, self._operations, self._extra)
