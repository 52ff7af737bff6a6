"""The stages in which a stem is fitted; each must match before the next begins."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations, product

import numpy as np

from ..estimate import Array
from .choices import HEAD_FORMS
from .instance import ModuleError, same
from .stem_choices import CUTS, FINISHES, NORMALIZED, PLACES, SCALES, attention_readings
from .stem_roles import readings, single_tables, squeezed_shape
from .stem_subject import ALIKE, Entries, StemFit, StemSubject
from .stem_variant import finished, variant_attention

# Windows and heads that are in the code of stems that let nobody choose.
FIXED_WINDOW, FIXED_HEADS = 4, (4, 8, 2, 1)


def fit_attention(subject: StemSubject, values: str) -> list[StemFit]:
    """Readings of window and of what follows, under which equal logits give the output.

    All value matrices are made one, and all tables alike, so that a mixture is a factor.
    """
    entries, x = one_matrix(subject), subject.image(12, 12)
    actual = subject.run(x, entries)
    found = []
    for choices, window in product(attention_readings(values), ("given", FIXED_WINDOW)):
        choices = choices.but(window=window)
        weights = StemFit(choices).weights(subject, entries)
        mean = variant_attention(x, weights, subject.sizes,
                                 choices.but(values="plain") if values == "mixture" else choices)
        at = choices.sizes_at(subject.sizes).extent
        for finish, (kind, factor) in product(FINISHES, _factors(subject, values)):
            if "norm" in finish and not subject.parts.norm:
                continue
            trial = StemFit(choices.but(finish=finish, normalized=kind))
            if same(finished(factor * mean, weights, at, trial.choices), actual):
                found.append(trial)
    return found


def one_matrix(subject: StemSubject) -> Entries:
    """Random entries, but queries and keys zero, one value matrix for all, and tables alike."""
    entries = subject.alike(subject.random())
    rows, count = subject.rows(entries), subject.sizes.channels_out
    rows[subject.others] = 0
    for mixture in range(1, subject.mixtures):
        rows[subject.values[mixture * count:][:count]] = rows[subject.values[:count]]
    return subject.with_rows(entries, rows)


def _factors(subject: StemSubject, values: str) -> list[tuple[str, float]]:
    """What a mixture of equal matrices multiplies them by, when its tables are alike."""
    if values != "mixture":
        return [("softmax", 1.0)]
    found: dict[tuple[str, float], None] = {}
    shapes = subject.instance.shapes
    for reading in readings(subject.parts, shapes, subject.mixtures):
        shape = squeezed_shape(shapes[reading.row])
        entries, embedding = shape[1 - reading.axes[0]], shape[reading.axes[0]]
        logit = 2 * embedding * ALIKE ** 2
        each = {"softmax": 1 / subject.mixtures, "positions": entries ** -2.0, "raw": logit,
                "exp": float(np.exp(logit)), "sigmoid": float(1 / (1 + np.exp(-logit)))}
        found |= {(kind, subject.mixtures * each[kind]): None for kind in NORMALIZED}
    return list(found)


def fit_mixture(subject: StemSubject, start: list[StemFit]) -> list[StemFit]:
    """Readings of the mixture's tables, the place that they take and which of them are read."""
    entries, x = _silent(subject), subject.image(12, 12)
    actual = subject.run(x, entries)
    found: list[StemFit] = []
    for fit, reading in product(start, list(readings(subject.parts, subject.instance.shapes,
                                                     subject.mixtures))):
        for (chosen, tables), place in product(single_tables(reading), PLACES):
            trial = replace(fit.but(tables=tables, place=place), reading=chosen)
            if _readable(trial, subject, x) and same(trial.predict(subject, x, entries), actual):
                found.append(trial)
    return plainest_stems(found)


def _readable(fit: StemFit, subject: StemSubject, x: Array) -> bool:
    """Whether the tables have an entry for every place of this reading."""
    if fit.reading is None:
        return False
    window = fit.choices.sizes_at(subject.sizes).extent
    shape = squeezed_shape(subject.instance.shapes[fit.reading.row])
    entries = shape[1 - fit.reading.axes[0]]
    if fit.choices.place == "image":
        return entries >= max(x.shape[1:3])
    return entries == window and (fit.choices.place != "sliding"
                                  or fit.choices.scope == "sliding")


def _silent(subject: StemSubject) -> Entries:
    """Random entries, but queries and keys zero."""
    entries = subject.random()
    rows = subject.rows(entries)
    rows[subject.others] = 0
    return subject.with_rows(entries, rows)


def splits(subject: StemSubject) -> Iterator[tuple[str, str]]:
    """Which rows are queries and which keys."""
    if len(subject.others) == 2 * subject.sizes.channels_out:
        yield from (("first", "second"), ("second", "first"))
    else:
        yield "first", "first"
        if subject.mixtures == 1:
            yield from (("first", "values"), ("values", "first"))


def content_entries(subject: StemSubject, start: list[StemFit]) -> Entries:
    """Random entries, but tables that no mixture reads zero: they may be a relative term's."""
    read = {name for fit in start if fit.reading is not None
            for name in (fit.reading.row, fit.reading.col, fit.reading.nu)}
    return {name: np.zeros_like(entry) if name in subject.parts.tables and name not in read
            else entry for name, entry in subject.random().items()}


def fit_content(subject: StemSubject, start: list[StemFit]) -> list[StemFit]:
    """Readings of queries, keys, heads and scale."""
    entries, x = content_entries(subject, start), subject.image(12, 12)
    actual = subject.run(x, entries)
    found: list[StemFit] = []
    for heads, scale in product(_heads_rules(subject), SCALES):
        for fit, (query, key), form in product(_unlike(start), list(splits(subject)), HEAD_FORMS):
            if form in ("one", "channel") and heads != "given":
                continue
            trial = replace(fit.but(heads=heads, form=form, scale=scale), query=query, key=key)
            weights = trial.weights(subject, entries)
            y = variant_attention(x, weights, subject.sizes, trial.choices)
            window = trial.choices.sizes_at(subject.sizes).extent
            ends = [trial.but(finish=other.choices.finish) for other in start
                    if other.but(finish=()) == fit.but(finish=())]
            found += [end for end in ends if same(finished(y, weights, window, end.choices),
                                                  actual)]
        if found:
            break
    # Of what follows the attention, too, the first of FINISHES is the plainest.
    return sorted(plainest_stems(found), key=lambda fit: FINISHES.index(fit.choices.finish))


def _unlike(fits: list[StemFit]) -> list[StemFit]:
    """One of each that differ in more than what follows the attention."""
    return list({fit.but(finish=()): fit for fit in fits}.values())


def _heads_rules(subject: StemSubject) -> list[int | str]:
    """Heads that divide the channels: as given, or a number that is in the code."""
    count = subject.sizes.channels_out
    given: list[int | str] = ["given"] if count % subject.sizes.heads == 0 else []
    return given + [heads for heads in FIXED_HEADS if count % heads == 0]


def tables_left(subject: StemSubject, fit: StemFit) -> list[str]:
    """Tables that the mixture does not read."""
    read = () if fit.reading is None else (fit.reading.row, fit.reading.col, fit.reading.nu)
    return [name for name in subject.parts.tables if name not in read]


def acts(subject: StemSubject, names: list[str]) -> bool:
    """Whether these entries change anything."""
    entries, x = subject.random(), subject.image()
    silent = {**entries, **{name: np.zeros_like(entries[name]) for name in names}}
    return not same(subject.run(x, entries), subject.run(x, silent))


def fit_relative(subject: StemSubject, start: list[StemFit]) -> list[StemFit]:
    """Readings of the tables that are left as a relative term's."""
    entries, x = subject.random(), subject.image()
    actual = subject.run(x, entries)
    found = []
    for fit in start:
        sizes = fit.choices.sizes_at(subject.sizes)
        for names, how in product(permutations(tables_left(subject, fit), 2),
                                  ("by offset", "by slot")):
            wanted = 2 * sizes.extent - 1 if how == "by offset" else sizes.extent
            shapes = [squeezed_shape(subject.instance.shapes[name]) for name in names]
            if any(sorted(shape) not in (sorted((wanted, sizes.depth // 2)),
                                         sorted((wanted, sizes.channels_out // 2)))
                   for shape in shapes):
                continue
            trial = replace(fit.but(relative=how), tables=names)
            if same(trial.predict(subject, x, entries), actual):
                found.append(trial)
    return found


def fit_biases(subject: StemSubject, start: list[StemFit]) -> list[StemFit]:
    """Readings of the vectors as biases of the projections, padded before or after."""
    entries, x = subject.random(biases=True), subject.image()
    actual = subject.run(x, entries)
    trials = [replace(fit.but(pad_input=pad_input), biased=True)
              for fit in start
              for pad_input in ((False, True) if fit.choices.outside == "zero" else (False,))]
    return [trial for trial in trials if same(trial.predict(subject, x, entries), actual)]


def fit_cut(subject: StemSubject, start: list[StemFit]) -> tuple[list[StemFit], str | None]:
    """Readings of the last blocks of an image that no window divides, and what it raises there."""
    if not any(fit.choices.scope == "blocks" or set(fit.choices.finish) & {"maximum", "average"}
               for fit in start):
        return start, None
    entries, x = subject.random(biases=True), subject.image(13, 23)
    try:
        actual = subject.run(x, entries)
    except ModuleError as error:
        return start, str(error)
    return plainest_stems([trial for fit in start for trial in (fit.but(cut=cut) for cut in CUTS)
                           if same(trial.predict(subject, x, entries), actual)]), None


def plainest_stems(fits: list[StemFit]) -> list[StemFit]:
    """Those with the fewest differences from the equation."""
    least = min((fit.choices.differences() for fit in fits), default=0)
    return [fit for fit in fits if fit.choices.differences() == least]
