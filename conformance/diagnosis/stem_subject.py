"""A stem under intervention: its rows, tables, vectors and statistics, set at will."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..estimate import Array
from .instance import Instance, Sizes, same
from .stem_choices import StemChoices
from .stem_roles import Reading, StemParts
from .stem_variant import StemWeights, variant_stem

Entries = dict[str, Array]
# Tables that are all alike make every mixture and every relative logit the same everywhere; this
# small, they overflow nothing.
ALIKE = 1 / 8
# A shift that lifts every output of a normalization above zero: no ReLU acts.
LIFTED = 100.0


@dataclass
class StemSubject:
    """One build, its entries sorted, and what its rows were found to do.

    values    rows of the value matrices, by mixture and output channel
    others    rows that act through the logits; dead ones never matter
    """

    instance: Instance
    sizes: Sizes
    parts: StemParts
    rng: np.random.Generator
    values: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own = self.instance.get()
        self.counts = [p.rows(self.own[p.name]).shape[0] for p in self.parts.projections]

    @property
    def mixtures(self) -> int:
        """Value matrices; 0 where a convolution gives the values."""
        return len(self.values) // self.sizes.channels_out

    def image(self, height: int | None = None, width: int | None = None, batch: int = 1) -> Array:
        """A random image; its default size is a multiple of every window that is tried."""
        small = self.sizes.extent <= 4
        height, width = height or (8 if small else 12), width or (12 if small else 24)
        return self.rng.standard_normal((batch, height, width, self.sizes.channels_in))

    def rows(self, entries: Mapping[str, Array]) -> Array:
        """(rows, channels_in) of all projections."""
        return np.concatenate([p.rows(entries[p.name]) for p in self.parts.projections])

    def with_rows(self, entries: Mapping[str, Array], rows: Array) -> Entries:
        """The entries with these rows."""
        changed, start = dict(entries), 0
        for projection, count in zip(self.parts.projections, self.counts, strict=True):
            changed[projection.name] = projection.array(rows[start:start + count],
                                                        self.own[projection.name].shape)
            start += count
        return changed

    def random(self, *, biases: bool = False) -> Entries:
        """Random entries: rows, kernel, tables and statistics; biases zero unless asked for."""
        entries = {name: self.rng.standard_normal(own.shape) for name, own in self.own.items()}
        spread = self.sizes.channels_in ** 0.5
        for name in [p.name for p in self.parts.projections]:
            entries[name] /= spread
        if self.parts.kernel is not None:
            kernel = entries[self.parts.kernel]
            entries[self.parts.kernel] = kernel / np.sqrt(kernel[0].size)
        for name in self.parts.vectors:
            entries[name] = entries[name] if biases else np.zeros_like(entries[name])
        if "norm_variance" in self.parts.norm:
            variance = self.parts.norm["norm_variance"]
            entries[variance] = self.rng.uniform(0.5, 2.0, entries[variance].shape)
        return entries

    def run(self, x: Array, entries: Mapping[str, Array]) -> Array:
        """The stem's output with these entries."""
        self.instance.set(entries)
        return self.instance.run(x)

    def alike(self, entries: Mapping[str, Array]) -> Entries:
        """The entries with all tables alike."""
        return {**entries, **{name: np.full_like(self.own[name], ALIKE)
                              for name in self.parts.tables}}

    def restore(self) -> None:
        """Give the stem its own entries back."""
        self.instance.set(self.own)


@dataclass(frozen=True)
class StemFit:
    """One explanation of a stem.

    query, key  which rows of those that act through the logits: first, second, all; or values
    reading     how the mixture's tables are read
    tables      names of a relative term's tables, rows then columns
    biased      whether the projections have biases
    """

    choices: StemChoices
    query: str = "first"
    key: str = "second"
    reading: Reading | None = None
    tables: tuple[str, str] | None = None
    biased: bool = False

    def but(self, **changes: object) -> "StemFit":
        """The same with some of its choices changed."""
        return replace(self, choices=self.choices.but(**changes))

    def rows_of(self, subject: StemSubject, part: str) -> list[int]:
        """The rows that `query` or `key` speaks of."""
        count = subject.sizes.channels_out
        return {"first": subject.others[:count], "second": subject.others[count:],
                "values": subject.values[:count]}[part]

    def weights(self, subject: StemSubject, entries: Mapping[str, Array]) -> StemWeights:
        """The stem's weights that this explanation reads from a module's entries."""
        rows, count = subject.rows(entries), subject.sizes.channels_out
        members = {"query": self.rows_of(subject, self.query),
                   "key": self.rows_of(subject, self.key)}
        nothing = np.zeros((count, rows.shape[1]))
        parts = subject.parts
        value = rows[subject.values].reshape(-1, count, rows.shape[1])
        if parts.kernel is not None and self.choices.values == "convolution":
            value = entries[parts.kernel].transpose(2, 3, 1, 0)
        query, key = (rows[members[role]] if members[role] else nothing
                      for role in ("query", "key"))
        weights = StemWeights(query, key, value,
                              norm={role: entries[name] for role, name in parts.norm.items()})
        if self.reading is not None:
            for role, table in self.reading.apply(entries).items():
                setattr(weights, role, table)
        if self.tables is not None:
            row, col = (_by_entries(entries[name], self, subject) for name in self.tables)
            weights.tables = (row, col)
        if self.biased:
            weights.biases = _biases(subject, entries, members)
        return weights

    def predict(self, subject: StemSubject, x: Array, entries: Mapping[str, Array]) -> Array:
        """What this explanation says of the stem's output."""
        return variant_stem(x, self.weights(subject, entries), subject.sizes, self.choices)


def _by_entries(table: Array, fit: StemFit, subject: StemSubject) -> Array:
    """(entries, channels) of a relative table."""
    window = fit.choices.sizes_at(subject.sizes).extent
    entries = 2 * window - 1 if fit.choices.relative == "by offset" else window
    flat = table.reshape([length for length in table.shape if length != 1])
    return flat if flat.shape[0] == entries else flat.T


def _biases(subject: StemSubject, entries: Mapping[str, Array],
            members: Mapping[str, list[int]]) -> dict[str, Array]:
    """By role the biases of the projections; zero for one without."""
    stacked = []
    for projection, count in zip(subject.parts.projections, subject.counts, strict=True):
        owner = projection.name.rpartition(".")[0]
        beside = [entries[name] for name in subject.parts.vectors
                  if owner and name.rpartition(".")[0] == owner and entries[name].size == count]
        stacked.append(beside[0].reshape(-1) if beside else np.zeros(count))
    flat, count = np.concatenate(stacked), subject.sizes.channels_out
    biases = {role: flat[rows] for role, rows in members.items() if rows}
    biases["value"] = flat[subject.values].reshape(-1, count)
    if subject.parts.kernel is not None:
        owner = subject.parts.kernel.rpartition(".")[0]
        beside = [entries[name] for name in subject.parts.vectors
                  if owner and name.rpartition(".")[0] == owner]
        biases["value"] = beside[0].reshape(1, -1) if beside else np.zeros((1, count))
    return biases


def sort_stem_rows(subject: StemSubject) -> bool:
    """Find the rows of values: those that act on an image of one colour, far from its borders.

    There all keys are alike, so that queries and keys change nothing. False where no rows act so,
    or not in whole matrices.
    """
    # Large enough that no window of the block in its middle reaches a border.
    size = 12 if subject.sizes.extent <= 4 else 24
    colour = np.broadcast_to(subject.image(1, 1), (1, size, size, subject.sizes.channels_in))
    entries = subject.alike(subject.random())
    if "norm_shift" in subject.parts.norm:
        shift = subject.parts.norm["norm_shift"]
        entries[shift] = np.full_like(entries[shift], LIFTED)
    plain, lively = subject.run(colour, entries), subject.random()
    x = subject.image(12, 12)
    moving = subject.run(x, lively)
    sorted_rows: dict[str, list[int]] = {"values": [], "others": [], "dead": []}
    for members in _units(subject):
        if not same(_centre(_doubled(subject, colour, entries, members)), _centre(plain)):
            sorted_rows["values"] += members
        elif not same(_doubled(subject, x, lively, members), moving):
            sorted_rows["others"] += members
        else:
            sorted_rows["dead"] += members
    subject.values, subject.others, subject.dead = sorted_rows.values()
    count = subject.sizes.channels_out
    whole = len(subject.values) % count == 0 and len(subject.others) in (count, 2 * count)
    return whole and bool(subject.values) != (subject.parts.kernel is not None)


def _doubled(subject: StemSubject, x: Array, entries: Entries, members: list[int]) -> Array:
    rows = subject.rows(entries)
    rows[members] *= 2
    return subject.run(x, subject.with_rows(entries, rows))


def _centre(y: Array) -> Array:
    return y[:, y.shape[1] // 2, y.shape[2] // 2]


def _units(subject: StemSubject) -> list[list[int]]:
    """Rows that play one role together: a whole projection, or each matrix of a fused one."""
    units, start, count = [], 0, subject.sizes.channels_out
    for rows in subject.counts:
        members = list(range(start, start + rows))
        fused = rows > count and rows % count == 0
        units += [members[n:n + count] for n in range(0, rows, count)] if fused else [members]
        start += rows
    return units
