"""What is said of one implementation: its verdicts, and what it computes where it deviates."""

from dataclasses import dataclass, field
from typing import Any, Literal

from .runner import Verdict

Outcome = Literal["conforms", "deviates", "not judged"]


@dataclass(frozen=True)
class Deviation:
    """One difference from the equation, by the name that SPEC.md gives it.

    name      such as padding-excluded, one of its clause's list of what it rules out
    clause    the clause that it violates
    sentence  what the implementation does, in words
    """

    name: str
    clause: str
    sentence: str


@dataclass
class Diagnosis:
    """What reproduces an implementation within the budget, or where that stops.

    found        "options" when options alone explain it, "deviations" when named deviations do,
                 "unknown" when nothing does, "not judged" when it could not be asked
    options      the options under which it was explained, those that differ from canonical
    deviations   exactly what it does differently; empty for "options"
    mapping      role, and the parameter that plays it, such as ("w_query", "to_q.weight")
    ambiguous    other explanations that the cases cannot tell from this one, in words
    convertible  how its weights must be changed so that it equals the equation; None if they cannot
    stopped_at   for "unknown": the first stage that nothing matched, in words
    findings     other observations: hidden state, dead parameters, dependence outside the window
    explanation  the fit behind it, for what is asked next of a module; no report shows it
    """

    found: Literal["options", "deviations", "unknown", "not judged"]
    options: dict[str, object] = field(default_factory=dict)
    deviations: list[Deviation] = field(default_factory=list)
    mapping: list[tuple[str, str]] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    convertible: str | None = None
    stopped_at: str | None = None
    findings: list[str] = field(default_factory=list)
    explanation: Any = field(default=None, repr=False, compare=False)


@dataclass
class Report:
    """Everything that is said of one target.

    target     its name, as the user gave it
    outcome    conforms, deviates or not judged
    verdicts   one for each clause that was asked
    diagnosis  what explains a deviation; None where none was asked for
    reason     why it could not be judged: an import error, a crash, a hang; with its trace
    seconds    how long it took
    """

    target: str
    outcome: Outcome
    verdicts: list[Verdict] = field(default_factory=list)
    diagnosis: Diagnosis | None = None
    reason: str | None = None
    seconds: float = 0.0
