"""What a page shows of a failure beyond its text: its case judged again, and others like it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..inspection import Inspection, inspect_case
from ..report import Report
from ..survey import Survey, survey_property
from ..target import Target

# A property's cases, asked once more; by the target's name and the failure's case id.
Evidence = Mapping[tuple[str, str], "Sight"]


@dataclass(frozen=True, eq=False)
class Sight:
    """One failure looked at again.

    inspection  its smallest case
    survey      random cases of the same property; None where another dtype has them already
    """

    inspection: Inspection
    survey: Survey | None

    @property
    def pictured(self) -> Inspection:
        """The case that shows most: the widest that fails, or the smallest."""
        widest = self.survey.widest if self.survey else None
        return widest or self.inspection


def gather_evidence(reports: Sequence[Report], targets: Mapping[str, Target]) -> Evidence:
    """Every failure of the reports, judged again on the targets by their names.

    Failures of a target that is not given, or whose case is unknown by now, are left out.
    """
    found: dict[tuple[str, str], Sight] = {}
    for report in reports:
        target, surveyed = targets.get(report.target), set()
        for verdict in report.verdicts if target is not None else ():
            for failure in verdict.failures:
                assert target is not None
                asked = (verdict.clause, failure.property)
                try:
                    survey = None if asked in surveyed else survey_property(failure.case, target)
                    sight = Sight(inspect_case(failure.case, target), survey)
                except ValueError:
                    continue  # An id of other suites than these.
                surveyed.add(asked)
                found[report.target, failure.case] = sight
    return found
