"""The specification's clauses, as the package ships them."""

import json
from functools import cache
from importlib import resources

from .spec_text import Clause


@cache
def all_clauses() -> dict[str, Clause]:
    """Clauses by id, in the specification's order."""
    text = resources.files(__package__).joinpath("clauses.json").read_text(encoding="utf-8")
    entries = json.loads(text)
    for entry in entries:
        entry["rejects"], entry["options"] = tuple(entry["rejects"]), tuple(entry["options"])
    return {entry["id"]: Clause(**entry) for entry in entries}
