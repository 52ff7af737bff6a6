"""Where a module keeps the weights of SPEC.md, at any sizes: to write them in, to read them out.

A fit is found where lengths tell the axes of parameters apart. Here the axes stand as they stood
there, whatever their lengths, so that a window of one slot is no riddle.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from ..estimate import Array
from .choices import Choices
from .fit import Fit, named_scales
from .instance import Instance, ModuleError, Sizes
from .roles import Parts, Projection, without_numbers
from .stages import splits
from .subject import Subject, is_tied, sort_rows_alike
from .tables import Reading
from .variant import LayerWeights, variant_layer

# Arrangements of the tables that SPEC.md has too.
PLACED = ("none", "shared", "per_head", "layer_halves")
PROJECTED = ("w_query", "w_key", "w_value")
TABLES = ("rel_row", "rel_col")


@dataclass(frozen=True)
class Explanation:
    """An explanation of a module and the build that it was found at, for those who go on.

    other  sizes of the second build, which it explains as well
    """

    fit: Fit
    subject: Subject
    other: Sizes

    def heads_at(self, sizes: Sizes) -> int:
        """The heads of a build: as many as it is asked for, or as the class itself chooses."""
        here = self.subject.sizes
        if self.subject.instance.facts.heads_set:
            return sizes.heads
        return here.heads if here.heads == self.other.heads else sizes.channels_out // here.depth

    def choices_at(self, sizes: Sizes) -> Choices:
        """The reading at other sizes: factors that have a name change with them."""
        choices, elsewhere = self.fit.choices, copy(self.subject)
        elsewhere.sizes = sizes
        here, there = named_scales(self.subject), named_scales(elsewhere)
        factors = {which: next((there[name] for name, factor in here.items()
                                if factor == getattr(choices, which)), getattr(choices, which))
                   for which in ("content_scale", "relative_scale")}
        return choices.but(**factors)


class Placement:
    """One build of a module that was explained, and where in it SPEC.md's weights are.

    Raises ModuleError where this explanation has no place for them.
    """

    def __init__(self, explanation: Explanation, instance: Instance, sizes: Sizes) -> None:
        found, fit = explanation.subject, explanation.fit
        if fit.choices.arrangement not in PLACED:
            raise ModuleError(f"SPEC.md has no tables of the kind {fit.choices.arrangement}")
        if explanation.heads_at(sizes) != sizes.heads:
            raise ModuleError(f"its constructor has no argument for {sizes.heads} heads")
        self._labels = found.parts.tables
        self.subject = Subject(instance, sizes, _parts_alike(found.parts, instance.shapes),
                               found.rng)
        if not sort_rows_alike(self.subject, found):
            raise ModuleError("the rows of its projections follow no rule that holds at all sizes")
        self.choices = explanation.choices_at(sizes)
        self.query, self.key = _parted(self.subject, fit)
        self._reading = fit.reading

    @property
    def sizes(self) -> Sizes:
        """Sizes of the build."""
        return self.subject.sizes

    @property
    def is_tied(self) -> bool:
        """Whether some of queries, keys and values are one, so that no weights can be written."""
        members = [row for own in (self.query, self.key, self.subject.values) for row in own or ()]
        return is_tied(self.subject) or len(members) > len(set(members))

    def read(self, parameters: Mapping[str, Array]) -> dict[str, Array]:
        """Weights by SPEC.md's names; w_query (channels_in, channels_out), dense."""
        rows = np.concatenate([p.rows(parameters[p.name]) for p in self.subject.projections])
        members = {"w_query": self.query, "w_key": self.key, "w_value": self.subject.values}
        weights = {role: rows[own].T for role, own in members.items() if own}
        return weights | {role: self._table(role, parameters).copy() for role in self._tables()}

    def run(self, x: Array, weights: Mapping[str, Array]) -> Array:
        """The module's output with these weights by SPEC.md's names, its biases zero.

        A product that follows the heads' outputs is the identity.
        """
        subject = self.subject
        rows = np.zeros((subject.row_count, self.sizes.channels_in))
        for role, own in zip(PROJECTED, (self.query, self.key, subject.values), strict=True):
            if own and role in weights:
                rows[own] = weights[role].T
        arrays = {name: np.zeros(subject.own[name].shape) for name in subject.parts.tables}
        for role in self._tables():
            if role in weights:
                self._table(role, arrays)[...] = weights[role]
        return subject.run(x, rows, arrays)

    def predict(self, x: Array, weights: Mapping[str, Array], choices: Choices) -> Array:
        """What a reading of the layer gives for the same weights."""
        key = weights["w_key"].T if "w_key" in weights else None
        layer = LayerWeights(weights["w_query"].T, key, weights["w_value"].T,
                             row=weights.get("rel_row"), col=weights.get("rel_col"))
        return variant_layer(x, layer, self.sizes.heads, self.sizes.extent, choices)

    @property
    def is_faithful(self) -> bool:
        """Whether weights that are written here make the module what the fit says it is.

        Asked at the fit's own sizes: a module that keeps more than weights is left alone.
        """
        weights = self.random_weights()
        x = self.subject.image()
        return self.subject.same(self.run(x, weights),
                                 self.predict(x, weights, self.choices))

    def random_weights(self) -> dict[str, Array]:
        """Weights by SPEC.md's names whose products with an image have unit variance."""
        rows = self.subject.random_rows()
        members = {"w_query": self.query, "w_key": self.key, "w_value": self.subject.values}
        weights = {role: rows[own].T for role, own in members.items() if own}
        arrays = self.subject.random_tables()
        return weights | {role: self._table(role, arrays).copy() for role in self._tables()}

    def _tables(self) -> tuple[str, ...]:
        return () if self._reading is None else TABLES

    def _table(self, role: str, arrays: Mapping[str, Array]) -> Array:
        """A view of a table as SPEC.md has it, of those entries that are read."""
        reading = self._reading
        assert reading is not None
        name = reading.row if role == "rel_row" else reading.col
        view = _table_view(arrays[name], reading, role, self._labels[name], self.sizes)
        entries, extent = view.shape[-2], self.sizes.extent
        if entries == extent or self.choices.padding == "shift":
            return view
        start = (entries - 1) // 2 - extent // 2
        return view[..., start:start + extent, :]


def _parts_alike(parts: Parts, shapes: Mapping[str, tuple[int, ...]]) -> Parts:
    """The parts of a build at other sizes, every parameter sorted as its namesake was."""
    projections = {without_numbers(p.name): p for p in parts.projections}
    kinds = {"mixers": parts.mixers, "vectors": parts.vectors, "factors": parts.factors,
             "others": parts.others}
    alike = Parts()
    for name in shapes:
        plain = without_numbers(name)
        if plain in projections:
            alike.projections.append(_projection_alike(projections[plain], name, shapes[name]))
        elif name in parts.tables:
            alike.tables[name] = parts.tables[name]
        else:
            kind = next((kind for kind, names in kinds.items()
                         if plain in map(without_numbers, names)), "others")
            getattr(alike, kind).append(name)
    return alike


def _projection_alike(old: Projection, name: str, shape: tuple[int, ...]) -> Projection:
    """A projection at other sizes, where it may see another number of pixels."""
    taps = old.taps if old.taps == (1, 1) else (shape[2], shape[3])
    if taps[0] % 2 == 0 or taps[1] % 2 == 0:
        raise ModuleError(f"{name} sees an even number of pixels here")
    return replace(old, name=name, taps=taps)


def _parted(subject: Subject, fit: Fit) -> tuple[list[int], list[int] | None]:
    """Rows of queries and of keys, parted as the fit parts them."""
    if not fit.choices.content:
        return subject.others, None
    for name, query, key in splits(subject):
        if name == fit.split:
            return query, key
    raise ModuleError(f"its queries and keys are not parted here as elsewhere ({fit.split})")


def _table_view(array: Array, reading: Reading, role: str, labels: tuple[str, ...],
                sizes: Sizes) -> Array:
    """(entries, channels) or (heads, entries, channels) of a contiguous parameter, not a copy."""
    names = [set(axis.split("|")) for axis in labels]
    entry = next(at for at, own in enumerate(names) if own & {"k", "2k-1"})
    channel = next(at for at, own in enumerate(names) if own & {"d/2", "D/2"})
    order = {"entry": entry, "channel": channel}
    if "2" in set().union(*names):
        order["pair"] = next(at for at, own in enumerate(names) if "2" in own)
    if reading.how[1] == "N*d/2":
        order["head"] = next(at for at, own in enumerate(names) if "N" in own)
    shape, axes = list(array.shape), list(order.items())
    by_head = {"D/2 by head": (sizes.heads, -1), "D/2 strided": (-1, sizes.heads)}
    if reading.how[1] in by_head:
        shape[channel:channel + 1] = by_head[reading.how[1]]
        axes = [(name, at + (at > channel)) for name, at in axes]
        order = dict(axes)
        is_first = reading.how[1] == "D/2 by head"
        order["head"], order["channel"] = ((channel, channel + 1) if is_first
                                           else (channel + 1, channel))
    wanted = [order[name] for name in ("pair", "head", "entry", "channel") if name in order]
    rest = [at for at in range(len(shape)) if at not in wanted]
    view = array.reshape(shape).transpose(*wanted, *rest)
    view = view.reshape(view.shape[:len(wanted)])
    if "pair" not in order:
        return view
    first = reading.how[2] == "straight"
    return view[0 if (role == "rel_row") == first else 1]
