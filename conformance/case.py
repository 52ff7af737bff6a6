"""One case: an operation, its arrays, its options; and what the reference says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from sasakit import reference
from sasakit.reference import AttentionOptions, NetworkSpec, StemOptions
from sasakit.reference.contract.backend import Backend

from . import estimate, estimate_attention, estimate_networks
from .estimate import Array, Estimate, exact
from .judge import Expected, expected
from .profiles import Profile

Options = AttentionOptions | StemOptions | NetworkSpec | None
Arrays = Mapping[str, Any]

# The array that a case of gradients has besides the operation's, and what its operation is called.
UPSTREAM = "upstream"
VJP = "_vjp"

# How an array lies in memory; each gives the same values (NUM-6).
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "reversed": lambda a: np.ascontiguousarray(a[::-1, ..., ::-1])[::-1, ..., ::-1],
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "read-only": lambda a: _read_only(a.copy()),
}


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Case:
    """What one implementation is asked to compute.

    operation  a name of the interface, or "network" for load and trace
    arrays     the operation's arrays by name in float64, each value one of `dtype`; None where the
               options leave an argument out
    options    the operation's options
    dtype      the type in which the implementation gets the arrays
    layout     how they lie in memory, a name of LAYOUTS
    judged     where to look, broadcastable to the result; everywhere when None
    types      another dtype for some of the arrays, by name
    """

    operation: str
    arrays: Arrays
    options: Options
    dtype: str
    layout: str = "contiguous"
    judged: Array | None = None
    types: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}={None if array is None else _spell(array)}"
                           for name, array in self.arrays.items())
        layout = "" if self.layout == "contiguous" else f", layout={self.layout!r}"
        types = f", {dict(self.types)}" if self.types else ""
        given = f"{shapes}, {spell_options(self.options)}, {self.dtype}{types}{layout}"
        return f"{self.operation}({given})"


def asked_name(case: Case) -> str:
    """What is asked: the operation, or its gradients as "<operation>_vjp"."""
    return f"{case.operation}{VJP}" if UPSTREAM in case.arrays else case.operation


def _spell(array: Array) -> str:
    return f"{array.tolist()}" if 0 < array.size <= 4 else f"array{array.shape}"


def spell_options(options: Options) -> str:
    """Options with only what differs from the canonical values."""
    if options is None:
        return "no options"
    changed = [f"{each.name}={getattr(options, each.name)!r}" for each in fields(options)
               if getattr(options, each.name) != each.default]
    return f"{type(options).__name__}({', '.join(changed)})"


def call(backend: Backend, case: Case, arrays: Arrays) -> Any:
    """Run the case's operation on a backend's own arrays."""
    given: dict[str, Any] = dict(arrays)
    options: Any = case.options
    match case.operation:
        case "value_mixture" | "average_pool":
            return getattr(backend, case.operation)(*given.values())
        case "attention_layer":
            return backend.attention_layer(given.pop("x"), given, options=options)
        case "stem":
            return backend.stem(given.pop("images"), given, options=options)
        case "network":
            images = given.pop("images")
            return backend.load(options, given).trace(images)
        case _:
            return getattr(backend, case.operation)(*given.values(), options=options)


def call_vjp(backend: Any, case: Case, arrays: Arrays, upstream: Any) -> dict[str, Any]:
    """Run the gradients of the case's operation, `<operation>_vjp`, on a backend's own arrays."""
    given: dict[str, Any] = dict(arrays)
    vjp = getattr(backend, f"{case.operation}{VJP}")
    match case.operation:
        case "value_mixture" | "average_pool":
            return vjp(upstream, *given.values())
        case "attention_layer" | "stem":
            first = given.pop("x" if case.operation == "attention_layer" else "images")
            return vjp(upstream, first, given, options=case.options)
        case _:
            return vjp(upstream, *given.values(), options=case.options)


def expect(case: Case, profile: Profile) -> Expected:
    """The reference's value and its budget, for every operation but "network".

    Not-finite inputs are allowed: the value is then not finite where the equation is not.
    """
    with np.errstate(all="ignore"):
        value = call(reference, case, case.arrays)
        return expected(value, _bound(case, profile), profile)


def _bound(case: Case, profile: Profile) -> Estimate | Array:
    arrays, options = dict(case.arrays), case.options
    match case.operation, options:
        case "relative_logits", AttentionOptions():
            return estimate_attention.relative_logits(
                arrays["query"], arrays["rel_row"], arrays["rel_col"], options, profile)
        case "local_attention", AttentionOptions():
            key = arrays["key"]
            return estimate_attention.local_attention(
                exact(arrays["query"]), None if key is None else exact(key),
                exact(arrays["value"]), arrays["rel_row"], arrays["rel_col"], options, profile)
        case "attention_layer", AttentionOptions():
            return estimate_attention.attention_layer(
                exact(arrays.pop("x")), arrays, options, profile)
        case "value_mixture", None:
            x, w, emb_row, emb_col, nu = arrays.values()
            return estimate_networks.value_mixture(exact(x), w, emb_row, emb_col, nu, profile)
        case "stem", StemOptions():
            return estimate_networks.stem(exact(arrays.pop("images")), arrays, options, profile)
        case "average_pool", None:
            return estimate.average_pool(exact(arrays["x"]), profile)
    raise ValueError(f"`operation` must be one of the interface's; got {case.operation!r}.")
