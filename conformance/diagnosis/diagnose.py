"""From a module that nobody adapted to what it computes: stages at one size, checked at another."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..report import Diagnosis
from .builds import attempts, build_twice, subjects_of
from .coefficients import coefficient_words
from .counterexample import (
    affine_counterexample,
    content_counterexample,
    factor_counterexample,
    relative_counterexample,
    values_counterexample,
)
from .fit import Fit, Guide, named_scales
from .instance import Builder, ModuleError
from .later_stages import (
    fit_biases,
    fit_factors,
    fit_kernels,
    fit_mixers,
    fit_relative,
    mixes_values,
    tables_act,
)
from .mapping import apply_mapping, check_mapping, contradiction
from .roles import Projection, without_numbers
from .spelling import Explained, mapping_of, spell
from .stages import fit_content, fit_values
from .subject import Subject, sort_rows, sort_rows_alike


def diagnose(builder: Builder, seed: int = 0,
             said: Mapping[str, str] | None = None) -> Diagnosis:
    """What a module computes, or the first stage where nothing known matches.

    said  parameters by role, where the user says which plays it
    Raises ValueError for a role or a parameter that there is not.
    """
    try:
        sizes, built = build_twice(builder)
    except ModuleError as error:
        return Diagnosis("not judged", stopped_at=str(error))
    check_mapping(said or {}, built[0].shapes)
    state = _hidden_state(subjects_of(sizes, built, seed)[0])
    if state is not None:
        return Diagnosis("unknown", stopped_at=state, findings=[state])
    first: Diagnosis | None = None
    for pair, fixed in attempts(sizes, built):
        subjects = subjects_of(pair, built, seed, fixed)
        for subject in subjects:
            apply_mapping(subject, said or {})
        try:
            diagnosis = _explain(subjects)
        finally:
            for subject in subjects:
                subject.restore()
        if diagnosis.found != "unknown":
            return diagnosis
        first = first or diagnosis
    assert first is not None
    return first


def _hidden_state(subject: Subject) -> str | None:
    x = subject.image(batch=2)
    before = x.copy()
    one, again = subject.instance.run(x), subject.instance.run(x)
    if not np.array_equal(x, before):
        return "it changes its input"
    if not np.array_equal(one, again, equal_nan=True):
        return "two calls with the same input differ"
    alone = subject.instance.run(x[:1])
    if not subject.instance.facts.random and not subject.same(alone, one[:1]):
        return "an image's output depends on the other images of the batch"
    return None


@dataclass
class Stop(Exception):
    """The first stage that nothing matched, and what was seen there."""

    stage: str
    counterexample: str | None = None
    seen: list[str] = field(default_factory=list)


def _explain(subjects: list[Subject]) -> Diagnosis:
    try:
        first = _fit_one(subjects[0], None)
        fits = [first, _fit_one(subjects[1], first, subjects[0])]
        agreed = [(one, other) for one in fits[0] for other in fits[1]
                  if _agree(one, other, subjects)]
        if not agreed:
            raise Stop("explanations at two sizes differ")
        refused = contradiction(subjects[0].said, mapping_of(agreed[0][0], subjects[0]))
        if refused is not None:
            raise Stop(refused)
        if not all(_confirm(agreed[0][n], subjects[n]) for n in (0, 1)):
            raise Stop("its own weights give what random ones do not")
        factors, again = (fit_factors(subject, [fit])
                          for subject, fit in zip(subjects, agreed[0], strict=True))
        if factors is None or factors != again:
            raise Stop("factors: all else matches, but these numbers do nothing that is known: "
                       + ", ".join(subjects[0].parts.factors),
                       factor_counterexample(subjects[0], agreed[0][0]))
    except Stop as stop:
        found = [*stop.seen, *([] if stop.counterexample is None else [stop.counterexample])]
        if subjects[0].instance.facts.random:
            stop.stage = f"two calls with the same input differ; {stop.stage}"
            found.insert(0, "it draws random numbers when it runs")
        return Diagnosis("unknown", stopped_at=stop.stage, findings=found)
    return spell(Explained(agreed, subjects, factors))


def _fit_one(subject: Subject, guide: Guide, other: Subject | None = None) -> list[Fit]:
    """All explanations at one size; at the second only those that the first, `other`, has."""
    if not subject.parts.others:
        return _fit_stages(subject, guide, other)
    # What has no place is given numbers that hide nothing, and must then never matter.
    homeless = f"parameters have no place in the layer: {', '.join(subject.parts.others)}"
    subject.randomize(subject.parts.others)
    try:
        fits = _fit_stages(subject, guide, other)
    except Stop as stop:
        raise Stop(f"{homeless}; with random numbers in them, {stop.stage}",
                   stop.counterexample, stop.seen) from stop
    x, rows, tables = subject.image(), subject.random_rows(), subject.random_tables()
    one = subject.run(x, rows, tables)
    subject.randomize(subject.parts.others)
    if not subject.same(one, subject.run(x, rows, tables)):
        raise Stop(homeless)
    return fits


def _fit_stages(subject: Subject, guide: Guide, other: Subject | None) -> list[Fit]:
    before = _fit_values(subject, guide, other)
    if not before:
        raise Stop("values: no known window, padding or order of outputs matches",
                   values_counterexample(subject))
    fits = fit_content(subject, before, guide)
    if not fits:
        raise Stop("content: values, window and padding match, but no known form of q . k does",
                   content_counterexample(subject, before[0]))
    subject.tables_do = tables_act(subject)
    if subject.tables_do == "acts":
        before, fits = fits, fit_relative(subject, fits, guide)
        if not fits:
            raise Stop("relative: values and content match, but no known reading of the tables "
                       "does", relative_counterexample(subject, before[0]),
                       coefficient_words(subject, before[0]))
    if any(p.taps != (1, 1) for p in subject.projections):
        fits = _next("projections: all else matches, but these see more than one pixel otherwise "
                     "than as convolutions with zeros around: "
                     + ", ".join(p.name for p in subject.projections if p.taps != (1, 1)),
                     fit_kernels(subject, fits))
    if subject.parts.mixers:
        fits = _next("output: all else matches, but no known product after everything does",
                     fit_mixers(subject, fits))
    if subject.parts.vectors:
        fits = _next("biases: all else matches, but no known reading of the biases does",
                     fit_biases(subject, fits))
    return fits


def _fit_values(subject: Subject, guide: Guide, other: Subject | None) -> list[Fit]:
    """Rows sorted, then the values; a projection of the output may pass for one of values."""
    if other is not None:
        for part in [part for part in subject.parts.projections if part.name in other.parts.mixers]:
            _as_mixer(subject, part)
        if sort_rows_alike(subject, other):
            return fit_values(subject, guide)
    _sort(subject)
    count = subject.sizes.channels_out
    if len(subject.values) == 2 * count:
        start = 0
        for part, rows in zip(list(subject.parts.projections), list(subject.counts), strict=True):
            if rows == count and set(range(start, start + rows)) <= set(subject.values):
                fits = _without(subject, part, guide)
                if fits:
                    return fits
            start += rows
    if len(subject.values) != count:
        raise Stop(f"values: {len(subject.values)} rows act as values, where {count} channels come "
                   "out", affine_counterexample(subject))
    return fit_values(subject, guide)


def _without(subject: Subject, part: Projection, guide: Guide) -> list[Fit]:
    """The values where one projection is taken for a product after everything."""
    position = subject.parts.projections.index(part)
    _as_mixer(subject, part)
    _sort(subject)
    fits = fit_values(subject, guide) if len(subject.values) == subject.sizes.channels_out else []
    if not fits or not mixes_values(subject, fits[0]):
        subject.parts.mixers.remove(part.name)
        subject.parts.projections.insert(position, part)
        subject.read_projections()
        _sort(subject)
        return []
    return fits


def _as_mixer(subject: Subject, part: Projection) -> None:
    subject.parts.projections.remove(part)
    subject.parts.mixers.append(part.name)
    subject.read_projections()


def _sort(subject: Subject) -> None:
    stopped = sort_rows(subject)
    if stopped is not None:
        raise Stop(stopped)


def _next(stage: str, fits: list[Fit]) -> list[Fit]:
    if not fits:
        raise Stop(stage)
    return fits


def _agree(one: Fit, other: Fit, subjects: list[Subject]) -> bool:
    """Whether two explanations, at two sizes, are the same one."""
    if (one.split, one.reading, one.biased, one.mixed) != (
            other.split, other.reading, other.biased, other.mixed):
        return False
    owners = [{(without_numbers(name), without_numbers(bias))
               for name, bias in fit.owners.items()} for fit in (one, other)]
    if owners[0] != owners[1]:
        return False
    skip = {"content_scale", "relative_scale", "before_row", "before_col"}
    differences = [{name: value for name, value in fit.choices.differences().items()
                    if name not in skip} for fit in (one, other)]
    return differences[0] == differences[1] and all(
        _same_scale(getattr(one.choices, name), getattr(other.choices, name), subjects)
        for name in ("content_scale", "relative_scale"))


def _same_scale(one: float, other: float, subjects: list[Subject]) -> bool:
    if subjects[0].same(np.array(one), np.array(other)):
        return True
    names = [{name for name, value in named_scales(subject).items() if value == scale}
             for subject, scale in zip(subjects, (one, other), strict=True)]
    return bool(names[0] & names[1])


def _confirm(fit: Fit, subject: Subject) -> bool:
    """Whether the explanation holds with the module's own weights, on two images."""
    subject.restore()
    if subject.instance.facts.random:
        # What it draws is not known, and its own queries are not silent.
        return True
    rows = subject.own_rows()
    tables = {name: subject.own[name] for name in subject.parts.tables}
    weights = fit.weights(subject, rows, tables, subject.own)
    return all(subject.same(fit.predict(subject, x, weights), subject.instance.run(x))
               for x in (subject.image(), subject.image(batch=2, height=9, width=8)))
