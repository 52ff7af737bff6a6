"""Diagnoses added to the reports on targets that deviate."""

from collections.abc import Sequence

from ...report import Report
from ...target import Target
from .diagnose import diagnose_operations


def add_diagnoses(reports: Sequence[Report], targets: Sequence[Target]) -> None:
    """Say of every report on a target that deviates what the target computes instead."""
    by_name = {target.name: target for target in targets}
    for report in reports:
        if report.outcome == "deviates" and report.diagnosis is None and report.target in by_name:
            report.diagnosis = diagnose_operations(by_name[report.target], report.verdicts)
