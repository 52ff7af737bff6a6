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
from .said import MANNERS


class IsolatedInstance:
    """One build; its parameters are kept here and go along with every image.

    facts  what building and running it told
    """

    def __init__(self, target: IsolatedTarget, sizes: Sizes, operations: tuple[str, str],
                 extra: Mapping[str, Array]) -> None:
        self._target, self._operations, self._extra = target, operations, extra
        self._sizes = np.array([sizes.channels_in, sizes.channels_out, sizes.heads, sizes.extent],
                               float)
        found: dict[str, Any] = self._ask(operations[1], {})
        told = {name: target.read(value) for name, value in found.items()}
        self.facts = Facts.of(told)
        self._own = {name: value for name, value in told.items() if not name.startswith(MARK)}
        # Buffers go along only once they were set: a module may keep something in them.
        self._sent = {name: value for name, value in self._own.items()
                      if name not in self.facts.buffers}
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

    def buffers(self) -> dict[str, Array]:
        """Copies of the buffers by name."""
        found: dict[str, Any] = self._ask(self._operations[1], {"set buffers": np.ones(1)})
        return {name: self._target.read(value) for name, value in found.items()}

    def run(self, x: Array, manner: str = "plain") -> Array:
        """(batch, rows, cols, channels_out) of x (batch, height, width, channels_in).

        manner  one of MANNERS
        What the module does to its input is done to x.
        """
        how = {} if manner == "plain" else {"set manner": np.array([MANNERS.index(manner)], float)}
        return self._target.read(self._ask(self._operations[0],
                                           {"x": x, **self._sent, **self._set, **how}))

    def _ask(self, operation: str, arrays: Mapping[str, Array]) -> Any:
        case = Case(operation, {"sizes": self._sizes, **self._extra, **arrays}, None, "float64")
        given = self._target.native(case)
        try:
            result = self._target.call(case, given)
        except TargetFailure as failure:
            raise _module_error(failure) from failure
        if "x" in arrays and not np.array_equal(given["x"], arrays["x"], equal_nan=True):
            arrays["x"][...] = given["x"]
        return result


class IsolatedBuilder:
    """Builds in another process.

    operations  that run a build and tell its parameters
    extra       arrays that say which class is meant, where it is not the target's own
    """

    def __init__(self, target: IsolatedTarget,
                 operations: tuple[str, str] = (MODULE, MODULE_PARAMETERS),
                 extra: Mapping[str, Array] | None = None) -> None:
        self._target, self._operations, self._extra = target, operations, extra or {}

    def build(self, sizes: Sizes, said: Mapping[str, int] | None = None) -> IsolatedInstance:
        """Raises ModuleError with what happened there.

        said  values of SAYABLE arguments, and "fresh", the number of another build
        """
        told = {f"set {name}": np.array([value], float) for name, value in (said or {}).items()}
        return IsolatedInstance(self._target, sizes, self._operations, {**self._extra, **told})

    def saved_weights(self) -> dict[str, Array]:
        """Tensors of the weights file that the target was described with, by name."""
        case = Case(MODULE_PARAMETERS, {"set weights": np.ones(1)}, None, "float64")
        try:
            found = self._target.call(case, self._target.native(case))
        except TargetFailure as failure:
            raise _module_error(failure) from failure
        return {name: self._target.read(value) for name, value in found.items()}


def _module_error(failure: TargetFailure) -> ModuleError:
    """What happened there; the door's own words where it was the door that refused."""
    raised = failure.raised
    is_own = raised is not None and raised.type.endswith(f".{ModuleError.__name__}")
    return ModuleError(raised.text if is_own and raised is not None else str(failure))
