"""Sound implementations, each with the profile that it declares: none may ever be refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..case import Case
from ..estimate import Array
from ..offer import Offer
from ..profiles import Profile, round_to
from ..target import native_arrays
from . import arithmetic as by
from .sound_layers import (
    Way,
    attention_layer,
    average_pool,
    local_attention,
    relative_logits,
    value_mixture,
)

OPERATIONS = ("relative_logits", "local_attention", "attention_layer", "value_mixture",
              "average_pool")


@dataclass(frozen=True)
class Typed:
    """A result as NumPy holds it, and the type whose values it has."""

    array: Array
    dtype: str


@dataclass(frozen=True)
class Sound:
    """One sound implementation, as the suites ask it.

    way            how it computes
    dtypes         what it takes
    accumulate     the type of its sums; that of its inputs when None
    narrow         whether it stores probabilities in the type of its inputs
    flushes        whether subnormal results become zero
    """

    name: str
    way: Way = field(default_factory=Way)
    dtypes: tuple[str, ...] = ("float64", "float32")
    accumulate: str | None = None
    narrow: bool = False
    flushes: bool = False

    @property
    def offer(self) -> Offer:
        """The operations around one layer; it refuses nothing, for it checks nothing."""
        return Offer(OPERATIONS, {dtype: self.profile(dtype) for dtype in self.dtypes},
                     checks_input=False)

    def profile(self, dtype: str) -> Profile:
        """The types that it declares."""
        inner = self.accumulate or dtype
        return Profile(io=dtype, accumulate=inner, probabilities=dtype if self.narrow else inner,
                       logits=inner, flushes_subnormals=self.flushes)

    def native(self, case: Case) -> dict[str, Any]:
        """Arrays laid out as the case asks; float32 carries bfloat16."""
        return native_arrays(case, lambda array, dtype=None: array)

    def read(self, result: Any) -> Array:
        """The array of a result or an input."""
        return result.array if isinstance(result, Typed) else result

    def result_dtype(self, result: Typed) -> str:
        """The type whose values the result has."""
        return result.dtype

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Typed:
        """Compute in the type of the sums, and round once at the end."""
        inner = self.accumulate or case.dtype
        given = {name: None if array is None else array.astype(inner)
                 for name, array in arrays.items()}
        with np.errstate(all="ignore"):
            result = self._operation(case)(given).astype(inner)
            if self.flushes:
                result = np.where(np.abs(result) < np.finfo(inner).tiny, 0 * result, result)
            return Typed(as_type(result, case.dtype), case.dtype)

    def _operation(self, case: Case) -> Callable[[dict[str, Any]], Array]:
        options: Any = case.options

        def stored(p: Array) -> Array:
            return as_type(p, case.dtype).astype(p.dtype) if self.narrow else p
        return {
            "relative_logits": lambda given: relative_logits(given, options, self.way),
            "local_attention": lambda given: local_attention(given, options, self.way, stored),
            "attention_layer": lambda given: attention_layer(given, options, self.way, stored),
            "value_mixture": lambda given: value_mixture(given, self.way),
            "average_pool": average_pool,
        }[case.operation]


def as_type(array: Array, dtype: str) -> Array:
    """The array rounded to a type, which float32 carries where NumPy has none of it."""
    if dtype == "bfloat16":
        return round_to(array, dtype).astype(np.float32)
    return array.astype(dtype)


HALVES = ("float16", "bfloat16")

SOUND = (
    Sound("forwards", Way(by.forwards)),
    Sound("backwards", Way(by.backwards, logits="joined")),
    Sound("pairwise", Way(by.pairwise, logits="scaled query", mixed="outputs")),
    Sound("compensated", Way(by.compensated)),
    Sound("fused", Way(by.fused), ("float32",)),
    Sound("powers of two", Way(exp=by.powers_of_two)),
    Sound("divided last", Way(mixture=by.divided_last, logits="joined")),
    Sound("without the maximum", Way(mixture=by.unshifted)),
    Sound("streamed", Way(mixture=by.streamed)),
    Sound("streamed backwards in powers of two",
          Way(by.backwards, by.powers_of_two, by.streamed, "scaled query")),
    Sound("in tiles", Way(by.pairwise, mixture=by.in_tiles, mixed="outputs")),
    Sound("sums in float64", Way(logits="joined"), ("float32", *HALVES), "float64"),
    Sound("halves with sums in float32", Way(by.fused), HALVES, "float32"),
    Sound("halves that store probabilities", Way(by.backwards), HALVES, "float32", narrow=True),
    Sound("halves throughout", Way(by.pairwise), ("float16",)),
    Sound("subnormals flushed", Way(mixture=by.divided_last), ("float32",), flushes=True),
)
