"""A module under intervention: rows of its projections, its tables and its vectors, set at will."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..estimate import Array
from .instance import Instance, Sizes, same
from .roles import Parts, Projection, without_numbers
from .variant import LayerWeights


@dataclass
class Subject:
    """One build with its parameters sorted, and what was found out about its rows.

    values    which rows of all projections are value rows, in the order of the output channels
              they feed
    others    rows that act through the logits, in order
    dead      rows that never matter
    said      parameters by role, where the user says which plays it
    """

    instance: Instance
    sizes: Sizes
    parts: Parts
    rng: np.random.Generator
    values: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.own = self.instance.get()
        self.read_projections()

    def read_projections(self) -> None:
        """Read the parts' projections as rows, again where one was found to be something else."""
        self.projections = [
            Projection(p.name, p.inputs,
                       self.sizes.channels_in // self.own[p.name].shape[p.inputs])
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

    def image(self, batch: int = 1, height: int = 8, width: int = 9) -> Array:
        """A random image that holds a whole window of every size that is built."""
        return self.rng.standard_normal((batch, height, width, self.sizes.channels_in))

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
            mixers: Mapping[str, Array] | None = None) -> Array:
        """The module's output with these rows; tables, vectors and mixers are zero when not given.

        Mixers that are not given are the identity.
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
        self.instance.set(given)
        return self.instance.run(x)

    def own_rows(self) -> Array:
        """The rows that the module was built with."""
        return np.concatenate([p.rows(self.own[p.name]) for p in self.projections])

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
    middle = subject.run(x, rows, tables)
    if not np.isfinite(middle).all():
        return "its output is not finite for random weights"
    sorted_rows: dict[str, list[int]] = {"affine": [], "curved": [], "dead": []}
    for members in _units(subject):
        changed = rows.copy()
        changed[members] = 0
        without = subject.run(x, changed, tables)
        if same(without, middle):
            sorted_rows["dead"] += members
            continue
        changed[members] = 2 * rows[members]
        twice = subject.run(x, changed, tables)
        kind = "affine" if same(twice + without, 2 * middle) else "curved"
        sorted_rows[kind] += members
    subject.values, subject.others, subject.dead = sorted_rows.values()
    if not subject.values and len(subject.others) == subject.sizes.channels_out:
        # One projection for all three: curved, for it stands in the logits too.
        subject.values = subject.others
    return None


def _units(subject: Subject) -> list[list[int]]:
    """Rows that play one role together: a whole projection, or each row of a fused one."""
    units, start = [], 0
    for count in subject.counts:
        members = list(range(start, start + count))
        units += [members] if count <= subject.sizes.channels_out else [[row] for row in members]
        start += count
    return units


# Which part of a fused projection a row belongs to: (row, sizes, parts) -> 0 to parts - 1.
SCHEMES: tuple[Callable[[int, Sizes, int], int], ...] = (
    lambda row, sizes, parts: row // sizes.channels_out,
    lambda row, sizes, parts: row // sizes.depth % parts,
    lambda row, sizes, parts: row % parts,
)


def sort_rows_alike(subject: Subject, other: Subject) -> bool:
    """Sort rows as at another size, fused projections by the scheme that they follow there.

    Nothing is tried: a wrong guess would match nothing in the stages that follow. False where
    the other size follows no scheme.
    """
    roles = {row: role for role in ("values", "others", "dead") for row in getattr(other, role)}
    found: dict[str, list[int]] = {"values": [], "others": [], "dead": []}
    start = 0
    for projection, count in zip(subject.projections, subject.counts, strict=True):
        parts = count // subject.sizes.channels_out
        role_of = _role_of_rows(projection.name, parts, other, roles)
        if role_of is None:
            return False
        for row in range(count):
            found[role_of(row, subject.sizes)].append(start + row)
        start += count
    subject.values, subject.others, subject.dead = found.values()
    if is_tied(other):
        subject.values = subject.others
    return True


def _role_of_rows(name: str, parts: int, other: Subject,
                  roles: Mapping[int, str]) -> Callable[[int, Sizes], str] | None:
    """The role of a row of the projection of this name, read off the same one at another size."""
    start = 0
    for projection, count in zip(other.projections, other.counts, strict=True):
        if without_numbers(projection.name) == without_numbers(name):
            break
        start += count
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


def stacked_biases(subject: Subject, vectors: Mapping[str, Array]) -> Array:
    """(rows,): the bias of each projection's rows, that of the same owner; zero without one."""
    stacked = []
    for projection, count in zip(subject.projections, subject.counts, strict=True):
        owner = projection.name.rpartition(".")[0]
        mine = [vectors[name] for name in subject.parts.vectors
                if owner and name.rpartition(".")[0] == owner and vectors[name].size == count]
        stacked.append(mine[0].reshape(-1) if mine else np.zeros(count))
    return np.concatenate(stacked) if stacked else np.zeros(0)


def weights_of(subject: Subject, rows: Array, query: list[int], key: list[int] | None,
               biases: Mapping[str, Array] | None = None) -> LayerWeights:
    """The layer's weights from rows by role."""
    return LayerWeights(rows[query], None if key is None else rows[key], rows[subject.values],
                        dict(biases or {}))
