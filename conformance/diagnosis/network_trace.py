"""What a network is made of, and the calls of its modules on an image's way, as plain data."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from ..estimate import Array
from .instance import Builder


@dataclass(frozen=True)
class Module:
    """One module of a network.

    path        dotted, empty for the network itself
    cls         its class's name
    kind        convolution, norm, linear, plain (torch's own, without parameters), other
    foreign     whether its class is not torch's
    parameters  shapes by name, those of the modules inside it among them
    arguments   what it was built with and, for the known kinds, what it has
    """

    path: str
    cls: str
    kind: str
    foreign: bool
    parameters: dict[str, tuple[int, ...]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)

    def holds(self, path: str) -> bool:
        """Whether another module lies inside this one."""
        return path != self.path and path.startswith(f"{self.path}." if self.path else "")


@dataclass(frozen=True)
class Call:
    """One call of a module, with the shapes of what it was given and gave.

    raised  where the network raised instead of going on; then the path is empty
    """

    path: str
    given: tuple[int, ...]
    gave: tuple[int, ...]
    raised: str | None = None


class Network(Protocol):
    """A network that was built, wherever it lives. Images are (batch, channels, height, width)."""

    def modules(self) -> list[Module]:
        """All modules, the network itself first."""
        ...

    def calls(self, x: Array) -> list[Call]:
        """Calls in the order in which they end."""
        ...

    def array(self, x: Array, call: int, side: int) -> Array:
        """What a call was given (side 0) or gave (side 1)."""
        ...

    def builder(self, path: str, *, opened: bool) -> Builder:
        """Builds the class of one module; opened where it may hold normalizations."""
        ...


def spell(number: int, entry: Module | Call) -> str:
    """An entry as a name, for an answer that has only names and arrays."""
    return json.dumps([number, asdict(entry)])


def read_module(name: str) -> Module:
    """The module of a name. Raises ValueError or TypeError where it is none."""
    given = json.loads(name)[1]
    shapes = {str(key): tuple(map(int, shape)) for key, shape in given.pop("parameters").items()}
    return Module(**given, parameters=shapes)


def read_call(name: str) -> Call:
    """The call of a name. Raises ValueError or TypeError where it is none."""
    given = json.loads(name)[1]
    return Call(str(given["path"]), tuple(map(int, given["given"])),
                tuple(map(int, given["gave"])),
                None if given["raised"] is None else str(given["raised"]))
