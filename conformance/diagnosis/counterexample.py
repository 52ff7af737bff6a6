"""Where a module that nothing explains differs from the equation, at the stage where it stopped."""

from dataclasses import replace
from itertools import islice

import numpy as np

from ..estimate import Array
from .choices import Choices
from .fit import Fit, named_scales, refined
from .later_stages import CHANGE, TERMS_OF_FACTORS
from .stages import splits
from .subject import Subject
from .tables import readings
from .variant import LayerWeights


def affine_counterexample(subject: Subject) -> str | None:
    """The projection that acts most like values, and the output that shows that it does not."""
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    middle, worst, start = subject.run(x, rows, tables), [], 0
    for projection, count in zip(subject.projections, subject.counts, strict=True):
        ends = []
        for factor in (0, 2):
            changed = rows.copy()
            changed[start:start + count] *= factor
            ends.append(subject.run(x, changed, tables))
        start += count
        up, down = ends[1] - middle, middle - ends[0]
        if np.isfinite(up + down).all() and np.abs(down).max() > 0:
            at = np.unravel_index(np.argmax(np.abs(up - down)), up.shape)
            worst.append((float(np.abs(up - down).max() / np.abs(down).max()),
                          (f"counterexample: {_case(subject, x)}: output "
                           f"{tuple(int(n) for n in at)} moves by {up[at]:.6g} when "
                           f"{projection.name} is doubled and by {down[at]:.6g} when it comes up "
                           "from zero, which must be one number for values")))
    return min(worst)[1] if worst else None


def values_counterexample(subject: Subject) -> str | None:
    """The worst output against plain means of windows, of the paddings the nearest one."""
    x, rows = subject.image(), subject.silenced(subject.random_rows())
    actual = subject.run(x, rows)
    weights = LayerWeights(np.zeros_like(rows[subject.values]), None, rows[subject.values])
    return _nearest(subject, x, actual, [Fit(Choices(padding=padding)).predict(subject, x, weights)
                                         for padding in ("zero", "exclude", "shift")],
                    "queries, keys and tables zero")


def content_counterexample(subject: Subject, fit: Fit) -> str | None:
    """The worst output against q . k under any factor with a name, of all these the nearest."""
    x, rows = subject.image(), subject.random_rows()
    actual = subject.run(x, rows)
    trials = [Fit(fit.choices.but(content_scale=scale), query, key, split=split)
              for split, query, key in islice(splits(subject), 2)
              for scale in named_scales(subject).values()]
    return _nearest(subject, x, actual, [trial.predict(subject, x, trial.weights(subject, rows))
                                         for trial in trials], "tables zero")


def factor_counterexample(subject: Subject, fit: Fit) -> str | None:
    """The worst output after a change of the numbers, against all factors that come near it."""
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    changed = {name: subject.own[name] + CHANGE * subject.rng.uniform(1, 2, subject.own[name].shape)
               for name in subject.parts.factors}
    subject.instance.set(changed)
    actual = subject.run(x, rows, tables)
    subject.instance.set({name: subject.own[name] for name in changed})
    trials = [refined(subject, fit, x, rows, actual, which, tables)
              for which in TERMS_OF_FACTORS.values()]
    spelled = ", ".join(f"{name} = {np.array2string(value.reshape(-1)[:4], precision=6)}"
                        for name, value in changed.items())
    return _nearest(subject, x, actual, [trial.predict(subject, x, trial.weights(
        subject, rows, tables)) for trial in trials], f"random tables, {spelled}")


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
    if not values or any(subject.same(value, actual) for value in values):
        return None
    value = min(values, key=lambda each: float(np.abs(each - actual).max()))
    at = tuple(int(n) for n in np.unravel_index(np.argmax(np.abs(value - actual)), value.shape))
    return (f"counterexample: {_case(subject, x)}, random projections, {how}: output {at} is "
            f"{float(actual[at]):.6g}, where the nearest reading of the equation gives "
            f"{float(value[at]):.6g}")


def _case(subject: Subject, x: Array) -> str:
    sizes = subject.sizes
    return (f"{sizes.channels_in} channels in, {sizes.channels_out} out, {sizes.heads} heads, "
            f"extent {sizes.extent}, {x.shape[1]} x {x.shape[2]} pixels")
