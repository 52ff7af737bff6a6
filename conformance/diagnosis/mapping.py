"""What the user says of a module's parameters: which of them plays which role."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from .roles import Projection
from .subject import Subject
from .tables import Reading, readings

ROLES = ("w_query", "w_key", "w_value", "b_query", "b_key", "b_value", "rel_row", "rel_col",
         "w_out", "b_out")
Split = tuple[str, list[int], list[int]]


def check_mapping(said: Mapping[str, str], parameters: Iterable[str]) -> None:
    """Raises ValueError for a role or a parameter that there is not, listing those that are.

    said  parameters by role; one that stands for a list by head is named without what follows
    """
    names = list(parameters)
    for role, name in said.items():
        if role not in ROLES:
            raise ValueError(f"`--map` must name a role of {', '.join(ROLES)}; got {role!r}.")
        if not any(is_of(each, name) for each in names):
            raise ValueError(f"`--map` must name a parameter of {', '.join(names)}; got {name!r}.")


def is_of(parameter: str, said: str) -> bool:
    """Whether a parameter is the one that was said, or belongs to it."""
    return parameter == said or parameter.startswith(f"{said}.")


def apply_mapping(subject: Subject, said: Mapping[str, str]) -> None:
    """Sort a build's parameters as the user says, before anything is tried."""
    subject.said = dict(said)
    parts = subject.parts
    for part in list(parts.projections):
        if "w_out" in said and is_of(part.name, said["w_out"]):
            parts.projections.remove(part)
            parts.mixers.append(part.name)
    tables = [said[role] for role in ("rel_row", "rel_col") if role in said]
    if len(tables) == 2:
        parts.tables = {name: labels for name, labels in parts.tables.items()
                        if any(is_of(name, table) for table in tables)}
    subject.read_projections()


def allowed_splits(splits: Callable[[Subject], Iterator[Split]],
                   ) -> Callable[[Subject], Iterator[Split]]:
    """Only the ways to part queries and keys that the user's words allow."""
    def allowed(subject: Subject) -> Iterator[Split]:
        for name, query, key in splits(subject):
            if allows(subject, "w_query", query) and allows(subject, "w_key", key):
                yield name, query, key
    return allowed


def allows(subject: Subject, role: str, rows: list[int]) -> bool:
    """Whether all rows are of the parameter that the user says plays the role."""
    return role not in subject.said or all(
        is_of(owner, subject.said[role]) for owner in owners(subject, rows))


def owners(subject: Subject, rows: list[int]) -> list[str]:
    """Names of the parameters that have these rows."""
    every = [projection.name for projection, count in _counted(subject) for _ in range(count)]
    return list(dict.fromkeys(every[row] for row in rows))


def _counted(subject: Subject) -> Iterator[tuple[Projection, int]]:
    return zip(subject.projections, subject.counts, strict=True)


def allowed_readings(subject: Subject) -> list[Reading]:
    """The readings of a build's tables that the user's words allow."""
    return [reading for reading in readings(subject.parts.tables) if all(
        role not in subject.said or is_of(name, subject.said[role])
        for role, name in (("rel_row", reading.row), ("rel_col", reading.col)))]


def contradiction(said: Mapping[str, str], mapping: Iterable[tuple[str, str]]) -> str | None:
    """The first role that another parameter plays than the user says, in words."""
    for role, played in mapping:
        if role in said and not all(is_of(name, said[role]) for name in played.split(" + ")):
            return f"{role} is {played} by what it does, where --map says {said[role]}"
    return None


def question(parameters: Iterable[str]) -> str:
    """What to say where the roles cannot be told."""
    return ("say which parameter plays which role, such as --map w_query=NAME or --map "
            f"rel_row=NAME; the roles are {', '.join(ROLES)}, the parameters "
            f"{', '.join(parameters)}")
