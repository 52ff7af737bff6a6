"""A module under intervention: rows of its projections, its tables and its vectors, set at will."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..estimate import Array
from .instance import FRAME, Instance, Sizes, same
from .roles import Parts, without_numbers

# A projection that gives queries, keys and values can only be silenced in its logits, which are
# its square, by being this small: what is left of them lies below all rounding.
TINY = 1e-9

@dataclass
class Subject:
    """One build with its parameters sorted, and what was found out about its rows.

    values    which rows of all projections are value rows, in the order of the output channels
              they feed
    others    rows that act through the logits, in order
    dead      rows that never matter
    said      parameters by role, where the user says which plays it
    tables_do what the tables do, as `tables_act` says
    """

    instance: Instance
    sizes: Sizes
    parts: Parts
    rng: np.random.Generator
    values: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    tables_do: str = "nothing"

    def __post_init__(self) -> None:
        self.own = self.instance.get()
        self.read_projections()

    def read_projections(self) -> None:
        """Read the parts' projections as rows, again where one was found to be something else."""
        self.projections = [
            replace(p, groups=self.sizes.channels_in // self.own[p.name].shape[p.inputs])
            for p in self.parts.projections]
        self.counts = [p.rows(self.own[p.name]).shape[0] for p in self.projections]
        # Where a grouped projection sees no channel its rows stay zero.
        self.visible = np.concatenate([
            p.rows(np.ones_like(self.own[p.name])) for p in self.projections]) \
            if self.projections else np.zeros((0, self.sizes.channels_in))

    @property
    def row_count(self) -> int:
        """Rows of all projections."""
        return sum(self.counts)

    def image(self, batch: int = 1, height: int = FRAME[0], width: int = FRAME[1]) -> Array:
        """A random image of about these sides, which the module takes."""
        sides = self.instance.facts.frame(height, width)
        return self.rng.standard_normal((batch, *sides, self.sizes.channels_in))

    def same(self, one: Array, other: Array) -> bool:
        """Whether two results are one but for the rounding of this module."""
        return same(one, other, self.instance.facts.single)

    @property
    def small(self) -> float:
        """A factor for queries that makes every logit small, so that first order is all there is.

        The second order is smaller by as much again; in float32 it must still exceed rounding.
        """
        return 2.0 ** -7 if self.instance.facts.single else 1e-5

    @property
    def logit_rows(self) -> list[int]:
        """Rows that act through the logits alone; all where none does."""
        values = set(self.values)
        return [row for row in self.others if row not in values] or self.others

    def silenced(self, rows: Array) -> Array:
        """The rows without what acts through the logits.

        One projection for all cannot be split: it is made so small that its logits, which are its
        square, vanish beside its values.
        """
        quiet = rows.copy()
        quiet[self.logit_rows] *= TINY if is_tied(self) else 0
        return quiet

    def random_rows(self) -> Array:
        """(rows, channels_in): rows whose products with an image have unit variance."""
        rows = self.rng.standard_normal((self.row_count, self.sizes.channels_in))
        seen = np.maximum(self.visible.sum(axis=1, keepdims=True), 1)
        return rows * self.visible / np.sqrt(seen)

    def random_tables(self) -> dict[str, Array]:
        """Tables of unit variance by name."""
        return {name: self.rng.standard_normal(self.own[name].shape) for name in self.parts.tables}

    def run(self, x: Array, rows: Array, tables: Mapping[str, Array] | None = None,
            vectors: Mapping[str, Array] | None = None,
            mixers: Mapping[str, Array] | None = None,
            kernels: Mapping[str, Array] | None = None) -> Array:
        """The module's output with these rows; tables and vectors are zero when not given.

        Mixers that are not given are the identity. Kernels stand for the rows of projections that
        see more than one pixel.
        """
        given: dict[str, Array] = {}
        start = 0
        for projection, count in zip(self.projections, self.counts, strict=True):
            shape = self.own[projection.name].shape
            given[projection.name] = projection.array(rows[start:start + count], shape)
            start += count
        for name in self.parts.tables:
            given[name] = (tables or {}).get(name, np.zeros(self.own[name].shape))
        for name in self.parts.vectors:
            given[name] = (vectors or {}).get(name, np.zeros(self.own[name].shape))
        for name in self.parts.mixers:
            identity = np.eye(self.sizes.channels_out).reshape(self.own[name].shape)
            given[name] = (mixers or {}).get(name, identity)
        self.instance.set(given | dict(kernels or {}))
        return self.instance.run(x)

    def own_rows(self) -> Array:
        """The rows that the module was built with."""
        return np.concatenate([p.rows(self.own[p.name]) for p in self.projections])

    def randomize(self, names: Iterable[str]) -> dict[str, Array]:
        """Numbers of unit variance in parameters that `run` leaves alone, until `restore`."""
        drawn = {name: self.rng.standard_normal(self.own[name].shape) for name in names}
        self.instance.set(drawn)
        return drawn

    def restore(self) -> None:
        """Give the module its own parameters back."""
        self.instance.set(self.own)


def sort_rows(subject: Subject) -> str | None:
    """Find the rows in which the output is affine: the values. None, or what stopped it.

    Rows that are doubled move the output as far as the same rows taken away move it back, exactly
    when the output is affine in them; a query's or key's row acts through a softmax.
    """
    height = subject.sizes.extent + 1
    x, rows = subject.image(1, height, height + 1), subject.random_rows()
    tables = subject.random_tables()
    if not np.isfinite(subject.run(x, rows, tables)).all():
        return "its output is not finite for random weights"
    sorted_rows: dict[str, list[int]] = {"affine": [], "curved": [], "dead": []}
    units = []
    for start, count in zip(np.cumsum([0, *subject.counts]), subject.counts, strict=False):
        found = _sort_unit(subject, x, rows, tables, list(range(start, start + count)))
        units += [members for members, _ in found]
        for members, kind in found:
            sorted_rows[kind] += members
    subject.values, subject.others, subject.dead = (sorted(each) for each in sorted_rows.values())
    if not subject.values:
        subject.values = _values_among_curved(subject, x, rows, units)
    return None


def _kind_of(subject: Subject, x: Array, rows: Array, members: list[int],
             tables: Mapping[str, Array] | None = None) -> str:
    """How the output depends on some rows: affine, curved or dead."""
    changed, outputs = rows.copy(), []
    for factor in (0, 1, 2):
        changed[members] = factor * rows[members]
        outputs.append(subject.run(x, changed, tables))
    without, middle, twice = outputs
    if subject.same(without, middle):
        return "dead"
    return "affine" if subject.same(twice + without, 2 * middle) else "curved"


def _values_among_curved(subject: Subject, x: Array, rows: Array,
                         units: list[list[int]]) -> list[int]:
    """Value rows that are keys or queries too: affine where all others are zero.

    One projection for all three stays curved even then.
    """
    for members in units:
        alone = np.zeros_like(rows)
        alone[members] = rows[members]
        if len(members) == subject.sizes.channels_out \
                and _kind_of(subject, x, alone, members) == "affine":
            return members
    one_for_all = len(subject.others) == subject.sizes.channels_out
    return subject.others if one_for_all else []


# Which part of a fused projection a row belongs to: (row, sizes, parts) -> 0 to parts - 1.
SCHEMES: tuple[Callable[[int, Sizes, int], int], ...] = (
    lambda row, sizes, parts: row // sizes.channels_out,
    lambda row, sizes, parts: row // sizes.depth % parts,
    lambda row, sizes, parts: row % parts,
)


def _sort_unit(subject: Subject, x: Array, rows: Array, tables: Mapping[str, Array],
               members: list[int]) -> list[tuple[list[int], str]]:
    """One projection, or the parts of a fused one, each with how the output depends on it."""
    parts = len(members) // subject.sizes.channels_out
    if parts <= 1:
        return [(members, _kind_of(subject, x, rows, members, tables))]
    for scheme in SCHEMES:
        by_part = [[row for at, row in enumerate(members)
                    if scheme(at, subject.sizes, parts) == part] for part in range(parts)]
        kinds = [_kind_of(subject, x, rows, each, tables) for each in by_part]
        # A part that mixes roles is curved: an affine one proves that its scheme parts them.
        if "affine" in kinds:
            return list(zip(by_part, kinds, strict=True))
    return [([row], _kind_of(subject, x, rows, [row], tables)) for row in members]


def sort_rows_alike(subject: Subject, other: Subject) -> bool:
    """Sort rows as at another size, fused projections by the scheme that they follow there.

    Nothing is tried: a wrong guess would match nothing in the stages that follow. False where
    the other size follows no scheme.
    """
    roles = {row: role for role in ("values", "others", "dead") for row in getattr(other, role)}
    roles |= dict.fromkeys(set(other.values) & set(other.others), "both")
    found: dict[str, list[int]] = {"values": [], "others": [], "dead": [], "both": []}
    start = 0
    for projection, count in zip(subject.projections, subject.counts, strict=True):
        parts = count // subject.sizes.channels_out
        role_of = _role_of_rows(projection.name, parts, other, roles)
        if role_of is None:
            return False
        for row in range(count):
            found[role_of(row, subject.sizes)].append(start + row)
        start += count
    subject.values = sorted(found["values"] + found["both"])
    subject.others = sorted(found["others"] + found["both"])
    subject.dead = found["dead"]
    return True


def _role_of_rows(name: str, parts: int, other: Subject,
                  roles: Mapping[int, str]) -> Callable[[int, Sizes], str] | None:
    """The role of a row of the projection of this name, read off the same one at another size."""
    names = [projection.name for projection in other.projections]
    alike = [without_numbers(each) for each in names]
    # A list by head has more members where there are more heads: its first stands for them.
    at = names.index(name) if name in names else alike.index(without_numbers(name))
    start, count = sum(other.counts[:at]), other.counts[at]
    own = [roles[start + row] for row in range(count)]
    if parts <= 1:
        return lambda row, sizes: own[0]
    for scheme in SCHEMES:
        by_part = {scheme(row, other.sizes, parts): role for row, role in enumerate(own)}
        if all(by_part[scheme(row, other.sizes, parts)] == role for row, role in enumerate(own)):
            return lambda row, sizes, scheme=scheme: by_part[scheme(row, sizes, parts)]  # type: ignore[misc]
    return None


def is_tied(subject: Subject) -> bool:
    """Whether one projection gives queries, keys and values."""
    return bool(subject.values) and subject.values == subject.others
