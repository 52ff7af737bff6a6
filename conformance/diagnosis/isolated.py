"""Instances of a module that lives in another process."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..case import Case
from ..estimate import Array
from ..isolation.failure import TargetFailure
from ..isolation.target import IsolatedTarget
from ..offer import MODULE, MODULE_PARAMETERS
from .instance import MARK, Facts, ModuleError, Sizes


class IsolatedInstance:
    """One build; its parameters are kept here and go along with every image."""

    def __init__(self, target: IsolatedTarget, sizes: Sizes) -> None:
        self._target = target
        self._sizes = np.array([sizes.channels_in, sizes.channels_out, sizes.heads, sizes.extent],
                               float)
        found: dict[str, Any] = self._ask(MODULE_PARAMETERS, {})
        told = {name: target.read(value) for name, value in found.items()}
        self.facts = Facts.of(told)
        self._own = {name: value for name, value in told.items() if not name.startswith(MARK)}
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
        return self._target.read(self._ask(MODULE, {"x": x, **self._own, **self._set}))

    def _ask(self, operation: str, arrays: Mapping[str, Array]) -> Any:
        case = Case(operation, {"sizes": self._sizes, **arrays}, None, "float64")
        try:
            return self._target.call(case, self._target.native(case))
        except TargetFailure as failure:
            raise ModuleError(str(failure)) from failure


class IsolatedBuilder:
    """Builds in another process."""

    def __init__(self, target: IsolatedTarget) -> None:
        self._target = target

    def build(self, sizes: Sizes) -> IsolatedInstance:
        """Raises ModuleError with what happened there."""
        return IsolatedInstance(self._target, sizes)
