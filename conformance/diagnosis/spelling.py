"""What was fitted, in SPEC.md's words: options, deviations, roles, and what could not be told."""

from dataclasses import dataclass

from ..report import Deviation, Diagnosis
from .choices import named_deviations, named_options
from .convert import conversion_words
from .fit import Fit, named_scales
from .placement import Explanation
from .subject import Subject


@dataclass
class Explained:
    """Explanations that hold at both sizes, the plainest first.

    pairs     what explains the first size and what the second
    factors   what each single number of the module multiplies
    """

    pairs: list[tuple[Fit, Fit]]
    subjects: list[Subject]
    factors: dict[str, str]


def spell(explained: Explained) -> Diagnosis:
    """The diagnosis."""
    (fit, _), subject = explained.pairs[0], explained.subjects[0]
    extent, explanation = subject.sizes.extent, Explanation(fit, subject,
                                                            explained.subjects[1].sizes)
    deviations = named_deviations(fit.choices, extent) + _parameter_deviations(fit, subject)
    options = named_options(fit.choices, extent) | _projection(subject)
    if subject.instance.facts.random:
        # What it draws is a position of its own kind, not none.
        options.pop("position", None)
    scales = _scale_names(explained)
    if scales:
        options["scale"] = scales[0]
    others = [words for words in dict.fromkeys(_spelled(other, subject)
                                               for other, _ in explained.pairs[1:])
              if words != _spelled(fit, subject)]
    return Diagnosis(
        "deviations" if deviations else "options", options=options, deviations=deviations,
        mapping=mapping_of(fit, subject), convertible=conversion_words(deviations, explanation),
        ambiguous=others, findings=_findings(explained), explanation=explanation)


def _spelled(fit: Fit, subject: Subject) -> str:
    """A reading in few words."""
    extent = subject.sizes.extent
    options = [f"{name} {value}" for name, value in named_options(fit.choices, extent).items()]
    deviations = [each.name for each in named_deviations(fit.choices, extent)]
    return ", ".join(options + (deviations or ["no deviation"]))


def _findings(explained: Explained) -> list[str]:
    """What the sizes and types of the builds leave open, and what else was seen."""
    fit, subject = explained.pairs[0][0], explained.subjects[0]
    facts, sizes = subject.instance.facts, [each.sizes for each in explained.subjects]
    built = " and ".join(f"{size.channels_in} channels in, {size.channels_out} out, {size.heads} "
                         f"head{'s' if size.heads > 1 else ''}, extent {size.extent}"
                         for size in sizes)
    found = [f"it was judged at the sizes {built}, with its own parameters and with random ones"]
    if not facts.heads_set and sizes[0].heads == sizes[1].heads == 1:
        found.append("no argument of the class sets heads: it has one head, for which all ways to "
                     "lay out heads coincide")
    elif not facts.heads_set:
        found.append("no argument of the class sets heads: " + (
            f"it has {sizes[0].heads}" if sizes[0].heads == sizes[1].heads
            else f"it has channels out / {sizes[0].depth}"))
    scales = _scale_names(explained)
    if len(scales) > 1:
        found.append(f"the factor is {' and '.join(scales)}: at these sizes that is one number")
    if facts.single:
        found.append("it computes in float32, at least in part: what differs by less than 2^-12 of "
                     "the output was taken for its rounding")
    if facts.square:
        found.append("it was run on square images only: it takes no others of these sizes")
    elif facts.step > 1:
        found.append(f"it was run on images whose sides are multiples of {facts.step}: it takes no "
                     "others of these sizes")
    found += [f"{name} never matters" for name in subject.parts.others]
    found += [f"{name} never matters" if term == "nothing" else
              f"{name}, now {_own(subject, name)}, multiplies {term}"
              for name, term in explained.factors.items()]
    if facts.random:
        found.append("it draws random numbers when it runs: two calls with the same input differ")
    return found + _tables_found(fit, subject)


def _own(subject: Subject, name: str) -> str:
    return ", ".join(f"{value:.6g}" for value in subject.own[name].reshape(-1)[:4])


def _tables_found(fit: Fit, subject: Subject) -> list[str]:
    """How the tables meet the query, where a half of the depth belongs to each."""
    reading, choices = fit.reading, fit.choices
    if reading is None or choices.arrangement not in ("shared", "per_head", "layer_halves"):
        return []
    whose = "the layer's channels" if choices.arrangement == "layer_halves" else "each head's depth"
    first, second = (("row", reading.row), ("column", reading.col))[
        ::1 if choices.first_half == "row" else -1]
    return [f"the first half of {whose} sees {first[0]} offsets, fed by {first[1]}; the second "
            f"{second[0]} offsets, fed by {second[1]}"]


def _parameter_deviations(fit: Fit, subject: Subject) -> list[Deviation]:
    """Deviations that show in which parameters there are and which of them matter."""
    found = _projection_deviations(fit, subject)
    if fit.mixed:
        found.append(Deviation("output-projection", "ATT-8",
                               "a product with a square matrix follows the heads' outputs"))
    tables = ", ".join(subject.parts.tables)
    if subject.tables_do == "cancels":
        found.append(Deviation("embedding-constant", "REL-1",
                               f"what {tables} add is one number for a whole window and cancels "
                               "in the softmax"))
    elif subject.parts.tables and fit.reading is None:
        found.append(Deviation("embedding-ignored", "POS-3", f"the tables {tables} never matter"))
    if subject.instance.facts.random:
        found.append(Deviation("embedding-random", "REL-1",
                               "what meets the query beside the key is drawn anew at each call"))
    if fit.reading is not None and fit.choices.padding != "shift":
        longer = 2 * subject.sizes.extent - 1
        if any(longer in subject.own[name].shape and longer != subject.sizes.extent
               for name in (fit.reading.row, fit.reading.col)):
            found.append(Deviation("unused-table-rows", "REL-3",
                                   "the tables have 2 extent - 1 entries; only extent are read"))
    return found


def _projection_deviations(fit: Fit, subject: Subject) -> list[Deviation]:
    found = []
    if fit.split.endswith("are one"):
        found.append(Deviation("projection-shared", "ATT-6", f"{fit.split} projection"))
    if set(fit.owners) & {p.name for p in subject.projections}:
        found.append(Deviation("projection-biased", "ATT-6", "the projections have biases"))
    if fit.spatial:
        seen = ", ".join(p.name for p in subject.projections if p.taps != (1, 1))
        found.append(Deviation("projection-convolution", "ATT-6",
                               f"these projections see more than one pixel: {seen}"))
    groups = {p.groups for p in subject.projections}
    if groups == {1, subject.sizes.heads} and subject.sizes.heads > 1:
        blocks = ", ".join(p.name for p in subject.projections if p.groups > 1)
        found.append(Deviation("projection-block-diagonal", "ATT-6",
                               f"these projections, and not all, are split by heads: {blocks}"))
    elif not groups <= {1, subject.sizes.heads}:
        found.append(Deviation("projection-grouped", "ATT-6", "projections are grouped otherwise "
                                                              "than by heads"))
    return found


def _scale_names(explained: Explained) -> list[str]:
    """All names that the options' factor has at both sizes."""
    names = []
    for fit, subject in zip(explained.pairs[0], explained.subjects, strict=True):
        value = named_options(fit.choices, subject.sizes.extent).get("scale")
        names.append([name for name, each in named_scales(subject).items() if each == value])
    return [name for name in names[0] if name in names[1]]


def _projection(subject: Subject) -> dict[str, object]:
    groups = {p.groups for p in subject.projections}
    return {"projection": "per_head"} if groups == {subject.sizes.heads} != {1} else {}


def mapping_of(fit: Fit, subject: Subject) -> list[tuple[str, str]]:
    """Which parameter plays which role."""
    owners = [projection.name for projection, count in
              zip(subject.projections, subject.counts, strict=True) for _ in range(count)]
    mapping = []
    for role, rows in (("w_query", fit.query), ("w_key", fit.key), ("w_value", subject.values)):
        if rows:
            mapping.append((role, " + ".join(dict.fromkeys(owners[row] for row in rows))))
    if fit.reading is not None:
        mapping += [("rel_row", fit.reading.row), ("rel_col", fit.reading.col)]
    return mapping
