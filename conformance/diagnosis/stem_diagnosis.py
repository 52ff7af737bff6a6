"""From a module that is no layer to the stem that it is, by stages; None where it is none."""

from dataclasses import dataclass, replace

import numpy as np

from ..estimate import Array
from ..report import Deviation, Diagnosis
from ..reports.summary import first_line
from .instance import Builder, ModuleError, Sizes, same
from .stem_choices import StemChoices, named_stem_deviations
from .stem_roles import STEM_SIZES, StemParts, readings, sort_stem, squeezed_shape
from .stem_stages import (
    acts,
    content_entries,
    fit_attention,
    fit_biases,
    fit_content,
    fit_cut,
    fit_mixture,
    fit_relative,
    one_matrix,
    splits,
    tables_left,
)
from .stem_subject import StemFit, StemSubject, sort_stem_rows

# Some stems take images of three channels and no others.
IMAGE_CHANNELS = 3


def diagnose_stem(builder: Builder, seed: int = 0) -> Diagnosis | None:
    """What an attention stem computes; None where the module shows no sign of being one.

    A sign is a mixture's tables, or an output that is smaller by the window: without either, it is
    a layer, whatever its window, its normalization or its projections.
    """
    subjects = _subjects(builder, seed)
    if subjects is None:
        return None
    try:
        for subject in subjects:
            if not sort_stem_rows(subject):
                return None
        mixed = _has_mixture(subjects)
        return _explain(subjects, mixed) if mixed or _is_pooled(subjects) else None
    finally:
        for subject in subjects:
            subject.restore()


def _subjects(builder: Builder, seed: int) -> list[StemSubject] | None:
    """Both builds with their parameters sorted, where these are such as a stem has."""
    for channels_in in (None, IMAGE_CHANNELS):
        sizes = [replace(size, channels_in=channels_in or size.channels_in)
                 for size in STEM_SIZES]
        rng = np.random.default_rng(seed)
        try:
            built = [builder.build(size) for size in sizes]
            widths = [instance.run(rng.standard_normal((1, 12, 12, size.channels_in))).shape[-1]
                      for instance, size in zip(built, sizes, strict=True)]
        except ModuleError:
            continue
        shapes = [instance.shapes for instance in built]
        channels = (sizes[0].channels_in, sizes[1].channels_in)
        parts = [sort_stem(shapes[0], shapes[1], channels),
                 sort_stem(shapes[1], shapes[0], channels[::-1])]
        if any(part is None or not part.projections for part in parts):
            return None
        return [StemSubject(instance, replace(size, channels_out=width), part, rng)
                for instance, size, width, part in zip(built, sizes, widths, parts, strict=True)
                if isinstance(part, StemParts)]
    return None


def _is_pooled(subjects: list[StemSubject]) -> bool:
    """Whether the output is smaller by the window, or by the four that may be in the code."""
    ratios = []
    for subject in subjects:
        x = subject.image()
        ratios.append(x.shape[1] / max(subject.instance.run(x).shape[1], 1))
    return ratios in ([subject.sizes.extent for subject in subjects], [4.0, 4.0])


def _has_mixture(subjects: list[StemSubject]) -> bool:
    """Whether some tables may be a mixture's, of as many matrices at both sizes."""
    counts = []
    for subject in subjects:
        shapes = subject.instance.shapes
        lengths = {length for name in subject.parts.tables
                   for length in squeezed_shape(shapes[name])}
        counts.append({length for length in lengths
                       if any(True for _ in readings(subject.parts, shapes, length))})
    return bool(counts[0] & counts[1])


@dataclass
class _Stop(Exception):
    """The first stage that nothing matched, and where the equation itself differs there."""

    stage: str
    counterexample: str | None = None


def _explain(subjects: list[StemSubject], mixed: bool) -> Diagnosis | None:
    refused: list[Deviation] = []
    try:
        fits = _fit(subjects[0], refused)
    except _Stop as stop:
        found = [] if stop.counterexample is None else [stop.counterexample]
        return Diagnosis("unknown", stopped_at=f"as a stem: {stop.stage}", findings=found)
    agreed = [fit for fit in fits if all(_confirm(fit, subject) for subject in subjects)]
    if not agreed:
        return Diagnosis("unknown", stopped_at="as a stem: explanations at two sizes differ")
    if not mixed and agreed[0].choices.scope != "blocks":
        return None
    return _spell(agreed, subjects, mixed, refused)


def _fit(subject: StemSubject, refused: list[Deviation]) -> list[StemFit]:
    values = "convolution" if subject.parts.kernel is not None else \
        "mixture" if subject.mixtures > 1 else "plain"
    fits = fit_attention(subject, values)
    if not fits:
        raise _Stop("values: no known window, value matrices or order of normalization and pool "
                    "matches", _values_counterexample(subject, values))
    if values == "mixture":
        before, fits = fits, fit_mixture(subject, fits)
        if not fits:
            raise _Stop("mixture: window and pool match, but no known mixture of the value "
                        "matrices does", _mixture_counterexample(subject, before[0]))
    before, fits = fits, fit_content(subject, fits)
    if not fits:
        raise _Stop("content: values and window match, but no known form of q . k does",
                    _content_counterexample(subject, before))
    left = tables_left(subject, fits[0])
    if left and acts(subject, left):
        fits = _next(fit_relative(subject, fits),
                     "tables: all else matches, but no known reading of the tables "
                     f"{', '.join(left)} does")
    if subject.parts.vectors and acts_as_biases(subject):
        fits = _next(fit_biases(subject, fits),
                     "biases: all else matches, but no known reading of the biases does")
    fits, raised = fit_cut(subject, fits)
    if raised is not None:
        refused.append(Deviation("stem-size-refused", "STEM-7", "an image that the window does "
                                 f"not divide is refused: {first_line(raised)}"))
    return _next(fits, "last blocks: all else matches, but no known way to end an image that the "
                       "window does not divide does")


def acts_as_biases(subject: StemSubject) -> bool:
    """Whether the vectors change anything."""
    entries, x = subject.random(biases=True), subject.image()
    silent = {**entries, **{name: np.zeros_like(entries[name]) for name in subject.parts.vectors}}
    return not same(subject.run(x, entries), subject.run(x, silent))


def _next(fits: list[StemFit], stage: str) -> list[StemFit]:
    if not fits:
        raise _Stop(stage)
    return fits


def _values_counterexample(subject: StemSubject, values: str) -> str | None:
    """The worst output against the equation with one value matrix and mixtures that are even."""
    entries, x = one_matrix(subject), subject.image()
    actual = subject.run(x, entries)
    fit = StemFit(StemChoices(values="plain" if values == "mixture" else values))
    ends = [finish for finish in (("norm", "maximum"), ("norm",), ())
            if ("norm" in finish) == bool(subject.parts.norm)]
    return _nearest(subject, x, actual,
                    [fit.but(finish=finish).predict(subject, x, entries) for finish in ends],
                    "queries and keys zero, one value matrix for all mixtures, tables even")


def _content_counterexample(subject: StemSubject, start: list[StemFit]) -> str | None:
    entries, x = content_entries(subject, start), subject.image()
    actual = subject.run(x, entries)
    values = [replace(fit, query=query, key=key).predict(subject, x, entries)
              for fit in start[:1] for query, key in splits(subject)]
    return _nearest(subject, x, actual, values, "random projections")


def _mixture_counterexample(subject: StemSubject, fit: StemFit) -> str | None:
    entries, x = subject.random(), subject.image()
    rows = subject.rows(entries)
    rows[subject.others] = 0
    entries = subject.with_rows(entries, rows)
    actual = subject.run(x, entries)
    window = fit.choices.sizes_at(subject.sizes).extent
    values = []
    for reading in readings(subject.parts, subject.instance.shapes, subject.mixtures):
        shape = squeezed_shape(subject.instance.shapes[reading.row])
        if reading.row != reading.col and shape[1 - reading.axes[0]] == window:
            values.append(replace(fit, reading=reading).but(normalized="softmax")
                          .predict(subject, x, entries))
    return _nearest(subject, x, actual, values, "queries and keys zero, random tables")


def _nearest(subject: StemSubject, x: Array, actual: Array, values: list[Array],
             how: str) -> str | None:
    values = [value for value in values if value.shape == actual.shape]
    if not values or any(same(value, actual) for value in values):
        return None
    value = min(values, key=lambda each: float(np.abs(each - actual).max()))
    at = tuple(int(n) for n in np.unravel_index(np.argmax(np.abs(value - actual)), value.shape))
    sizes: Sizes = subject.sizes
    return (f"counterexample: {sizes.channels_in} channels in, {sizes.channels_out} out, "
            f"{sizes.heads} heads, window {sizes.extent}, {x.shape[1]} x {x.shape[2]} pixels, "
            f"{how}: output {at} is {float(actual[at]):.6g}, where the nearest reading of the "
            f"equation gives {float(value[at]):.6g}")


def _confirm(fit: StemFit, subject: StemSubject) -> bool:
    """Whether the explanation holds at this size, with random entries and with its own."""
    x = subject.image(batch=2)
    return all(same(fit.predict(subject, x, entries), subject.run(x, entries))
               for entries in (subject.random(biases=True), subject.own))


def _spell(fits: list[StemFit], subjects: list[StemSubject], mixed: bool,
           refused: list[Deviation]) -> Diagnosis:
    fit, subject, findings = fits[0], subjects[0], []
    deviations = [*named_stem_deviations(fit.choices), *refused,
                  *_parameter_deviations(fit, subject, mixed)]
    if not set(fit.choices.finish) & {"maximum", "average"}:
        findings.append("STEM-3 is not judged in full: no pool is part of the module")
    if subject.instance.shapes == subjects[1].instance.shapes:
        findings.append("its sizes are in its code: judged at one size")
    names = [{each.name for each in named_stem_deviations(other.choices)} for other in fits]
    ambiguous = dict.fromkeys(", ".join(sorted(other)) or "no deviation"
                              for other in names[1:] if other != names[0])
    return Diagnosis("deviations" if deviations else "options", options=_options(fit),
                     deviations=deviations, mapping=_mapping(fit, subject),
                     ambiguous=list(ambiguous), findings=findings)


def _options(fit: StemFit) -> dict[str, object]:
    choices = fit.choices
    kinds = {"plain": "plain", "mixture": "mixture", "convolution": "conv_value"}
    options: dict[str, object] = {"stem": kinds[choices.values]}
    if isinstance(choices.heads, int):
        options["stem_heads"] = choices.heads
    if isinstance(choices.window, int):
        options["stem_window"] = choices.window
    return options


def _parameter_deviations(fit: StemFit, subject: StemSubject, mixed: bool) -> list[Deviation]:
    """Deviations that show in which parameters there are and which of them matter."""
    found = []
    if fit.query == fit.key:
        found.append(Deviation("projection-shared", "ATT-6", "query and key are one projection"))
    if "values" in (fit.query, fit.key):
        found.append(Deviation("value-is-key", "STEM-4", "one projection gives values and "
                               + ("keys" if fit.key == "values" else "queries")))
    if fit.biased:
        found.append(Deviation("projection-biased", "ATT-6", "the projections have biases"))
    if mixed and subject.mixtures == 1 and fit.choices.relative == "none":
        name, clause = ("mixture-first-only", "MIX-3") if subject.dead else ("mixture-ignored",
                                                                             "STEM-6")
        found.append(Deviation(name, clause, "one value matrix is used at every place; the tables "
                                             f"{', '.join(subject.parts.tables)} never matter"))
    return found


def _mapping(fit: StemFit, subject: StemSubject) -> list[tuple[str, str]]:
    owners = [projection.name for projection, count in
              zip(subject.parts.projections, subject.counts, strict=True) for _ in range(count)]
    mapping = []
    for role, rows in (("w_query", fit.rows_of(subject, fit.query)),
                       ("w_key", fit.rows_of(subject, fit.key)), ("w_value", subject.values)):
        names = dict.fromkeys(owners[row] for row in rows) or {subject.parts.kernel or "": None}
        mapping.append((role, " + ".join(names)))
    if fit.reading is not None:
        mapping += [("emb_row", fit.reading.row), ("emb_col", fit.reading.col),
                    ("nu", fit.reading.nu)]
    if fit.tables is not None:
        mapping += [("rel_row", fit.tables[0]), ("rel_col", fit.tables[1])]
    return mapping + list(subject.parts.norm.items())
