"""What is judged: an implementation behind an adapter that speaks NumPy and float64."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sasakit.reference.contract.backend import Backend

from .case import LAYOUTS, Case, call, call_vjp
from .estimate import Array
from .profiles import Profile, plain_profile


class Target(Protocol):
    """One implementation to judge."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Types of the arrays that it takes."""
        ...

    def profile(self, dtype: str) -> Profile:
        """How it rounds when its inputs are of this type."""
        ...

    def native(self, case: Case) -> dict[str, Any]:
        """The case's arrays as it takes them, in the case's dtype and layout."""
        ...

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """Result of the case's operation on its own arrays, as it gives it."""
        ...

    def read(self, result: Any) -> Array:
        """One result as NumPy, its values unchanged."""
        ...

    def result_dtype(self, result: Any) -> str:
        """The dtype's name of one result."""
        ...


@dataclass(frozen=True)
class BackendTarget:
    """One of our own backends, through the same door as anyone's.

    elsewhere  what makes the same target in another process; None where nothing does
    """

    name: str
    backend: Backend
    dtypes: tuple[str, ...] = ("float64", "float32")
    half_sums: str = "float32"
    elsewhere: Callable[[], Target] | None = None

    def profile(self, dtype: str) -> Profile:
        """Sums in the arrays' own type, those of half precision in float32."""
        return plain_profile(dtype, self.half_sums if dtype in ("float16", "bfloat16") else None)

    def native(self, case: Case) -> dict[str, Any]:
        """Arrays of the backend's kind, laid out in memory as the case asks."""
        return native_arrays(case, self.backend.from_numpy)

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The operation of the interface."""
        return call(self.backend, case, arrays)

    @property
    def has_gradients(self) -> bool:
        """Whether the backend has gradients, `<operation>_vjp`."""
        return hasattr(self.backend, "local_attention_vjp")

    def gradients(self, case: Case, arrays: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
        """Gradients of the operation by argument, SPEC GRAD-1."""
        return call_vjp(self.backend, case, arrays, upstream)

    def read(self, result: Any) -> Array:
        """NumPy array of the result."""
        return np.asarray(self.backend.to_numpy(result))

    def result_dtype(self, result: Any) -> str:
        """Such as "float32", whoever's dtype it is."""
        return str(result.dtype).removeprefix("torch.")


def backend_target(name: str, backend: Backend,
                   elsewhere: Callable[[], Target] | None = None) -> BackendTarget:
    """Target for a backend by its name; torch also offers both half precisions."""
    halves = ("float16", "bfloat16") if name == "torch" else ()
    return BackendTarget(name, backend, ("float64", "float32", *halves), elsewhere=elsewhere)


def native_arrays(case: Case, make: Callable[..., Any]) -> dict[str, Any]:
    """The case's arrays as `make(array)` or `make(array, dtype)` gives them, laid out as asked."""
    lay = LAYOUTS[case.layout]
    carrier = "float32" if case.dtype == "bfloat16" else case.dtype
    arrays: dict[str, Any] = {}
    for name, array in case.arrays.items():
        if array is None:
            arrays[name] = None
        elif name in case.types:
            arrays[name] = make(lay(array.astype(case.types[name])))
        else:
            arrays[name] = make(lay(array.astype(carrier)), case.dtype)
    return arrays
