"""The first stages of the fit, values and content. Each must match before the next begins.

In every stage all but one part of the module is switched off, so that a handful of readings is
left to tell apart; all that match are kept.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from ..estimate import Array
from .choices import HEAD_FORMS, ORDERS, PADDINGS, SOFTMAXES, Choices
from .fit import (
    CONTENT_FIELDS,
    VALUE_FIELDS,
    Fit,
    Guide,
    first_of_equals,
    guided,
    plainest,
    refined,
    scaled,
)
from .mapping import Split, allowed_splits
from .network_pools import smaller
from .subject import Subject, is_tied
from .variant import LayerWeights

# Queries this small, with keys that are as large, leave q . k as it is to the last bit, and of what
# else meets the query nothing that float64 could tell.
BALANCE = 2.0 ** -40


def fit_values(subject: Subject, guide: Guide = None) -> list[Fit]:
    """Readings of window, padding, order and stride under which equal logits give the output."""
    x, rows = subject.image(batch=2), subject.silenced(subject.random_rows())
    actual = subject.run(x, rows)
    found: list[Fit] = []
    for choices in smaller(_value_choices(subject), x, actual):
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


@allowed_splits
def splits(subject: Subject) -> Iterator[Split]:
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
        for query, key, which in ((one, other, "query"), (other, one, "key")):
            shared = [role for role, members in (("query", query), ("key", key))
                      if members == subject.values]
            yield (f"{shared[0]} and value are one" if shared else f"{name}, {which} first",
                   query, key)


def fit_content(subject: Subject, start: list[Fit], guide: Guide = None) -> list[Fit]:
    """Readings of queries, keys, heads, softmax and scale.

    Without keys the logits stay zero here, and the tables decide on heads and softmax.
    """
    if len(subject.others) == 0:
        return []
    x, rows = subject.image(batch=2), subject.random_rows()
    ways = list(splits(subject))
    if subject.instance.facts.random:
        found = []
        for way in ways:
            balanced = rows.copy()
            balanced[way[1]] *= BALANCE
            balanced[way[2]] /= BALANCE
            found += _fit_content(subject, start, [way], x, balanced, guide)
        return first_of_equals(found)
    if len(subject.others) == subject.sizes.channels_out and not is_tied(subject):
        actual = subject.run(x, rows)
        for fit in start:
            alone = Fit(fit.choices.but(content=False), subject.others, split="query alone")
            if alone.explains(subject, x, alone.weights(subject, rows), actual):
                return [alone]
    return _fit_content(subject, start, ways, x, rows, guide)


def _fit_content(subject: Subject, start: list[Fit], ways: list[Split], x: Array, rows: Array,
                 guide: Guide) -> list[Fit]:
    actual, small = subject.run(x, rows), rows.copy()
    small[subject.logit_rows] *= subject.small
    nearly = subject.run(x, small)
    found: list[Fit] = []
    # One head is laid out in one way.
    forms = HEAD_FORMS if subject.sizes.heads > 1 else ("contiguous", "channel")
    starts = dict.fromkeys(fit.choices.but(softmax="window") for fit in start)
    for start_choices, (split, query, key), heads, softmax in product(starts, ways, forms,
                                                                      SOFTMAXES):
        choices = start_choices.but(heads=heads, softmax=softmax)
        if not guided(choices, guide, CONTENT_FIELDS):
            continue
        trial = scaled(subject, Fit(choices, query, key, split=split), x, small, nearly,
                       "content_scale")
        if trial is None:
            continue
        trial = refined(subject, trial, x, rows, actual, ("content_scale",))
        if trial.explains(subject, x, trial.weights(subject, rows), actual):
            found.append(trial)
    return first_of_equals(found)
