"""What a build may be asked for beyond its sizes, and the manners in which an image is given."""

import inspect
from collections.abc import Mapping

from .instance import ModuleError

# Arguments that may be asked for by another value than is usual, and their names.
SAYABLE = {"padding": ("padding", "pad"), "stride": ("stride", "strides"),
           "bias": ("bias", "use_bias", "qkv_bias", "has_bias", "with_bias")}
# In double precision and contiguous; in single precision with the module rounded to it; with gaps
# between the numbers of the image in memory.
MANNERS = ("plain", "float32", "strided")


def said_arguments(signature: inspect.Signature, said: Mapping[str, int]) -> dict[str, str]:
    """Arguments by name for values of SAYABLE; what is no argument of any is not looked at.

    Raises ModuleError for one that the constructor does not have.
    """
    found = {}
    for role in set(said) & set(SAYABLE):
        name = next((name for name in signature.parameters
                     if name.lower().strip("_") in SAYABLE[role]), None)
        if name is None:
            raise ModuleError(f"its constructor has no argument for {role}")
        found[name] = str(bool(said[role])) if role == "bias" else str(said[role])
    return found
