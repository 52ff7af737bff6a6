"""The later stages of the fit: tables, a product after everything, and biases."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from .choices import DIRECTIONS, HEAD_FORMS, SOFTMAXES, TERMS, Choices
from .fit import RELATIVE_FIELDS, SMALL, Fit, Guide, first_of_equals, guided, plainest, refined, scaled
from .instance import same
from .subject import Subject
from .tables import Reading, readings
from .variant import LayerWeights


def tables_act(subject: Subject) -> bool:
    """Whether the tables change anything."""
    if not subject.parts.tables:
        return False
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    return not same(subject.run(x, rows, tables), subject.run(x, rows))


def fit_relative(subject: Subject, start: list[Fit], guide: Guide = None) -> list[Fit]:
    """Readings of the tables: arrangement, axes, halves, directions, scale and what they join."""
    x, rows, tables = subject.image(batch=2), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables)
    small = rows.copy()
    small[subject.others] *= SMALL
    nearly = subject.run(x, small, tables)
    found: list[Fit] = []
    for fit, reading in product(start, list(readings(subject.parts.tables))):
        for choices in _relative_choices(fit.choices, reading):
            if not guided(choices, guide, RELATIVE_FIELDS):
                continue
            trial: Fit | None = replace(fit, choices=choices, reading=reading)
            if choices.term == "logit" and choices.arrangement != "slot_bias":
                trial = scaled(subject, trial, x, small, nearly, "relative_scale", tables)
                if trial is None:
                    continue
                trial = refined(subject, trial, x, rows, actual, "relative_scale", tables)
            if trial.explains(subject, x, trial.weights(subject, rows, tables), actual):
                found.append(trial)
        if found:
            break
    return first_of_equals(plainest(found))


def _relative_choices(choices: Choices, reading: Reading) -> Iterator[Choices]:
    halves = ("row", "column") if reading.arrangement in ("shared", "per_head",
                                                          "layer_halves") else ("row",)
    softmaxes = SOFTMAXES if not choices.content else (choices.softmax,)
    heads = HEAD_FORMS if not choices.content else (choices.heads,)
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


def fit_biases(subject: Subject, start: list[Fit]) -> list[Fit]:
    """Readings of the vectors as biases of the projections, padded before or after."""
    vectors = {name: subject.rng.standard_normal(subject.own[name].shape)
               for name in (*subject.parts.vectors, *subject.parts.mixers)}
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables, vectors, vectors)
    if same(actual, subject.run(x, rows, tables, mixers=vectors)):
        return start
    found = []
    for fit, pad_input in product(start, (False, True)):
        trial = replace(fit, choices=fit.choices.but(pad_input=pad_input), biased=True)
        if trial.explains(subject, x, trial.weights(subject, rows, tables, vectors), actual):
            found.append(trial)
    return found


def fit_mixers(subject: Subject, start: list[Fit]) -> list[Fit]:
    """Readings of one square parameter, with a bias or without, as a product after everything."""
    mixers = {name: subject.rng.standard_normal(subject.own[name].shape)
              for name in subject.parts.mixers}
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables, mixers=mixers)
    if len(mixers) != 1:
        return []
    found = []
    for fit, flipped in product(start, (False, True)):
        trial = replace(fit, mixed="transposed" if flipped else "straight")
        weights = trial.weights(subject, rows, tables, mixers)
        if trial.explains(subject, x, weights, actual):
            found.append(trial)
    return found


def mixes_values(subject: Subject, fit: Fit) -> bool:
    """Whether the square parameter multiplies the values' means, and not the other way round."""
    mixers = {name: subject.rng.standard_normal(subject.own[name].shape)
              for name in subject.parts.mixers}
    x, rows = subject.image(), subject.random_rows()
    rows[subject.others] = 0
    actual = subject.run(x, rows, mixers=mixers)
    values = rows[subject.values]
    plain = LayerWeights(np.zeros_like(values), None, values)
    y = fit.predict(subject, x, plain)
    matrix = mixers[subject.parts.mixers[0]].reshape(subject.sizes.channels_out, -1)
    return same(y @ matrix.T, actual) or same(y @ matrix, actual)
