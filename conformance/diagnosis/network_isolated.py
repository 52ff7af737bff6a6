"""Stems and networks that live in another process."""

from typing import Any

import numpy as np

from ..case import Case
from ..estimate import Array
from ..isolation.failure import TargetFailure
from ..isolation.target import IsolatedTarget
from ..offer import (
    MODULE,
    MODULE_PARAMETERS,
    NETWORK_ARRAY,
    NETWORK_CALLS,
    NETWORK_MODULES,
    OPEN_MODULE,
    OPEN_PARAMETERS,
)
from .instance import ModuleError
from .isolated import IsolatedBuilder
from .network_trace import Call, Module, read_call, read_module


def open_builder(target: IsolatedTarget) -> IsolatedBuilder:
    """Builds the target's class where it may hold normalizations."""
    return IsolatedBuilder(target, (OPEN_MODULE, OPEN_PARAMETERS))


class IsolatedNetwork:
    """A network in another process."""

    def __init__(self, target: IsolatedTarget) -> None:
        self._target = target
        self._modules: list[Module] | None = None

    def modules(self) -> list[Module]:
        """All modules, the network itself first. Raises ModuleError with what happened there."""
        if self._modules is None:
            self._modules = _read(read_module, self._ask(NETWORK_MODULES, {}))
        return self._modules

    def calls(self, x: Array) -> list[Call]:
        """Calls in the order in which they end."""
        return _read(read_call, self._ask(NETWORK_CALLS, {"x": x}))

    def array(self, x: Array, call: int, side: int) -> Array:
        """What a call was given (side 0) or gave (side 1)."""
        where = {"call": np.array(float(call)), "side": np.array(float(side))}
        return self._target.read(self._ask(NETWORK_ARRAY, {"x": x, **where}))

    def builder(self, path: str, *, opened: bool) -> IsolatedBuilder:
        """Builds the class of one module."""
        part = [module.path for module in self.modules()].index(path)
        operations = (OPEN_MODULE, OPEN_PARAMETERS) if opened else (MODULE, MODULE_PARAMETERS)
        return IsolatedBuilder(self._target, operations, {"part": np.array(float(part))})

    def _ask(self, operation: str, arrays: dict[str, Array]) -> Any:
        case = Case(operation, arrays, None, "float64")
        try:
            return self._target.call(case, self._target.native(case))
        except TargetFailure as failure:
            raise ModuleError(str(failure)) from failure


def _read(read: Any, names: Any) -> list[Any]:
    try:
        return [read(name) for name in names]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ModuleError(f"an answer that has no form that is known: {error}") from error
