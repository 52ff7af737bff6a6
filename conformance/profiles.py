"""How an implementation rounds: its types, and the unit roundoff and least numbers of each type."""

from dataclasses import dataclass

import numpy as np

# (bits of the significand with the leading one, exponent of the smallest normal number)
_FORMATS = {"float16": (11, -14), "bfloat16": (8, -126), "float32": (24, -126),
            "float64": (53, -1022)}
DTYPES = tuple(_FORMATS)


@dataclass(frozen=True)
class Profile:
    """Declared types of one implementation.

    io                  inputs and outputs, and arrays between layers
    accumulate          sums and elementwise arithmetic
    probabilities       storage of probabilities
    logits              storage of logits
    exp_ulps            error of its exponential, in units of the last place
    flushes_subnormals  whether subnormal numbers become zero
    """

    io: str
    accumulate: str
    probabilities: str
    logits: str
    exp_ulps: int = 4
    flushes_subnormals: bool = False

    @property
    def u_io(self) -> float:
        """Unit roundoff of inputs and outputs."""
        return unit_roundoff(self.io)

    @property
    def u(self) -> float:
        """Unit roundoff of sums."""
        return unit_roundoff(self.accumulate)

    @property
    def eta(self) -> float:
        """Absolute error of one stored result near zero."""
        names = (self.io, self.accumulate, self.probabilities)
        return max(least_error(name, self.flushes_subnormals) for name in names)


def plain_profile(dtype: str, accumulate: str | None = None) -> Profile:
    """Profile of an implementation that stores in one type and sums in one type (or the same)."""
    inner = accumulate or dtype
    return Profile(io=dtype, accumulate=inner, probabilities=inner, logits=inner)


def unit_roundoff(dtype: str) -> float:
    """Largest relative error of rounding to nearest: 2^-24 for float32."""
    return float(2.0 ** -_FORMATS[dtype][0])


def least_error(dtype: str, flushes: bool) -> float:
    """Largest absolute error of rounding near zero: half a subnormal, or the smallest normal."""
    bits, least = _FORMATS[dtype]
    # The smallest subnormal of float64 has no half; it stands for itself.
    half_subnormal = max(2.0 ** (least - bits), 2.0 ** -1074)
    return float(2.0 ** least if flushes else half_subnormal)


def gamma(terms: int, u: float) -> float:
    """Relative error bound of a sum of `terms` rounded operations: n u / (1 - n u)."""
    return terms * u / (1 - terms * u)


def round_to(array: np.ndarray, dtype: str) -> np.ndarray:
    """The same array in float64, every value rounded to the nearest of `dtype`."""
    if dtype != "bfloat16":
        with np.errstate(over="ignore"):
            return array.astype(dtype).astype(np.float64)
    bits = array.astype(np.float32).view(np.uint32).astype(np.uint64)
    even = (bits >> np.uint64(16)) & np.uint64(1)
    rounded = ((bits + np.uint64(0x7FFF) + even) >> np.uint64(16)) << np.uint64(16)
    return np.where(np.isfinite(array), rounded.astype(np.uint32).view(np.float32),
                    array).astype(np.float64)
