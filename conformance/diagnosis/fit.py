"""One explanation of a module, and what all stages of the fit share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..estimate import Array
from .choices import Choices
from .network_pools import averaged
from .stacking import OUT, stacked_biases, stacked_kernels
from .subject import Subject
from .tables import Reading, with_tables
from .variant import LayerWeights, Pixels, variant_layer

# Each step of the refinement gains the digits that the small factor has.
STEPS = 4
# How far a factor that is read may be from a name that it has.
NEAR, NEAR_SINGLE = 2.0 ** -20, 2.0 ** -7


@dataclass
class Fit:
    """One explanation: the choices, which rows are queries and keys, how tables are read.

    query, key  rows of the queries and keys; key None without content
    reading     how the tables are read
    biased      whether the projections have biases
    split       how queries and keys are parted, in words
    mixed       how the product after everything is read: straight, transposed, or not there
    owners      which vector is the bias of which projection, or of OUT
    spatial     whether projections see more than one pixel
    """

    choices: Choices
    query: list[int] = field(default_factory=list)
    key: list[int] | None = None
    reading: Reading | None = None
    biased: bool = False
    split: str = ""
    mixed: str = ""
    owners: dict[str, str] = field(default_factory=dict)
    spatial: bool = False

    def weights(self, subject: Subject, rows: Array, tables: Mapping[str, Array] | None = None,
                vectors: Mapping[str, Array] | None = None) -> LayerWeights:
        """The layer's weights that this explanation reads from a module's parameters.

        vectors  biases, mixers and kernels by name
        """
        query = self.query or [subject.values[0]] * subject.sizes.channels_out
        stacked = stacked_kernels(subject, rows, {
            p.name: vectors[p.name] for p in subject.projections if p.name in vectors}) \
            if self.spatial and vectors is not None else rows
        weights = LayerWeights(stacked[query], None if self.key is None else stacked[self.key],
                               stacked[subject.values])
        if vectors is not None:
            self._add_vectors(weights, subject, query, vectors)
        if self.reading is not None and tables is not None:
            weights = with_tables(weights, self.reading, tables, subject.sizes)
        return weights

    def _add_vectors(self, weights: LayerWeights, subject: Subject, query: list[int],
                     vectors: Mapping[str, Array]) -> None:
        if self.biased:
            biases = stacked_biases(subject, self.owners, vectors)
            by_role = {"query": query, "key": self.key, "value": subject.values}
            weights.biases = {role: biases[members] for role, members in by_role.items()
                              if members is not None}
            after = [vectors[self.owners[name]].reshape(-1)
                     for name in (*subject.parts.mixers, OUT) if name in self.owners]
            weights.out_bias = after[0] if after else None
        if self.mixed:
            matrix = vectors[subject.parts.mixers[0]].reshape(subject.sizes.channels_out, -1)
            weights.out = matrix if self.mixed == "straight" else matrix.T

    def predict(self, subject: Subject, x: Array, weights: LayerWeights,
                pixels: Pixels | None = None) -> Array:
        """What this explanation says of the module's output."""
        return variant_layer(x, weights, subject.sizes.heads, subject.sizes.extent, self.choices,
                             pixels)

    def explains(self, subject: Subject, x: Array, weights: LayerWeights, actual: Array) -> bool:
        """Whether it gives the module's output: at some pixels, and then at all."""
        if not _has_size(actual, x, self.choices):
            return False
        some, pixels = some_outputs(actual, self.choices)
        return subject.same(self.predict(subject, x[:1], weights, pixels), some) \
            and subject.same(self.predict(subject, x, weights), actual)


def _has_size(actual: Array, x: Array, choices: Choices) -> bool:
    """Whether an output has as many rows and columns as it has under a reading."""
    queries = np.zeros((1, *x.shape[1:3], 1))[:, ::choices.stride, ::choices.stride]
    return actual.shape[1:3] == averaged(queries, choices.pool).shape[1:3]


def some_outputs(actual: Array, choices: Choices) -> tuple[Array, Pixels | None]:
    """Outputs of the first image that tell most readings apart, and the pixels they belong to.

    These are two borders and the middle; all, and None, where each is of several pixels.
    """
    if choices.pool != "none":
        return actual[:1], None
    height, width = actual.shape[1:3]
    rows = np.unique([0, height // 2, height - 1])
    cols = np.unique([1 % width, width // 2, width - 1])
    return actual[:1, rows][:, :, cols], (rows * choices.stride, cols * choices.stride)


# What is told apart in each stage; scales may differ from size to size.
VALUE_FIELDS = ("padding", "dilation", "order", "stride", "pool")
CONTENT_FIELDS = ("heads", "softmax", "content")
RELATIVE_FIELDS = ("arrangement", "term", "inside_only", "row", "column", "first_half", "softmax",
                   "heads")
Guide = list[Fit] | None


def guided(choices: Choices, guide: Guide, names: tuple[str, ...]) -> bool:
    """Whether a reading was found at the other size; every reading is when none was tried."""
    return guide is None or any(all(getattr(choices, name) == getattr(fit.choices, name)
                                    for name in names) for fit in guide)


def named_scales(subject: Subject) -> dict[str, float]:
    """Factors that have a name."""
    sizes = subject.sizes
    return {"1": 1.0, "1/sqrt(depth)": sizes.depth ** -0.5,
            "1/sqrt(channels_out)": sizes.channels_out ** -0.5,
            "1/sqrt(channels_in)": sizes.channels_in ** -0.5, "1/depth": 1 / sizes.depth,
            "1/channels_out": 1 / sizes.channels_out, "1/sqrt(heads)": sizes.heads ** -0.5,
            "1/heads": 1 / sizes.heads, "sqrt(depth)": sizes.depth ** 0.5,
            "1/extent": 1 / sizes.extent, "1/extent^2": sizes.extent ** -2.0,
            "1/sqrt(2 depth)": (2 * sizes.depth) ** -0.5, "-1": -1.0}


@np.errstate(all="ignore")
def scaled(subject: Subject, trial: Fit, x: Array, small: Array, nearly: Array, which: str,
           tables: Mapping[str, Array] | None = None) -> Fit | None:
    """The trial with the factor of a term, read where logits are small; None where none fits.

    There the output is its first-order expansion in the factor.
    """
    if not _has_size(nearly, x, trial.choices):
        return None
    nearly, pixels = some_outputs(nearly, trial.choices)
    weights = trial.weights(subject, small, tables)
    plain, unit = (_but(trial, which, factor).predict(subject, x[:1], weights, pixels)
                   for factor in (0.0, 1.0))
    moved, seen = unit - plain, nearly - plain
    size = float((moved * moved).sum())
    if not size > 0:
        return trial
    estimate = float((seen * moved).sum()) / size
    # The expansion's own error is of the order of the logits, which are small.
    if np.abs(seen - estimate * moved).max() > 2.0 ** -4 * np.abs(seen).max():
        return None
    return _but(trial, which, estimate)


@np.errstate(all="ignore")
def refined(subject: Subject, trial: Fit, x: Array, rows: Array, actual: Array,
            which: tuple[str, ...], tables: Mapping[str, Array] | None = None) -> Fit:
    """The trial with factors bent alike to full precision, by Gauss and Newton, or to their names.

    which  the fields of the factors, such as content_scale
    """
    wanted, pixels = some_outputs(actual, trial.choices)
    weights = trial.weights(subject, rows, tables)
    step, bend = subject.small, 1.0
    for _ in range(STEPS):
        here, there = (_bent(trial, which, bend + by).predict(subject, x[:1], weights, pixels)
                       for by in (0.0, step))
        slope = (there - here) / step
        size = float((slope * slope).sum())
        if not size > 0 or not np.isfinite(size):
            break
        bend += float(((wanted - here) * slope).sum()) / size
    for name in which:
        factor = getattr(trial.choices, name) * bend
        values = list(named_scales(subject).values())
        near = values[int(np.argmin(np.abs(np.array(values) - factor)))]
        slack = NEAR_SINGLE if subject.instance.facts.single else NEAR
        trial = _but(trial, name, near if abs(near - factor) <= slack * abs(near) else factor)
    return trial


def _bent(trial: Fit, which: tuple[str, ...], bend: float) -> Fit:
    return replace(trial, choices=trial.choices.but(
        **{name: getattr(trial.choices, name) * bend for name in which}))


def _but(trial: Fit, which: str, factor: float) -> Fit:
    return replace(trial, choices=trial.choices.but(**{which: factor}))


def plainest(fits: list[Fit]) -> list[Fit]:
    """Those with the fewest differences from the equation."""
    least = min((len(fit.choices.differences()) for fit in fits), default=0)
    return [fit for fit in fits if len(fit.choices.differences()) == least]


def first_of_equals(fits: list[Fit]) -> list[Fit]:
    """One of each kind of explanation: ways to part rows that are the same choices are one."""
    unlike: dict[Choices, Fit] = {}
    for fit in fits:
        unlike.setdefault(fit.choices, fit)
    return list(unlike.values())
