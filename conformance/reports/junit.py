"""The report as JUnit XML: a suite for each target, a test case for each clause."""

from collections.abc import Sequence
from xml.etree import ElementTree

from ..report import Report
from ..runner import Verdict
from .summary import (
    first_line,
    is_offered,
    status_of,
    title_of,
    visible,
    why_not,
)

HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'


def junit_xml(reports: Sequence[Report]) -> str:
    """The XML document.

    A clause that the target offers nothing for is skipped; what could not be judged is an error.
    """
    suites = [_suite(report) for report in reports]
    root = ElementTree.Element("testsuites", _sums(suites))
    root.extend(suites)
    ElementTree.indent(root)
    return HEADER + ElementTree.tostring(root, encoding="unicode") + "\n"


def _sums(suites: Sequence[ElementTree.Element]) -> dict[str, str]:
    counted = {name: str(sum(int(suite.get(name, "0")) for suite in suites))
               for name in ("tests", "failures", "errors", "skipped")}
    return {"name": "sasakit", **counted,
            "time": f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}"}


def _suite(report: Report) -> ElementTree.Element:
    cases = [_clause(report.target, verdict) for verdict in report.verdicts]
    if report.outcome == "not judged":
        error = _case(report.target, "could be judged")
        reason = report.reason or "It could not be judged."
        _told(error, "error", _last_line(reason), reason)
        cases.insert(0, error)
    counts = {plural: str(sum(case.find(kind) is not None for case in cases))
              for kind, plural in (("failure", "failures"), ("error", "errors"),
                                   ("skipped", "skipped"))}
    suite = ElementTree.Element("testsuite", {
        "name": visible(report.target), "tests": str(len(cases)), **counts,
        "time": f"{report.seconds:.3f}"})
    suite.extend(cases)
    return suite


def _clause(target: str, verdict: Verdict) -> ElementTree.Element:
    case = _case(target, f"{verdict.clause} {title_of(verdict.clause)}".strip(), verdict.seconds)
    match status_of(verdict):
        case "fail":
            texts = [str(failure) for failure in verdict.failures]
            reasons = [failure.reason for failure in verdict.failures] or [why_not(verdict)]
            _told(case, "failure", first_line(reasons[0]), "\n\n".join(texts or reasons))
        case "not judged":
            trouble = is_offered(verdict)
            _told(case, "error" if trouble else "skipped", first_line(why_not(verdict)),
                  why_not(verdict) if trouble else None)
        case "pass":
            pass
    return case


def _case(target: str, name: str, seconds: float = 0.0) -> ElementTree.Element:
    return ElementTree.Element("testcase", {"classname": visible(target), "name": visible(name),
                                            "time": f"{seconds:.3f}"})


def _told(case: ElementTree.Element, kind: str, message: str, text: str | None) -> None:
    child = ElementTree.SubElement(case, kind, {"message": visible(message)})
    if text is not None:
        child.set("type", kind)
        child.text = visible(text)


def _last_line(text: str) -> str:
    """A trace ends with what was raised."""
    return ([line for line in text.splitlines() if line.strip()] or [text])[-1].strip()
