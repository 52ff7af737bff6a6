"""The later stages of the fit: tables, kernels, a product after everything, biases, factors."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from ..estimate import Array
from .choices import DIRECTIONS, HEAD_FORMS, SOFTMAXES, TERMS, Choices
from .fit import RELATIVE_FIELDS, Fit, Guide, first_of_equals, guided, plainest, refined, scaled
from .mapping import allowed_readings
from .stacking import bias_owners
from .subject import Subject
from .tables import Reading
from .variant import LayerWeights

# What joins every logit of a window cancels but for its rounding, which only large numbers show.
LARGE = 2.0 ** 10


def tables_act(subject: Subject) -> str:
    """What the tables do: "acts", "cancels" where all but rounding cancels, "nothing"."""
    if not subject.parts.tables:
        return "nothing"
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    with_tables, without = subject.run(x, rows, tables), subject.run(x, rows)
    if not subject.same(with_tables, without):
        return "acts"
    large = {name: LARGE * table for name, table in tables.items()}
    return "nothing" if np.array_equal(subject.run(x, rows, large), without) else "cancels"


def fit_relative(subject: Subject, start: list[Fit], guide: Guide = None) -> list[Fit]:
    """Readings of the tables: arrangement, axes, halves, directions, scale and what they join."""
    x, rows, tables = subject.image(batch=2), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables)
    small = rows.copy()
    small[subject.logit_rows] *= subject.small
    nearly = subject.run(x, small, tables)
    found: list[Fit] = []
    for fit, reading in product(start, allowed_readings(subject)):
        for choices in _relative_choices(fit.choices, reading, subject.sizes.heads):
            if not guided(choices, guide, RELATIVE_FIELDS):
                continue
            trial = replace(fit, choices=choices, reading=reading)
            if choices.term == "logit" and choices.arrangement != "slot_bias":
                near = scaled(subject, trial, x, small, nearly, "relative_scale", tables)
                if near is None:
                    continue
                trial = refined(subject, near, x, rows, actual, ("relative_scale",), tables)
            if trial.explains(subject, x, trial.weights(subject, rows, tables), actual):
                found.append(trial)
        if found:
            break
    return first_of_equals(plainest(found))


def _relative_choices(choices: Choices, reading: Reading, number: int) -> Iterator[Choices]:
    halves = ("row", "column") if reading.arrangement in ("shared", "per_head",
                                                          "layer_halves") else ("row",)
    softmaxes = SOFTMAXES if not choices.content else (choices.softmax,)
    forms = HEAD_FORMS if number > 1 else ("contiguous", "channel")
    heads = forms if not choices.content else (choices.heads,)
    for softmax, form, term, inside, row, column, half in product(
            softmaxes, heads, TERMS, (False, True), DIRECTIONS, DIRECTIONS, halves):
        if inside and (choices.padding != "zero" or term != "logit"):
            continue
        if term != "logit" and reading.arrangement == "slot_bias":
            continue
        scale = choices.content_scale if term == "both" else 1.0
        yield choices.but(arrangement=reading.arrangement, term=term, inside_only=inside, row=row,
                          column=column, first_half=half, softmax=softmax, heads=form,
                          relative_scale=scale)


def fit_kernels(subject: Subject, start: list[Fit]) -> list[Fit]:
    """Readings of projections that see more than one pixel, zeros standing around the input."""
    kernels = _random(subject, [p.name for p in subject.projections if p.taps != (1, 1)])
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables, kernels=kernels)
    trials = [replace(fit, spatial=True) for fit in start]
    return [trial for trial in trials if trial.explains(
        subject, x, trial.weights(subject, rows, tables, kernels), actual)]


def fit_biases(subject: Subject, start: list[Fit]) -> list[Fit]:
    """Readings of the vectors as biases of the projections, padded before or after."""
    vectors = _random(subject, [*subject.parts.vectors, *subject.parts.mixers])
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables, vectors, vectors)
    if subject.same(actual, subject.run(x, rows, tables, mixers=vectors)):
        return start
    for owners in bias_owners(subject):
        trials = [replace(fit, choices=fit.choices.but(pad_input=pad_input), biased=True,
                          owners=owners) for fit, pad_input in product(start, (False, True))]
        found = [trial for trial in trials if trial.explains(
            subject, x, trial.weights(subject, rows, tables, vectors), actual)]
        if found:
            return plainest(found)
    return []


def fit_mixers(subject: Subject, start: list[Fit]) -> list[Fit]:
    """Readings of one square parameter, with a bias or without, as a product after everything."""
    mixers = _random(subject, subject.parts.mixers)
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables, mixers=mixers)
    if len(mixers) != 1:
        return []
    trials = [replace(fit, mixed=mixed) for fit, mixed in product(start, ("straight",
                                                                          "transposed"))]
    return [trial for trial in trials if trial.explains(
        subject, x, trial.weights(subject, rows, tables, mixers), actual)]


def mixes_values(subject: Subject, fit: Fit) -> bool:
    """Whether the square parameter multiplies the values' means, and not the other way round."""
    mixers = _random(subject, subject.parts.mixers)
    x, rows = subject.image(), subject.silenced(subject.random_rows())
    actual = subject.run(x, rows, mixers=mixers)
    values = rows[subject.values]
    y = fit.predict(subject, x, LayerWeights(np.zeros_like(values), None, values))
    matrix = mixers[subject.parts.mixers[0]].reshape(subject.sizes.channels_out, -1)
    return subject.same(y @ matrix.T, actual) or subject.same(y @ matrix, actual)


# Which terms a factor may multiply, in words.
TERMS_OF_FACTORS = {"q . k": ("content_scale",), "q . r": ("relative_scale",),
                    "the logits": ("content_scale", "relative_scale")}
# A change of a factor that is small enough for its effect to be found in a few steps.
CHANGE = 2.0 ** -6


def fit_factors(subject: Subject, start: list[Fit]) -> dict[str, str] | None:
    """What each number of the module multiplies, in words; None where one does something else."""
    told: dict[str, str] = {}
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    before = subject.run(x, rows, tables)
    for name in subject.parts.factors:
        own = subject.own[name]
        subject.instance.set({name: own + CHANGE * subject.rng.uniform(1, 2, own.shape)})
        actual = subject.run(x, rows, tables)
        subject.instance.set({name: own})
        if subject.same(before, actual):
            told[name] = "nothing"
            continue
        found = [words for fit in start for words, which in TERMS_OF_FACTORS.items()
                 if _multiplies(subject, fit, which, x, rows, actual, tables)]
        if not found:
            return None
        told[name] = found[0]
    return told


def _multiplies(subject: Subject, fit: Fit, which: tuple[str, ...], x: Array, rows: Array,
                actual: Array, tables: dict[str, Array]) -> bool:
    has_relative = fit.reading is not None and fit.choices.term == "logit"
    if "relative_scale" in which and not has_relative:
        return False
    trial = refined(subject, fit, x, rows, actual, which, tables)
    return trial.explains(subject, x, trial.weights(subject, rows, tables), actual)


def _random(subject: Subject, names: list[str]) -> dict[str, Array]:
    return {name: subject.rng.standard_normal(subject.own[name].shape) for name in names}
