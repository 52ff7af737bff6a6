"""Where a module that nothing explains differs from the equation, at the stage where it stopped."""

from dataclasses import replace
from itertools import islice

import numpy as np

from ..estimate import Array
from .fit import Fit
from .instance import same
from .stages import splits
from .subject import Subject
from .tables import readings


def content_counterexample(subject: Subject, fit: Fit) -> str | None:
    """The worst output against q . k, of the two ways to name queries and keys the nearer one."""
    x, rows = subject.image(), subject.random_rows()
    actual = subject.run(x, rows)
    trials = [replace(fit, query=query, key=key, split=split)
              for split, query, key in islice(splits(subject), 2)]
    return _nearest(subject, x, actual, [trial.predict(subject, x, trial.weights(subject, rows))
                                         for trial in trials], "tables zero")


def relative_counterexample(subject: Subject, fit: Fit) -> str | None:
    """The worst output against q . k + q . r, of all readings of the tables the nearest one."""
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    actual = subject.run(x, rows, tables)
    values = []
    for reading in readings(subject.parts.tables):
        trial = replace(fit, reading=reading,
                        choices=fit.choices.but(arrangement=reading.arrangement))
        values.append(trial.predict(subject, x, trial.weights(subject, rows, tables)))
    return _nearest(subject, x, actual, values, "random tables")


def _nearest(subject: Subject, x: Array, actual: Array, values: list[Array],
             how: str) -> str | None:
    values = [value for value in values if value.shape == actual.shape]
    if not values or any(same(value, actual) for value in values):
        return None
    value = min(values, key=lambda each: float(np.abs(each - actual).max()))
    at = tuple(int(n) for n in np.unravel_index(np.argmax(np.abs(value - actual)), value.shape))
    sizes = subject.sizes
    return (f"counterexample: {sizes.channels_in} channels in, {sizes.channels_out} out, "
            f"{sizes.heads} heads, extent {sizes.extent}, {x.shape[1]} x {x.shape[2]} pixels, "
            f"random projections, {how}: output {at} is {float(actual[at]):.6g}, where the "
            f"nearest reading of the equation gives {float(value[at]):.6g}")
