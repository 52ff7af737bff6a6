"""What every report says, whatever its form: outcomes, statuses, chapters, a diagnosis in words."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sasakit.reference import SPEC_VERSION, AttentionOptions

from ..clauses import all_clauses
from ..ladder import ORDER, rung_of
from ..report import Diagnosis, Outcome, Report
from ..runner import NOT_OFFERED, Failure, Verdict

Status = Literal["pass", "fail", "not judged"]

# Titles of SPEC.md's chapters, by the letters of their clauses.
CHAPTERS = {"WIN": "1 Window", "PAD": "2 Padding", "REL": "3 Relative logits",
            "POS": "4 Position types", "ATT": "5 Attention", "MIX": "6 Value mixture",
            "STEM": "7 Stems", "NET": "8 Networks", "COST": "9 Cost", "NUM": "10 Numerics",
            "INV": "11 Invalid input", "GRAD": "12 Gradients"}
FOUND = {"options": "The equation reproduces it; options that are not named are canonical.",
         "deviations": "With exactly these changes the equation reproduces it; options that are "
                       "not named are canonical.",
         "unknown": "Nothing that is known explains it; nothing is claimed beyond what follows.",
         "not judged": "What it computes could not be asked."}


@dataclass(frozen=True)
class Chapter:
    """The verdicts of one chapter, failures first."""

    title: str
    verdicts: tuple[Verdict, ...]

    def of(self, status: Status) -> list[Verdict]:
        """The verdicts that have one status."""
        return [verdict for verdict in self.verdicts if status_of(verdict) == status]


def reports_of(verdicts: Iterable[Verdict], seconds: float | None = None) -> list[Report]:
    """One report for each target of a run that has no diagnosis.

    seconds  how long each took; None for what its verdicts say
    A target deviates where anything failed, and conforms where what it offers was judged and held.
    """
    by_target: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_target.setdefault(verdict.target, []).append(verdict)
    return [_report(target, own, seconds) for target, own in by_target.items()]


def _report(target: str, verdicts: list[Verdict], seconds: float | None) -> Report:
    given = {status_of(verdict) for verdict in verdicts}
    outcome: Outcome = "deviates" if "fail" in given else \
        "conforms" if "pass" in given else "not judged"
    trouble = [verdict.reason for verdict in verdicts if verdict.reason is not None
               and (is_offered(verdict) or outcome == "not judged")]
    return Report(target, outcome, verdicts, reason=next(iter(trouble), None),
                  seconds=sum(v.seconds for v in verdicts) if seconds is None else seconds)


def status_of(verdict: Verdict) -> Status:
    """Whether one clause holds; "not judged" where it could not be asked, for a reason."""
    if verdict.reason is not None and not verdict.failures:
        return "not judged"
    return "pass" if verdict.passed else "fail"


def why_not(verdict: Verdict) -> str:
    """Why a clause was not judged, or failed without a failure: no case is no pass."""
    return verdict.reason or "No case could be judged: none was refused as the clause asks."


def is_offered(verdict: Verdict) -> bool:
    """Whether the implementation offers what the clause asks: then not to be judged is trouble.

    What rests on something that failed is none: that failure stands for it.
    """
    return verdict.reason not in (None, NOT_OFFERED) and verdict.rests_on is None


def failed_first(report: Report) -> tuple[str, str] | None:
    """The lowest rung of the ladder that failed, and the clause that showed it first.

    None where nothing failed, or no ladder was climbed.
    """
    found = [(ORDER[failure.rung], ORDER[rung_of(verdict.clause)] != ORDER[failure.rung], n)
             for n, verdict in enumerate(report.verdicts) for failure in verdict.failures
             if failure.rung]
    if not found:
        return None
    place, _, n = min(found)
    return list(ORDER)[place], report.verdicts[n].clause


def ladder_words(report: Report) -> str:
    """Where the ladder broke, in one sentence; empty where it did not."""
    first = failed_first(report)
    if first is None:
        return ""
    left = sum(verdict.rests_on is not None and status_of(verdict) == "not judged"
               for verdict in report.verdicts)
    rest = f"; left out as resting on what failed: {left}" if left else ""
    return f"The first rung that fails is {first[0]}, in {first[1]}{rest}."


def advice(report: Report) -> list[str]:
    """What an implementation may declare, where it fails by what it need not offer; in words."""
    found = []
    failing = {(verdict.clause[:4] == "INV-", failure.reason.startswith("exception: "))
               for verdict in report.verdicts for failure in verdict.failures}
    if any(invalid for invalid, _ in failing):
        found.append("INV asks how invalid input is refused; who checks none declares "
                     "checks_input = False.")
    if (False, True) in failing:
        found.append("It raises for some options; who takes a few values alone declares them, "
                     "as options = {\"position\": [\"relative\"]}.")
    return found


def title_of(clause: str) -> str:
    """The clause's title; empty for one that SPEC.md lacks."""
    known = all_clauses().get(clause)
    return "" if known is None else known.title


def chapters_of(verdicts: Sequence[Verdict]) -> list[Chapter]:
    """Verdicts by chapter, the lowest failed rung first, each else in the specification's order."""
    by_letters: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_letters.setdefault(verdict.clause.partition("-")[0], []).append(verdict)
    order = ("fail", "not judged", "pass")
    chapters = [Chapter(CHAPTERS.get(letters, letters),
                        tuple(sorted(own, key=lambda v: (order.index(status_of(v)), _rung(v)))))
                for letters, own in by_letters.items()]
    return sorted(chapters, key=lambda chapter: (
        not chapter.of("fail"), min(map(_rung, chapter.of("fail")), default=0)))


def lowest_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Failures first, those on the lowest rung before; the others as they are."""
    return sorted(verdicts, key=lambda verdict: (status_of(verdict) != "fail", _rung(verdict)))


def _rung(verdict: Verdict) -> int:
    """Place of the lowest rung that a verdict failed on; one for all that did not."""
    return min((ORDER[failure.rung] for failure in verdict.failures if failure.rung), default=0)


def headline(report: Report) -> str:
    """The outcome in one sentence."""
    count = len(report.verdicts)
    failed = [v.clause for v in report.verdicts if status_of(v) == "fail"]
    left = sum(status_of(v) == "not judged" for v in report.verdicts)
    if report.outcome == "not judged":
        return "could not be judged."
    if report.diagnosis is not None and (not report.verdicts or report.diagnosis.found in (
            "options", "deviations")):
        return _diagnosed(report.outcome, report.diagnosis)
    asked = f"{count} clause{'s' if count != 1 else ''} of SPEC.md {SPEC_VERSION}"
    silent = f"; {left} were not judged" if left else ""
    if report.outcome == "conforms":
        return f"conforms to {asked}{silent}."
    return f"deviates from {len(failed)} of {asked}{silent}."


def _diagnosed(outcome: str, diagnosis: Diagnosis) -> str:
    """The outcome of a module that was diagnosed, not asked clause by clause."""
    if outcome == "conforms":
        how = "under the options below" if diagnosis.options else "canonical in every option"
        return f"conforms to SPEC.md {SPEC_VERSION}, {how}."
    violated = dict.fromkeys(each.clause for each in diagnosis.deviations)
    names = ", ".join(dict.fromkeys(each.name for each in diagnosis.deviations))
    named = f"violates {', '.join(violated)} of SPEC.md {SPEC_VERSION} ({names})" if violated \
        else f"deviates from SPEC.md {SPEC_VERSION} in no way that is known"
    return f"{named}."


def smallest_failure(report: Report) -> tuple[Verdict, Failure] | None:
    """The lowest and shortest counterexample, of a clause that the diagnosis names where it can."""
    named = {d.clause for d in report.diagnosis.deviations} if report.diagnosis else set()
    found = [(verdict, failure) for verdict in report.verdicts for failure in verdict.failures]
    return min(found, default=None,
               key=lambda each: (each[0].clause not in named, ORDER.get(each[1].rung, 0),
                                 len(each[1].spelled)))


def diagnosis_words(diagnosis: Diagnosis) -> list[tuple[str, list[str]]]:
    """A diagnosis as headings with their lines; its mapping stands apart, being a table."""
    differing = [f"{each.name} ({each.clause}): {each.sentence}" for each in diagnosis.deviations]
    converted = [diagnosis.convertible] if diagnosis.convertible else []
    stopped = [diagnosis.stopped_at] if diagnosis.stopped_at else []
    sections = [("What it does differently", differing),
                ("Options it follows", _option_words(diagnosis.options)),
                ("Where nothing matches any more", stopped),
                ("To convert its weights", converted),
                ("What the cases cannot tell apart from this", diagnosis.ambiguous),
                ("Also seen", diagnosis.findings)]
    return [(heading, lines) for heading, lines in sections if lines]


def _option_words(options: dict[str, object]) -> list[str]:
    canonical = AttentionOptions()
    return [f"{name} is {value}" + (f", where {getattr(canonical, name)} is canonical"
                                    if hasattr(canonical, name) else "")
            for name, value in options.items()]


def visible(text: str) -> str:
    """The text with control, format and lone surrogate characters spelled out; newlines stay."""
    return "".join(char if _is_text(char) else char.encode("unicode_escape").decode("ascii")
                   for char in text)


def _is_text(char: str) -> bool:
    return char in "\n\t" or (unicodedata.category(char) not in ("Cc", "Cf", "Cs")
                              # The last two of each plane are no characters, and no XML.
                              and ord(char) & 0xFFFE != 0xFFFE)


def first_line(text: str) -> str:
    """The first line that says something; empty where none does."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def spell_rho(rho: float) -> str:
    """Three digits, as 0.42 or 3.1e+12."""
    return f"{rho:.3g}"
