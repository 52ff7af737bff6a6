"""The report as plain text: the outcome, what differs, the clauses, the smallest counterexample."""

import textwrap
from collections.abc import Sequence

from ..report import Diagnosis, Report
from .summary import (
    FOUND,
    Chapter,
    chapters_of,
    diagnosis_words,
    first_line,
    headline,
    ladder_words,
    smallest_failure,
    spell_rho,
    title_of,
    visible,
    why_not,
)

WIDTH = 96


def terminal_report(reports: Sequence[Report]) -> str:
    """The text of one or more reports, without a newline at its end."""
    return "\n\n\n".join("\n".join(_one(report)) for report in reports)


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """What is said of a diagnosis, without a newline at its end."""
    return "\n".join(_diagnosis(diagnosis)[1:])


def _one(report: Report) -> list[str]:
    taken = f" ({report.seconds:.1f} s)" if report.seconds else ""
    lines = _wrap(f"{report.target}: {headline(report)}{taken}")
    if ladder := ladder_words(report):
        lines += _wrap(ladder)
    if report.reason:
        lines += ["", *_indent(report.reason)]
    if report.diagnosis:
        lines += _diagnosis(report.diagnosis)
    if report.verdicts:
        lines += ["", "Clauses"]
        for chapter in chapters_of(report.verdicts):
            lines += _chapter(chapter)
    return lines + _counterexample(report)


def _diagnosis(diagnosis: Diagnosis) -> list[str]:
    lines = ["", *_wrap(FOUND[diagnosis.found])]
    for heading, items in diagnosis_words(diagnosis):
        lines.append(heading)
        for item in items:
            lines += _wrap(item, "  - ", "    ")
    if diagnosis.mapping:
        lines.append("Which parameter plays which role")
        width = max(len(visible(role)) for role, _ in diagnosis.mapping)
        for role, parameter in diagnosis.mapping:
            lines += _wrap(f"{visible(role):<{width}}  {parameter}", "  ", " " * (width + 4))
    return lines


def _chapter(chapter: Chapter) -> list[str]:
    failed, unasked, passed = (chapter.of(status) for status in ("fail", "not judged", "pass"))
    silent = [verdict for verdict in unasked if verdict.rests_on is None]
    if not failed and not unasked:
        count = f"{len(passed)} clause{'s' if len(passed) != 1 else ''}"
        cases = sum(verdict.cases for verdict in passed)
        worst = max(verdict.rho for verdict in passed)
        return [f"  pass  {chapter.title:<32}{count:>11}{cases:>9} cases  rho {spell_rho(worst)}"]
    lines = [f"  {chapter.title}: {len(failed)} of {len(chapter.verdicts)} fail"]
    for verdict in failed + silent:
        dtypes = dict.fromkeys(failure.dtype for failure in verdict.failures)
        lines.append(f"  {'FAIL' if verdict in failed else 'none'}  {verdict.clause:<8}"
                     f"{title_of(verdict.clause):<46}{visible(', '.join(dtypes))}".rstrip())
        lines += [] if dtypes else _wrap(first_line(why_not(verdict)), *[" " * 16] * 2)
    for rung in dict.fromkeys(each.rests_on for each in unasked if each.rests_on is not None):
        left = [verdict.clause for verdict in unasked if verdict.rests_on == rung]
        lines += _wrap(f"{', '.join(left)}: rests on {rung}", "  none  ", "        ")
    if passed:
        lines += _wrap(", ".join(verdict.clause for verdict in passed), "  pass  ", "        ")
    return lines


def _counterexample(report: Report) -> list[str]:
    found = smallest_failure(report)
    if found is None:
        return []
    verdict, failure = found
    return ["", "Smallest counterexample",
            *_wrap(f"{verdict.clause} {title_of(verdict.clause)}, {failure.dtype}, "
                   f"{failure.property}", "  ", "  "),
            *_indent(failure.reason), *_wrap(failure.spelled, "  ", "    "),
            *(["Judge it alone", f"  {visible(failure.replay)}"] if failure.replay else [])]


def _wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(visible(text), WIDTH, initial_indent=first, subsequent_indent=rest,
                         break_on_hyphens=False) or [first.rstrip()]


def _indent(text: str) -> list[str]:
    """Lines as they are, such as a traceback's, each wrapped where it is too long."""
    return [line for raw in visible(text).splitlines()
            for line in _wrap(raw, "  " + " " * (len(raw) - len(raw.lstrip())), "    ")]
