"""SPEC.md read into clauses; run as a module, it prints the list that the package ships.

    python -m sasakit.conformance.spec_text SPEC.md > conformance/clauses.json
"""

import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_HEADING = re.compile(r"^### (?P<id>[A-Z]+-\d+) (?P<title>.+)$", re.MULTILINE)
_FIELD = re.compile(r"(Rejects|Options|Since): ([^.]*(?:\.\d[^.]*)?)\.")


@dataclass(frozen=True)
class Clause:
    """One numbered clause: its sentence with the MUST, its formula, its example, its fields."""

    id: str
    title: str
    text: str
    formula: str
    example: str
    rejects: tuple[str, ...]
    options: tuple[str, ...]
    since: str


def parse_spec(text: str) -> list[Clause]:
    """Clauses of a specification's text, in order.

    Raises ValueError for a clause without one MUST, an example, or the fields Rejects and Since.
    """
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return [_parse_clause(heading["id"], heading["title"], text[heading.end():end])
            for heading, end in zip(headings, ends, strict=True)]


def _parse_clause(clause_id: str, title: str, body: str) -> Clause:
    body = body.split("\n## ")[0].strip()
    prose = " ".join(line for line in body.splitlines() if line and not line.startswith("    "))
    formula = "\n".join(line[4:] for line in body.splitlines() if line.startswith("    "))
    example = prose.partition("Example: ")[2].partition(" Rejects: ")[0]
    fields = {name: tuple(value.split(", ")) for name, value in _FIELD.findall(prose)}
    if prose.count("MUST") != 1 or not example or not {"Rejects", "Since"} <= fields.keys():
        raise ValueError(f"`{clause_id}` must have one MUST, an Example, Rejects and Since; "
                         f"got {prose!r}.")
    return Clause(id=clause_id, title=title, text=prose.partition(" Example: ")[0],
                  formula=formula, example=example, rejects=fields["Rejects"],
                  options=fields.get("Options", ()), since=fields["Since"][0])


def example_numbers(clause: Clause) -> list[str]:
    """Numbers of the example, as written in backticks."""
    return re.findall(r"`([^`]+)`", clause.example)


if __name__ == "__main__":
    clauses = parse_spec(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps([asdict(clause) for clause in clauses], indent=1))
