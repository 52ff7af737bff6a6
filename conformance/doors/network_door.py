"""What the child answers of a network: operations of `offer` on names and arrays.

Beside the arrays of module_door, a case has x, the images (batch, channels, height, width); call
and side, numbers; part, the number of a module in the network's list, for a build of its class.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..diagnosis.instance import Sizes
from ..diagnosis.network_trace import spell
from ..offer import (
    MODULE,
    MODULE_PARAMETERS,
    NETWORK_ARRAY,
    NETWORK_CALLS,
    NETWORK_MODULES,
    OPEN_MODULE,
    OPEN_PARAMETERS,
)


class NetworkDoor:
    """A class, or a function that returns a module, asked as a stem, a network or parts of it."""

    def __init__(self, make: Callable[..., Any], arguments: Mapping[str, str]) -> None:
        self._make, self._arguments = make, arguments
        self._network: Any = None
        self._built: dict[tuple[Any, ...], Any] = {}

    def answers(self, operation: str, arrays: Mapping[str, Any]) -> bool:
        """Whether a case is this door's: the bare module's own are not."""
        return operation not in (MODULE, MODULE_PARAMETERS) or "part" in arrays

    def call(self, operation: str, given: dict[str, Any]) -> Any:
        """The answer."""
        if operation == NETWORK_MODULES:
            return {spell(n, each): np.zeros(0) for n, each in enumerate(self.network.modules())}
        if operation == NETWORK_CALLS:
            return {spell(n, each): np.zeros(0)
                    for n, each in enumerate(self.network.calls(given["x"]))}
        if operation == NETWORK_ARRAY:
            where = (int(given[name].item()) for name in ("call", "side"))
            return self.network.array(given["x"], *where)
        instance = self._instance(operation in (OPEN_MODULE, OPEN_PARAMETERS), given)
        if operation in (OPEN_PARAMETERS, MODULE_PARAMETERS):
            return instance.get() | instance.facts.arrays()
        x = given.pop("x")
        instance.set(given)
        return instance.run(x)

    @property
    def network(self) -> Any:
        """The network, built when it is first asked for."""
        from .torch_network import TorchNetwork
        if self._network is None:
            self._network = TorchNetwork(self._make, self._arguments)
        return self._network

    def _instance(self, opened: bool, given: dict[str, Any]) -> Any:
        from .torch_network import OpenBuilder
        part = int(given.pop("part").item()) if "part" in given else None
        sizes = Sizes(*(int(size) for size in given.pop("sizes")))
        key = (opened, part, sizes)
        if key not in self._built:
            builder = OpenBuilder(self._make, self._arguments) if part is None else \
                self.network.builder(self.network.modules()[part].path, opened=opened)
            self._built[key] = builder.build(sizes)
        return self._built[key]
