"""The report as one JSON document, described by conformance/schemas/report.schema.json."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

from sasakit.reference import SPEC_VERSION

from ..ladder import rung_of
from ..report import Diagnosis, Report
from ..runner import Verdict
from .summary import failed_first, status_of, title_of

# The version of the schema; it changes when a key is taken away or means something else.
FORMAT = 1


def report_document(reports: Sequence[Report], *, profile: str, seed: int) -> dict[str, Any]:
    """Everything the reports say, of plain JSON types; numbers that JSON lacks are strings.

    profile, seed  what the run was asked, so that it can be repeated
    """
    return {
        "format": FORMAT, "spec_version": SPEC_VERSION, "profile": profile, "seed": seed,
        "passed": all(report.outcome == "conforms" for report in reports),
        "targets": [{
            "target": report.target, "outcome": report.outcome, "reason": report.reason,
            "seconds": _plain(report.seconds), "failed_first": _failed_first(report),
            "diagnosis": report.diagnosis and diagnosis_document(report.diagnosis),
        } for report in reports],
        "verdicts": [_verdict(verdict) for report in reports for verdict in report.verdicts],
    }


def json_text(reports: Sequence[Report], *, profile: str, seed: int) -> str:
    """The same as text, ASCII alone."""
    return json.dumps(report_document(reports, profile=profile, seed=seed), indent=2,
                      allow_nan=False)


def report_schema() -> dict[str, Any]:
    """The published schema of the document."""
    folder = resources.files("sasakit.conformance").joinpath("schemas")
    schema: dict[str, Any] = json.loads(
        folder.joinpath("report.schema.json").read_text(encoding="utf-8"))
    return schema


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"target": verdict.target, "clause": verdict.clause, "title": title_of(verdict.clause),
            "cases": verdict.cases, "rho": _plain(verdict.rho),
            "verdict": status_of(verdict), "reason": verdict.reason,
            "rung": rung_of(verdict.clause), "rests_on": verdict.rests_on,
            "seconds": _plain(verdict.seconds),
            "failures": [asdict(failure) for failure in verdict.failures]}


def _failed_first(report: Report) -> dict[str, str] | None:
    first = failed_first(report)
    return None if first is None else {"rung": first[0], "clause": first[1]}


def diagnosis_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """One diagnosis, of plain JSON types."""
    return {"found": diagnosis.found, "options": _plain(diagnosis.options),
            "deviations": [asdict(each) for each in diagnosis.deviations],
            "mapping": [{"role": role, "parameter": name} for role, name in diagnosis.mapping],
            "ambiguous": list(diagnosis.ambiguous), "convertible": diagnosis.convertible,
            "stopped_at": diagnosis.stopped_at, "findings": list(diagnosis.findings)}


def _plain(value: object) -> Any:
    """The value in JSON's types: "inf", "-inf" and "nan" for numbers that JSON lacks."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__float__"):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    return repr(value)
