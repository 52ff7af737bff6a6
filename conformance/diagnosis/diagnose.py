"""From a module that nobody adapted to what it computes: stages at one size, checked at another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..report import Deviation, Diagnosis
from .choices import named_deviations, named_options
from .convert import conversion_words
from .counterexample import content_counterexample, relative_counterexample
from .fit import Fit, Guide, named_scales
from .instance import SIZES, SQUARE_SIZES, Builder, ModuleError, Sizes, same
from .later_stages import fit_biases, fit_mixers, fit_relative, mixes_values, tables_act
from .mapping import apply_mapping, check_mapping, contradiction
from .placement import Explanation
from .roles import Projection, sort_parameters
from .stages import fit_content, fit_values
from .subject import Subject, sort_rows, sort_rows_alike


def diagnose(builder: Builder, seed: int = 0,
             said: Mapping[str, str] | None = None) -> Diagnosis:
    """What a module computes, or the first stage where nothing known matches.

    said  parameters by role, where the user says which plays it
    Raises ValueError for a role or a parameter that there is not.
    """
    sizes: tuple[Sizes, Sizes] = SIZES
    try:
        built = tuple(builder.build(size) for size in sizes)
    except ModuleError as first:
        try:
            sizes = SQUARE_SIZES
            built = tuple(builder.build(size) for size in sizes)
        except ModuleError:
            return Diagnosis("not judged", stopped_at=str(first))
    shapes = [instance.shapes for instance in built]
    subjects = [Subject(instance, size, sort_parameters(shapes[n], shapes[1 - n],
                                                        (size, sizes[1 - n])),
                        np.random.default_rng(seed + n))
                for n, (instance, size) in enumerate(zip(built, sizes, strict=True))]
    check_mapping(said or {}, shapes[0])
    for subject in subjects:
        apply_mapping(subject, said or {})
    state = _hidden_state(subjects[0])
    if state is not None:
        return Diagnosis("unknown", stopped_at=state, findings=[state])
    try:
        return _explain(subjects)
    finally:
        for subject in subjects:
            subject.restore()


def _hidden_state(subject: Subject) -> str | None:
    x = subject.image(batch=2)
    before = x.copy()
    one, again = subject.instance.run(x), subject.instance.run(x)
    if not np.array_equal(x, before):
        return "it changes its input"
    if not np.array_equal(one, again, equal_nan=True):
        return "two calls with the same input differ"
    alone = subject.instance.run(x[:1])
    if not same(alone, one[:1]):
        return "an image's output depends on the other images of the batch"
    return None


@dataclass
class _Stop(Exception):
    """The first stage that nothing matched, and where the equation itself differs there."""

    stage: str
    counterexample: str | None = None


def _explain(subjects: list[Subject]) -> Diagnosis:
    try:
        first = _fit_one(subjects[0], None)
        fits = [first, _fit_one(subjects[1], first, subjects[0])]
    except _Stop as stop:
        found = [] if stop.counterexample is None else [stop.counterexample]
        return Diagnosis("unknown", stopped_at=stop.stage, findings=found)
    agreed = [(one, other) for one in fits[0] for other in fits[1] if _agree(one, other, subjects)]
    if not agreed:
        return Diagnosis("unknown", stopped_at="explanations at two sizes differ")
    fit = agreed[0][0]
    refused = contradiction(subjects[0].said, _mapping(fit, subjects[0]))
    if refused is not None:
        return Diagnosis("unknown", stopped_at=refused)
    if not all(_confirm(pair[n], subjects[n]) for pair in agreed[:1] for n in (0, 1)):
        return Diagnosis("unknown", stopped_at="its own weights give what random ones do not")
    return _spell(fit, [one for one, _ in agreed[1:]], subjects[0])


def _fit_one(subject: Subject, guide: Guide, other: Subject | None = None) -> list[Fit]:
    """All explanations at one size; at the second only those that the first, `other`, has."""
    if subject.parts.spatial:
        raise _Stop(f"a projection sees more than one pixel: {', '.join(subject.parts.spatial)}")
    if subject.parts.others:
        raise _Stop(f"parameters have no place in the layer: {', '.join(subject.parts.others)}")
    fits = _next("values: no known window, padding or order of outputs matches",
                 _fit_values(subject, guide, other))
    before, fits = fits, fit_content(subject, fits, guide)
    if not fits:
        raise _Stop("content: values, window and padding match, but no known form of q . k does",
                    content_counterexample(subject, before[0]))
    if tables_act(subject):
        before, fits = fits, fit_relative(subject, fits, guide)
        if not fits:
            raise _Stop("relative: values and content match, but no known reading of the tables "
                        "does", relative_counterexample(subject, before[0]))
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
        raise _Stop(f"{len(subject.values)} rows act as values, where {count} channels come out")
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
        raise _Stop(stopped)


def _next(stage: str, fits: list[Fit]) -> list[Fit]:
    if not fits:
        raise _Stop(stage)
    return fits


def _agree(one: Fit, other: Fit, subjects: list[Subject]) -> bool:
    """Whether two explanations, at two sizes, are the same one."""
    if (one.split, one.reading, one.biased) != (other.split, other.reading, other.biased):
        return False
    skip = {"content_scale", "relative_scale", "before_row", "before_col"}
    differences = [{name: value for name, value in fit.choices.differences().items()
                    if name not in skip} for fit in (one, other)]
    return differences[0] == differences[1] and all(
        _same_scale(getattr(one.choices, name), getattr(other.choices, name), subjects)
        for name in ("content_scale", "relative_scale"))


def _same_scale(one: float, other: float, subjects: list[Subject]) -> bool:
    if one == other:
        return True
    names = [{name for name, value in named_scales(subject).items() if value == scale}
             for subject, scale in zip(subjects, (one, other), strict=True)]
    return bool(names[0] & names[1])


def _confirm(fit: Fit, subject: Subject) -> bool:
    """Whether the explanation holds with the module's own weights, on two images."""
    subject.restore()
    rows = subject.own_rows()
    tables = {name: subject.own[name] for name in subject.parts.tables}
    weights = fit.weights(subject, rows, tables, subject.own)
    return all(same(fit.predict(subject, x, weights), subject.instance.run(x))
               for x in (subject.image(), subject.image(batch=2, height=9, width=8)))


def _spell(fit: Fit, others: list[Fit], subject: Subject) -> Diagnosis:
    extent = subject.sizes.extent
    deviations = named_deviations(fit.choices, extent)
    deviations += _parameter_deviations(fit, subject)
    return Diagnosis(
        "deviations" if deviations else "options",
        options=_spell_scale(named_options(fit.choices, extent), subject) | _projection(subject),
        deviations=deviations, mapping=_mapping(fit, subject),
        convertible=conversion_words(deviations, Explanation(fit, subject)),
        ambiguous=[", ".join(each.name for each in named_deviations(other.choices, extent))
                   or "no deviation" for other in others],
        explanation=Explanation(fit, subject))


def _parameter_deviations(fit: Fit, subject: Subject) -> list[Deviation]:
    """Deviations that show in which parameters there are and which of them matter."""
    found = []
    if fit.split.endswith("are one"):
        found.append(Deviation("projection-shared", "ATT-6", f"{fit.split} projection"))
    if fit.biased:
        found.append(Deviation("projection-biased", "ATT-6", "the projections have biases"))
    if fit.mixed:
        found.append(Deviation("output-projection", "ATT-8",
                               "a product with a square matrix follows the heads' outputs"))
    if subject.parts.tables and fit.reading is None:
        found.append(Deviation("embedding-ignored", "POS-3",
                               f"the tables {', '.join(subject.parts.tables)} never matter"))
    if fit.reading is not None and fit.choices.padding != "shift":
        longer = 2 * subject.sizes.extent - 1
        if any(longer in subject.own[name].shape and longer != subject.sizes.extent
               for name in (fit.reading.row, fit.reading.col)):
            found.append(Deviation("unused-table-rows", "REL-3",
                                   "the tables have 2 extent - 1 entries; only extent are read"))
    if any(p.groups not in (1, subject.sizes.heads) for p in subject.projections):
        found.append(Deviation("projection-grouped", "ATT-6", "projections are grouped otherwise "
                                                              "than by heads"))
    return found


def _spell_scale(options: dict[str, object], subject: Subject) -> dict[str, object]:
    for name, value in named_scales(subject).items():
        if options.get("scale") == value:
            options["scale"] = name
    return options


def _projection(subject: Subject) -> dict[str, object]:
    groups = {p.groups for p in subject.projections}
    return {"projection": "per_head"} if groups == {subject.sizes.heads} else {}


def _mapping(fit: Fit, subject: Subject) -> list[tuple[str, str]]:
    owners = [projection.name for projection, count in
              zip(subject.projections, subject.counts, strict=True) for _ in range(count)]
    mapping = []
    for role, rows in (("w_query", fit.query), ("w_key", fit.key), ("w_value", subject.values)):
        if rows:
            mapping.append((role, " + ".join(dict.fromkeys(owners[row] for row in rows))))
    if fit.reading is not None:
        mapping += [("rel_row", fit.reading.row), ("rel_col", fit.reading.col)]
    return mapping
