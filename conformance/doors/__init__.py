"""Doors for implementations that are not ours: a description in JSON's types becomes a target.

Only the child process of `isolation` opens a door; the kit passes the description on.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ..target import Target

# Kind of a description -> the module whose `load(arguments)` makes the target.
DOORS = {"python": ".python_door", "process": ".process_door"}


def load_described(description: Mapping[str, Any]) -> Target:
    """The target of a description.

    description  "door", a name of DOORS, and the arguments that this door documents
    Raises ValueError for a door that is unknown, and what the foreign code raises.
    """
    door = description.get("door")
    if door not in DOORS:
        raise ValueError(f"`door` must be one of {', '.join(DOORS)}; got {door!r}.")
    arguments = {name: value for name, value in description.items() if name != "door"}
    target: Target = import_module(DOORS[door], __name__).load(arguments)
    return target
