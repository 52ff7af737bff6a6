"""The page's clauses: chapter by chapter, and each failure with its maps, numbers and snippet."""

from collections.abc import Sequence

from ..clauses import all_clauses
from ..inspection import Inspection
from ..report import Report
from ..runner import Failure, Verdict
from .evidence import Evidence, Sight
from .markup import Markup, element, join
from .pictures import legend, pictures, spell_worst
from .snippet import snippet
from .summary import (
    Chapter,
    chapters_of,
    spell_rho,
    status_of,
    title_of,
    why_not,
)

TONES = {"pass": "good", "fail": "bad", "not judged": "none"}


def clause_chapters(anchor: str, verdicts: Sequence[Verdict]) -> list[Markup]:
    """One folded table for each chapter; those with failures come first and are open."""
    return [_chapter(anchor, chapter) for chapter in chapters_of(verdicts)]


def _chapter(anchor: str, chapter: Chapter) -> Markup:
    failed, count = len(chapter.of("fail")), len(chapter.verdicts)
    passed = len(chapter.of("pass"))
    tone, words = ("bad", f"{failed} of {count} fail") if failed else \
        ("good", f"{count} pass") if passed == count else ("none", f"{passed} of {count} pass")
    names = (("clause", None), ("what it says", None), ("cases", "num wide"), ("worst rho", "num"),
             ("verdict", None))
    head = element("thead", element("tr", *(element("th", name, scope="col", class_=kind)
                                            for name, kind in names)))
    body = element("tbody", *(_row(anchor, verdict) for verdict in chapter.verdicts))
    return element("details", element("summary", chapter.title, " ",
                                      element("span", words, class_=f"badge {tone}")),
                   element("table", head, body), class_="chapter", open=bool(failed))


def _row(anchor: str, verdict: Verdict) -> Markup:
    status = status_of(verdict)
    name: str = verdict.clause
    if verdict.failures:
        name = element("a", name, href=f"#{anchor}-{name}")
    return element(
        "tr", element("th", name, scope="row"), element("td", _text(verdict)),
        element("td", "" if status == "fail" else str(verdict.cases), class_="num wide"),
        element("td", spell_rho(verdict.rho) if status == "pass" else "", class_="num"),
        element("td", element("span", status, class_=f"badge {TONES[status]}")))


def _text(verdict: Verdict) -> Markup:
    """The clause's title, and its text on unfolding."""
    clause = all_clauses().get(verdict.clause)
    if clause is None:
        return Markup("")
    silent = status_of(verdict) != "pass" and not verdict.failures
    note = element("p", why_not(verdict)) if silent else Markup("")
    return element("details", element("summary", clause.title), note, _clause(verdict.clause),
                   element("p", f"Example: {clause.example}", class_="soft"), class_="clause")


def _clause(clause_id: str) -> Markup:
    clause = all_clauses().get(clause_id)
    if clause is None:
        return Markup("")
    return join(element("p", clause.text, class_="said"), element("pre", clause.formula))


def failures_of(anchor: str, report: Report, evidence: Evidence) -> list[Markup]:
    """Everything that did not hold, clause by clause; a legend where there are maps."""
    shown = [_verdict(anchor, report, verdict, evidence) for verdict in report.verdicts
             if verdict.failures]
    return [legend(), *shown] if any("<svg" in each for each in shown) else shown


def _verdict(anchor: str, report: Report, verdict: Verdict, evidence: Evidence) -> Markup:
    by_property: dict[str, list[Failure]] = {}
    for failure in verdict.failures:
        by_property.setdefault(failure.property, []).append(failure)
    place = f"{anchor}-{verdict.clause}"
    return element(
        "article", element("h4", f"{verdict.clause} {title_of(verdict.clause)}", id=place),
        _clause(verdict.clause),
        *(_property(report.target, failures, evidence) for failures in by_property.values()),
        class_="failure", aria_labelledby=place)


def _property(target: str, failures: Sequence[Failure], evidence: Evidence) -> Markup:
    """One property in full in its first dtype; the other dtypes in a line each."""
    first, *others = failures
    sight = evidence.get((target, first.case))
    words = first.property.replace("_", " ")
    parts = [element("h5", f"{words[:1].upper()}{words[1:]}, {first.dtype}")]
    if sight is not None:
        parts.append(_seen(sight))
    parts += [element("p", "Smallest counterexample: ", element("code", first.spelled)),
              element("pre", first.reason)]
    if sight is not None and sight.inspection.failure is not None:
        parts.append(_small(sight.inspection, target))
    if first.replay:
        parts.append(element("p", "Judge it alone: ", element("code", first.replay)))
    parts += [element("p", f"Also in {other.dtype}: {other.reason} ",
                      element("code", other.case), class_="soft") for other in others]
    return join(*parts)


def _seen(sight: Sight) -> Markup:
    """Which outputs are wrong and when, and the maps of the case that shows most."""
    wide = sight.pictured
    parts = []
    if sight.inspection.failure is None:
        parts.append(element("p", "The counterexample does not fail when it is judged again: the "
                                  "implementation does not give the same result twice."))
    if sight.survey is not None and sight.survey.failed:
        parts.append(element("p", f"{sight.survey}."))
    if wide.where:
        of = "" if wide.numbers is None else (
            f", in a case of {' x '.join(wide.numbers.axes)} = "
            f"{' x '.join(map(str, wide.numbers.rho.shape))}")
        parts.append(element("p", element("strong", "What is wrong: "), f"{wide.where}{of}."))
    if wide.agreed:
        parts.append(element("p", f"These agree: {', '.join(wide.agreed)}. "
                                  f"The first that does not is {wide.name}."))
    return join(*parts, pictures(wide))


def _small(seen: Inspection, target: str) -> Markup:
    """The numbers of the smallest case, and the source that reproduces it."""
    source = element("details", element("summary", "Reproduce it in Python"),
                     element("pre", snippet(seen, target)),
                     element("button", "Copy", type="button", data_copy=True, hidden=True))
    return source if seen.numbers is None else join(spell_worst(seen.numbers), source)
