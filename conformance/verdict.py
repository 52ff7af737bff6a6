"""What one target gave for one clause: how many cases, how far off, and what did not hold."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Failure:
    """One property that did not hold.

    reason  the disagreement, or the exception that the implementation raised
    case    id of the smallest case that shows it; `replay` judges it alone
    spelled the same case in words
    replay  the command that judges it alone, whole; empty where none can
    rung    where on the ladder that case stands; empty where no ladder was climbed
    """

    property: str
    dtype: str
    reason: str
    case: str
    spelled: str
    replay: str = ""
    rung: str = ""

    def __str__(self) -> str:
        alone = f"judge it alone: {self.replay}" if self.replay else f"its id: {self.case}"
        return (f"{self.property} [{self.dtype}]: {self.reason}\n"
                f"  smallest case: {self.spelled}\n  {alone}")


@dataclass
class Verdict:
    """What one target gave for one clause.

    cases    how many were judged
    rho      the worst distance in units of the budget
    failures what did not hold
    reason   why it was not judged: not offered, or the target is gone; None where it was
    rests_on the lowest failed rung that some of its cases rest on, which were not judged; None
             where there is none
    seconds  how long it took
    """

    target: str
    clause: str
    cases: int = 0
    rho: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    reason: str | None = None
    rests_on: str | None = None
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every property held, on at least one case."""
        return not self.failures and self.cases > 0 \
            and self.reason is None and self.rests_on is None
