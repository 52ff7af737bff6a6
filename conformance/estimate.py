"""Values with bounds on their rounding errors, carried through the layers around attention.

Every bound is the classical one (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3)
for any order of summation; none is chosen. FOLDED more roundings are allowed where a normalization
may have been folded into the weights before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sasakit.reference import layers

from .profiles import Profile, gamma

Array = np.ndarray

# variance + epsilon, square root, quotient, product with the weight, and the same for the shift.
FOLDED = 8


@dataclass(frozen=True)
class Estimate:
    """What exact arithmetic gives, and how far a sound implementation may be from it."""

    value: Array
    error: Array

    @property
    def most(self) -> Array:
        """Largest magnitude that an implementation may hold."""
        return np.abs(self.value) + self.error


def exact(value: Array) -> Estimate:
    """Estimate without error: an input, already rounded to the implementation's type."""
    return Estimate(value, np.zeros_like(value))


def sum_error(magnitude: Array, terms: int, profile: Profile, *inputs: Array) -> Array:
    """Error of a sum of products whose magnitudes add up to `magnitude`.

    Zero where all inputs are small integers: then every partial sum is exact.
    """
    bound = gamma(terms, profile.u) * magnitude
    if all(np.all(array == np.rint(array)) for array in inputs):
        return np.where(magnitude <= 1 / profile.u, 0.0, bound)
    return bound


def stored(x: Estimate, profile: Profile) -> Estimate:
    """The same after rounding to the type of inputs and outputs."""
    return Estimate(x.value, x.error + profile.u_io * x.most + profile.eta)


def dense(x: Estimate, w: Array, profile: Profile) -> Estimate:
    """x @ w, summed in any order, with a normalization folded into w or not."""
    terms = w.shape[-2] + FOLDED
    rounding = sum_error(x.most @ np.abs(w), terms, profile, x.value, w)
    return stored(Estimate(x.value @ w, x.error @ np.abs(w) + rounding), profile)


def convolution(x: Estimate, w: Array, profile: Profile, *, stride: int, before: int) -> Estimate:
    """Cross-correlation, as `reference.layers.convolution`."""
    def apply(image: Array, kernel: Array) -> Array:
        return layers.convolution(image, kernel, stride=stride, before=before)
    terms = w.shape[0] * w.shape[1] * w.shape[2] + FOLDED
    rounding = sum_error(apply(x.most, np.abs(w)), terms, profile, x.value, w)
    error = apply(x.error, np.abs(w)) + rounding
    return stored(Estimate(apply(x.value, w), error), profile)


def batch_norm(x: Estimate, weights: Mapping[str, Array], profile: Profile) -> Estimate:
    """Stored statistics, either as (x - mean) a + shift or folded to x a + b."""
    factor = np.abs(weights["norm_scale"]) / np.sqrt(weights["norm_variance"] + layers.EPSILON)
    magnitude = (x.most + np.abs(weights["norm_mean"])) * factor + np.abs(weights["norm_shift"])
    error = x.error * factor + gamma(FOLDED, profile.u) * magnitude
    return stored(Estimate(layers.batch_norm(x.value, weights), error), profile)


def relu(x: Estimate) -> Estimate:
    """Errors do not grow."""
    return Estimate(layers.relu(x.value), x.error)


def added(x: Estimate, y: Estimate, profile: Profile) -> Estimate:
    """x + y."""
    value = x.value + y.value
    error = x.error + y.error
    return stored(Estimate(value, error + profile.u * (np.abs(value) + error)), profile)


def average_pool(x: Estimate, profile: Profile) -> Estimate:
    """Means of 2 x 2: three sums and a quotient."""
    error = layers.average_pool(x.error) + gamma(4, profile.u) * layers.average_pool(x.most)
    return stored(Estimate(layers.average_pool(x.value), error), profile)


def global_average(x: Estimate, profile: Profile) -> Estimate:
    """Mean over the image."""
    axes, pixels = (1, 2), x.value.shape[1] * x.value.shape[2]
    error = x.error.mean(axis=axes) + gamma(pixels + 1, profile.u) * x.most.mean(axis=axes)
    return stored(Estimate(x.value.mean(axis=axes), error), profile)
