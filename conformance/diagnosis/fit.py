"""One explanation of a module, and what all stages of the fit share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..estimate import Array
from .choices import Choices
from .subject import Subject, stacked_biases, weights_of
from .tables import Reading, with_tables
from .variant import LayerWeights, variant_layer

# Queries this small make every logit small, so that the output is its first-order expansion; the
# second order is smaller by as much again.
SMALL = 1e-5


@dataclass
class Fit:
    """One explanation: the choices, which rows are queries and keys, how tables are read.

    query, key  rows of the queries and keys; key None without content
    reading     how the tables are read
    biased      whether the projections have biases
    split       how queries and keys are parted, in words
    mixed       how the product after everything is read: straight, transposed, or not there
    """

    choices: Choices
    query: list[int] = field(default_factory=list)
    key: list[int] | None = None
    reading: Reading | None = None
    biased: bool = False
    split: str = ""
    mixed: str = ""

    def weights(self, subject: Subject, rows: Array, tables: Mapping[str, Array] | None = None,
                vectors: Mapping[str, Array] | None = None) -> LayerWeights:
        """The layer's weights that this explanation reads from a module's parameters."""
        query = self.query or [subject.values[0]] * subject.sizes.channels_out
        weights = weights_of(subject, rows, query, self.key)
        if self.biased and vectors is not None:
            stacked = stacked_biases(subject, vectors)
            by_role = {"query": query, "key": self.key, "value": subject.values}
            weights.biases = {role: stacked[members] for role, members in by_role.items()
                              if members is not None}
        if self.mixed and vectors is not None:
            name = subject.parts.mixers[0]
            matrix = vectors[name].reshape(subject.sizes.channels_out, -1)
            weights.out = matrix if self.mixed == "straight" else matrix.T
            owner = name.rpartition(".")[0]
            beside = [vectors[other] for other in subject.parts.vectors
                      if owner and other.rpartition(".")[0] == owner and other in vectors]
            weights.out_bias = beside[0].reshape(-1) if beside else None
        if self.reading is not None and tables is not None:
            weights = with_tables(weights, self.reading, tables, subject.sizes)
        return weights

    def predict(self, subject: Subject, x: Array, weights: LayerWeights) -> Array:
        """What this explanation says of the module's output."""
        return variant_layer(x, weights, subject.sizes.heads, subject.sizes.extent, self.choices)


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


def scale_of(subject: Subject, trial: Fit, x: Array, small: Array, nearly: Array, which: str,
           tables: dict[str, Array] | None = None) -> float:
    """The factor of a term, by first order where logits are small; a named one where it is near."""
    weights = trial.weights(subject, small, tables)
    plain, unit = (replace(trial, choices=trial.choices.but(**{which: factor}))
                   for factor in (0.0, 1.0))
    base = plain.predict(subject, x, weights)
    if base.shape != nearly.shape:
        return 1.0
    moved = unit.predict(subject, x, weights) - base
    size = float((moved * moved).sum())
    if not size > 0:
        return 1.0
    estimate = float(((nearly - base) * moved).sum()) / size
    near = min(named_scales(subject).values(), key=lambda value: abs(value - estimate))
    # The expansion's own error is of the order of the logits, which are small.
    return near if abs(near - estimate) <= 2 ** 10 * SMALL * abs(near) else estimate


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
