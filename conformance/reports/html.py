"""The report as one HTML page that needs nothing else: no network, no file beside it."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from sasakit.reference import SPEC_VERSION

from ..report import Diagnosis, Report
from .evidence import Evidence
from .html_clauses import clause_chapters, failures_of
from .markup import Markup, element, join
from .summary import FOUND, chapters_of, diagnosis_words, headline, ladder_words, status_of

BADGES = {"conforms": "good", "deviates": "bad", "not judged": "none"}


def html_page(reports: Sequence[Report], evidence: Evidence | None = None) -> str:
    """The page.

    evidence  what `gather_evidence` found, for the maps and the snippets; without it there are none
    """
    style, script = _file("page.css"), _file("page.js")
    count = f"{len(reports)} implementation{'s' if len(reports) != 1 else ''}"
    head = element(
        "head", element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        element("title", f"Conformance: {', '.join(report.target for report in reports)}"),
        element("link", rel="icon", href="data:,"),
        element("style", style))
    body = element(
        "body",
        element("header", element("h1", "Conformance report"),
                element("p", f"{count}, judged by SPEC.md {SPEC_VERSION}. Results are compared "
                        "element by element with the reference's, within a budget derived from "
                        "each case's own rounding errors; rho is the worst distance in units of "
                        "that budget.", class_="soft")),
        _contents(reports),
        element("main", *(_target(f"t{n}", report, evidence or {})
                          for n, report in enumerate(reports))),
        element("script", script))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _file(name: str) -> Markup:
    return Markup(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _policy(script: str) -> str:
    """Nothing is loaded, and no script runs but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")


def _contents(reports: Sequence[Report]) -> Markup:
    if len(reports) < 2:
        return Markup("")
    links = [element("li", element("a", report.target, href=f"#t{n}"), " ", _badge(report))
             for n, report in enumerate(reports)]
    return element("nav", element("ul", *links), aria_label="Implementations")


def _badge(report: Report) -> Markup:
    return element("span", report.outcome, class_=f"badge {BADGES[report.outcome]}")


def _target(anchor: str, report: Report, evidence: Evidence) -> Markup:
    parts = [element("h2", element("span", report.target, id=f"{anchor}-name"), _badge(report)),
             element("p", f"It {headline(report)} {ladder_words(report)}", class_="lead"),
             _failed(anchor, report), _measures(report)]
    if report.reason:
        parts += [element("h3", "Why it could not be judged"), element("pre", report.reason)]
    if report.diagnosis:
        parts.append(_diagnosis(report.diagnosis))
    if report.verdicts:
        parts += [element("h3", "Clauses"), *clause_chapters(anchor, report.verdicts)]
    if any(verdict.failures for verdict in report.verdicts):
        parts += [element("h3", "What did not hold"), *failures_of(anchor, report, evidence)]
    return element("section", *parts, class_="target", id=anchor, aria_labelledby=f"{anchor}-name")


def _failed(anchor: str, report: Report) -> Markup:
    """Links to the clauses that fail."""
    failed = [verdict.clause for chapter in chapters_of(report.verdicts)
              for verdict in chapter.verdicts if verdict.failures]
    if not failed:
        return Markup("")
    links = [element("a", clause, href=f"#{anchor}-{clause}") for clause in failed]
    spaced = [links[0], *(join(", ", link) for link in links[1:])]
    return element("p", "Clauses that fail: ", *spaced, ".")


def _measures(report: Report) -> Markup:
    if not report.verdicts:
        return Markup("")
    passed = [verdict for verdict in report.verdicts if status_of(verdict) == "pass"]
    words = [f"{sum(verdict.cases for verdict in report.verdicts)} cases",
             f"{len(passed)} of {len(report.verdicts)} clauses pass"]
    if passed:
        words.append(f"their worst rho is {max(verdict.rho for verdict in passed):.3g}")
    if report.seconds:
        words.append(f"{report.seconds:.1f} seconds")
    return element("p", "; ".join(words) + ".", class_="soft")


def _diagnosis(diagnosis: Diagnosis) -> Markup:
    parts = [element("h3", "Diagnosis"), element("p", FOUND[diagnosis.found])]
    for heading, lines in diagnosis_words(diagnosis):
        if heading == "What it does differently":
            items = [element("li", element("strong", f"{each.name} ({each.clause})"), each.sentence)
                     for each in diagnosis.deviations]
            listed = element("ul", *items, class_="deviations")
        else:
            listed = element("ul", *(element("li", line) for line in lines))
        parts += [element("h4", heading), listed]
    if diagnosis.mapping:
        rows = [element("tr", element("th", element("code", role), scope="row"),
                        element("td", element("code", name))) for role, name in diagnosis.mapping]
        head = element("thead", element("tr", element("th", "role", scope="col"),
                                        element("th", "parameter", scope="col")))
        parts.append(element("table", element("caption", "Which parameter plays which role"),
                             head, element("tbody", *rows), class_="mapping"))
    return join(*parts)
