"""Shapes and dtypes of arrays, by axis name; one text for every backend (INV-2 to INV-5)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import broken

FLOAT_NAMES = ("float16", "bfloat16", "float32", "float64", "longdouble", "float96", "float128")


@dataclass(frozen=True)
class ArrayKind:
    """What one backend takes as an array.

    noun     how an error calls it, "a NumPy array"
    accepts  whether an object is one
    dtype    the dtype's name, "float32"
    device   where it lives; one constant where there is only one place
    dtypes   the float dtypes that the backend computes in
    """

    backend: str
    noun: str
    accepts: Callable[[object], bool]
    dtype: Callable[[Any], str]
    device: Callable[[Any], str]
    dtypes: tuple[str, ...] = FLOAT_NAMES


@dataclass
class Shapes:
    """The axis sizes bound so far by one call's arrays, and the first array's dtype and device."""

    kind: ArrayKind
    sizes: dict[str, int]
    first: tuple[str, str, str] | None = None

    def take(self, name: str, array: object, *axes: str) -> None:
        """Check one array against its named axes, binding those that are new.

        An axis named "batch" may be empty (NUM-5); no other may.
        Raises TypeError for what is no float array of this backend, ValueError for a shape.
        """
        if not self.kind.accepts(array):
            raise TypeError(broken(name, f"be {self.kind.noun}", type(array).__name__))
        self._take_type(name, array)
        shape = tuple(int(size) for size in array.shape)  # type: ignore[attr-defined]
        if len(shape) != len(axes):
            rule = f"have {len(axes)} axes ({', '.join(axes)})"
            raise ValueError(broken(name, rule, f"shape {shape}"))
        for axis, size in zip(axes, shape, strict=True):
            if size == 0 and axis != "batch":
                raise ValueError(broken(name, f"not be empty along {axis}", f"shape {shape}"))
        if any(self.sizes.get(axis, size) != size for axis, size in zip(axes, shape, strict=True)):
            raise ValueError(broken(name, f"have shape ({self._spell(axes)})", f"shape {shape}"))
        self.sizes.update(zip(axes, shape, strict=True))

    def _spell(self, axes: Sequence[str]) -> str:
        # Axes that have no name but their number are spelled by their size alone.
        return ", ".join(axis if axis not in self.sizes else str(self.sizes[axis])
                         if axis.isdigit() else f"{axis}={self.sizes[axis]}" for axis in axes)

    def _take_type(self, name: str, array: object) -> None:
        dtype, device = self.kind.dtype(array), self.kind.device(array)
        if dtype not in FLOAT_NAMES:
            raise TypeError(broken(name, "have a floating-point dtype", dtype))
        if dtype not in self.kind.dtypes:
            allowed = " or ".join(self.kind.dtypes)
            raise TypeError(broken(name, f"be {allowed} for backend {self.kind.backend}", dtype))
        if self.first is None:
            self.first = (name, dtype, device)
        leader, leader_dtype, leader_device = self.first
        if dtype != leader_dtype:
            raise TypeError(broken(name, f"have the dtype of `{leader}`, {leader_dtype}", dtype))
        if device != leader_device:
            rule = f"be on the device of `{leader}`, {leader_device}"
            raise ValueError(broken(name, rule, device))

    def divide(self, axis: str, by: str) -> int:
        """The size of one bound axis over that of another, which must divide it.

        Raises ValueError, naming the divisor.
        """
        return divide(axis, self.sizes[axis], self.sizes[by], by)


def divide(axis: str, size: int, by: int, name: str) -> int:
    """Quotient of an axis by a divisor `name`, which must divide it. Raises ValueError."""
    if size % by:
        raise ValueError(f"`{name}` must divide the {axis}; got {name}={by}, {axis}={size}.")
    return size // by


def check_names(name: str, given: object, required: Sequence[str],
                optional: Sequence[str] = ()) -> Mapping[str, Any]:
    """A mapping that holds exactly these names; an optional one may be absent or None.

    Raises TypeError when it is no mapping, ValueError when names are missing or unknown.
    """
    if not isinstance(given, Mapping):
        raise TypeError(broken(name, "be a mapping of names to arrays", type(given).__name__))
    missing = [key for key in required if given.get(key) is None]
    unknown = sorted(str(key) for key in given if given[key] is not None
                     and key not in required and key not in optional)
    if missing or unknown:
        parts = [f"missing {_some(missing)}"] if missing else []
        parts += [f"unknown {_some(unknown)}"] if unknown else []
        rule = "hold exactly the names that the options ask for"
        raise ValueError(broken(name, rule, "; ".join(parts)))
    return given


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
