"""The first stages of the fit, values and content. Each must match before the next begins.

In every stage all but one part of the module is switched off, so that a handful of readings is
left to tell apart; all that match are kept.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from .choices import HEAD_FORMS, ORDERS, PADDINGS, SOFTMAXES, Choices
from .fit import (
    CONTENT_FIELDS,
    SMALL,
    VALUE_FIELDS,
    Fit,
    Guide,
    first_of_equals,
    guided,
    plainest,
    refined,
    scaled,
)
from .subject import Subject, is_tied
from .variant import LayerWeights

# A projection that gives queries, keys and values can only be silenced in its logits, which are
# its square, by being this small: what is left of them lies below all rounding.
TINY = 1e-9


def fit_values(subject: Subject, guide: Guide = None) -> list[Fit]:
    """Readings of window, padding, order and stride under which equal logits give the output."""
    x, rows = subject.image(batch=2), subject.random_rows()
    # One projection for all cannot be split: it is made so small that its logits, which are its
    # square, vanish beside its values.
    rows[subject.others] *= TINY if is_tied(subject) else 0
    actual = subject.run(x, rows)
    found: list[Fit] = []
    for choices in _value_choices(subject):
        if not guided(choices, guide, VALUE_FIELDS):
            continue
        if found and len(choices.differences()) > len(found[0].choices.differences()):
            continue
        fit = Fit(choices)
        # Without queries and keys every reading of the logits is the same.
        weights = LayerWeights(np.zeros_like(rows[subject.values]), None, rows[subject.values])
        if fit.explains(subject, x, weights, actual):
            found.append(fit)
    return plainest(found)


def _value_choices(subject: Subject) -> Iterator[Choices]:
    extent = subject.sizes.extent
    centre = extent // 2
    befores = sorted(range(extent), key=lambda at: (abs(at - centre), at))
    # Equal logits tell a softmax over rows from one over columns only where slots are excluded.
    for stride, dilation, before, softmax, order, padding in product(
            (1, 2), (1, 2), befores, ("window", "row", "column", "heads"), ORDERS, PADDINGS):
        if padding == "shift" and dilation != 1:
            continue
        at = None if before == centre else before
        yield Choices(before_row=at, before_col=at, dilation=dilation, padding=padding,
                      softmax=softmax, order=order, stride=stride)


def splits(subject: Subject) -> Iterator[tuple[str, list[int], list[int]]]:
    """Ways to part the rows that act through the logits into queries and keys."""
    rows, count, depth = subject.others, subject.sizes.channels_out, subject.sizes.depth
    if len(rows) == count:
        name = "query, key and value are one" if is_tied(subject) else "query and key are one"
        yield name, rows, rows
        return
    if len(rows) != 2 * count:
        return
    by_head = [[rows[n * 2 * depth + part * depth + d] for n in range(subject.sizes.heads)
                for d in range(depth)] for part in (0, 1)]
    halves = {"first and second": (rows[:count], rows[count:]),
              "head by head": (by_head[0], by_head[1]),
              "alternating": (rows[::2], rows[1::2])}
    for name, (one, other) in halves.items():
        yield f"{name}, query first", one, other
        yield f"{name}, key first", other, one


def fit_content(subject: Subject, start: list[Fit], guide: Guide = None) -> list[Fit]:
    """Readings of queries, keys, heads, softmax and scale.

    Without keys the logits stay zero here, and the tables decide on heads and softmax.
    """
    if len(subject.others) == 0:
        return []
    alone = [Fit(fit.choices.but(content=False), subject.others, split="query alone")
             for fit in start
             if len(subject.others) == subject.sizes.channels_out and not is_tied(subject)]
    x, rows = subject.image(batch=2), subject.random_rows()
    actual = subject.run(x, rows)
    small = rows.copy()
    small[subject.others] *= SMALL
    nearly = subject.run(x, small)
    for fit in alone:
        if fit.explains(subject, x, fit.weights(subject, rows), actual):
            return [fit]
    found: list[Fit] = []
    starts = dict.fromkeys(fit.choices.but(softmax="window") for fit in start)
    for start_choices, (split, query, key), heads, softmax in product(
            starts, list(splits(subject)), HEAD_FORMS, SOFTMAXES):
        choices = start_choices.but(heads=heads, softmax=softmax)
        if not guided(choices, guide, CONTENT_FIELDS):
            continue
        trial = scaled(subject, Fit(choices, query, key, split=split), x, small, nearly,
                       "content_scale")
        if trial is None:
            continue
        trial = refined(subject, trial, x, rows, actual, "content_scale")
        if trial.explains(subject, x, trial.weights(subject, rows), actual):
            found.append(trial)
    return first_of_equals(found)
