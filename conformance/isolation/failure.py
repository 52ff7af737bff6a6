"""Why a target gave no answer: one exception, whatever happened in its process."""

from dataclasses import dataclass
from typing import Any

KINDS = ("import error", "crash", "exit", "hang", "memory", "endless output", "fork", "bad answer",
         "exception")
MOST_TEXT = 8192


@dataclass(frozen=True)
class Raised:
    """An exception of the implementation's own, as far as it can be known from outside.

    type   its name, with the module unless that is builtins
    text   its message
    bases  names of the builtin exceptions that it is one of
    """

    type: str
    text: str
    bases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.type}: {self.text}"


class TargetFailure(Exception):
    """No answer.

    kind    one of KINDS
    text    what is known of it: the signal, the trace, the last lines of output
    raised  for the kind "exception": which one
    lost    whether the process is gone with it
    """

    lost = False

    def __init__(self, kind: str, text: str, raised: Raised | None = None) -> None:
        super().__init__(kind, text)
        self.kind, self.text, self.raised = kind, text, raised

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class OutOfTime(TargetFailure):
    """No answer, because all the time that the target may take as a whole is spent."""

    def __init__(self, text: str) -> None:
        super().__init__("hang", text)

    def __str__(self) -> str:
        return self.text


def clipped(text: str, most: int = MOST_TEXT) -> str:
    """Beginning and end of a text that is too long."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}\n[...]\n{text[-half:]}"


def failure_document(failure: TargetFailure) -> dict[str, Any]:
    """The failure as JSON takes it."""
    raised = failure.raised
    return {"kind": failure.kind, "text": clipped(failure.text),
            "raised": None if raised is None else
            [raised.type[:200], clipped(raised.text), list(raised.bases)]}


def read_failure(document: Any) -> TargetFailure:
    """The failure that a child tells of; one that is misspelled is a bad answer."""
    match document:
        case {"kind": str(kind), "text": str(text), "raised": None} if kind in KINDS:
            return TargetFailure(kind, clipped(text))
        case {"kind": "exception", "text": str(text), "raised": [str(name), str(told), [*bases]]}:
            names = tuple(base for base in bases if isinstance(base, str))
            return TargetFailure("exception", clipped(text),
                                 Raised(name[:200], clipped(told), names))
    return TargetFailure("bad answer", "the process tells of a failure in no form that is known.")
