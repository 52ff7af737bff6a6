"""A module's own weights as the equation takes them, where its deviations are undone by that."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sasakit import reference
from sasakit.reference.contract.options import AttentionOptions

from ..estimate import Array
from ..report import Deviation
from .choices import CONVERSIONS, Choices, named_options
from .instance import ModuleError
from .placement import PROJECTED, TABLES, Explanation, Placement
from .stacking import OUT, stacked_biases
from .variant import head_groups, reordered


@dataclass
class Converted:
    """Weights by SPEC.md's names, with which the equation is the module.

    weights       w_query, w_key, w_value (channels_in, channels_out); rel_row, rel_col
    options       under which the equation is meant
    output_order  which of the equation's output channels each of the module's is; None where they
                  are in the same order
    changes       what was done to the module's weights, in words
    """

    weights: dict[str, Array]
    options: AttentionOptions
    output_order: list[int] | None = None
    changes: list[str] = field(default_factory=list)

    def run(self, x: Array) -> Array:
        """The equation's output, in the module's order of channels."""
        y = reference.attention_layer(x, self.weights, options=self.options)
        return y if self.output_order is None else y[..., self.output_order]


def conversion_words(deviations: list[Deviation], explanation: Explanation) -> str | None:
    """The change of weights that undoes all deviations, tried on the module's own; or None."""
    if not deviations or any(each.name not in CONVERSIONS for each in deviations):
        return None
    subject = explanation.subject
    try:
        placement = Placement(explanation, subject.instance, subject.sizes)
        found = converted(placement, explanation, subject.own, deviations)
    except ModuleError:
        return None
    return "; ".join(found.changes)


def converted(placement: Placement, explanation: Explanation, parameters: Mapping[str, Array],
              deviations: list[Deviation], even_window: str | None = None) -> Converted:
    """The conversion of these parameters, checked by evaluating both.

    even_window  which even windows the module has, as the option spells it
    Raises ModuleError, naming the deviation that cannot be undone.
    """
    lasting = [each for each in deviations if each.name not in CONVERSIONS]
    if lasting:
        raise ModuleError(f"no change of the weights undoes {lasting[0].name} "
                          f"({lasting[0].clause}): {lasting[0].sentence}")
    found = _Conversion(placement, explanation, parameters, deviations).result(even_window)
    instance, rng = placement.subject.instance, np.random.default_rng(0)
    instance.set(parameters)
    extent = placement.sizes.extent
    for batch, height, width in ((1, extent + 1, extent + 2), (2, extent + 3, extent)):
        sides = instance.facts.frame(height, width)
        x = rng.standard_normal((batch, *sides, placement.sizes.channels_in))
        if not placement.subject.same(found.run(x), instance.run(x.copy())):
            raise ModuleError("with its weights converted the equation gives another output, so "
                              "that nothing is claimed")
    return found


class _Conversion:
    """One conversion under way: weights and options change step by step."""

    def __init__(self, placement: Placement, explanation: Explanation,
                 parameters: Mapping[str, Array], deviations: list[Deviation]) -> None:
        self._placement, self._fit = placement, explanation.fit
        self._parameters = parameters
        self._choices: Choices = placement.choices
        self._weights = placement.read(parameters)
        self._heads = placement.sizes.heads
        self._order = np.arange(placement.sizes.channels_out)
        self._changes = [CONVERSIONS[name] for name in dict.fromkeys(e.name for e in deviations)]
        self._named = {each.name: each for each in deviations}

    def result(self, even_window: str | None) -> Converted:
        """The weights after every step. Raises ModuleError."""
        self._drop_biases()
        self._fold_output()
        self._swap()
        self._turn_tables()
        self._rescale_tables()
        self._group()
        order = reordered(np.arange(len(self._order)), self._placement.sizes.heads,
                          self._choices.order)
        order = np.argsort(self._order)[order]
        as_is = bool((order == np.arange(len(order))).all())
        if not as_is:
            self._changes.append("the equation's output channels are then in another order, "
                                 "which output_order says")
        return Converted(self._weights, self._options(even_window),
                         None if as_is else [int(at) for at in order], self._changes)

    def _drop_biases(self) -> None:
        subject = self._placement.subject
        given = stacked_biases(subject, self._fit.owners, self._parameters)
        if given.any():
            self._refuse("projection-biased", "its biases are not zero")

    def _fold_output(self) -> None:
        """A product after one map for all channels is as well one with the values' projection."""
        subject = self._placement.subject
        if not self._fit.mixed:
            return
        name = subject.parts.mixers[0]
        matrix = self._parameters[name].reshape(subject.sizes.channels_out, -1)
        matrix = matrix if self._fit.mixed == "straight" else matrix.T
        if any(self._parameters[self._fit.owners[owner]].any() for owner in (name, OUT)
               if owner in self._fit.owners):
            self._refuse("output-projection", "it has a bias")
        if not (self._heads == 1 or self._choices.heads == "one"):
            self._refuse("output-projection", "it mixes heads")
        self._weights["w_value"] = self._weights["w_value"] @ matrix.T

    def _swap(self) -> None:
        if self._choices.swapped:
            if "rel_row" in self._weights:
                self._refuse("query-at-neighbours", "the tables meet the neighbour's query")
            self._weights["w_query"], self._weights["w_key"] = (self._weights["w_key"],
                                                               self._weights["w_query"])

    def _turn_tables(self) -> None:
        for role, direction in zip(TABLES, (self._choices.row, self._choices.column), strict=True):
            if role in self._weights and direction == "descending":
                self._weights[role] = self._weights[role][..., ::-1, :].copy()

    def _rescale_tables(self) -> None:
        content, relative = self._choices.content_scale, self._choices.relative_scale
        if "scaled-relative" in self._named:
            for role in TABLES:
                self._weights[role] = self._weights[role] * (relative / content)
            self._choices = self._choices.but(relative_scale=content)

    def _group(self) -> None:
        """Channels that share a map become a head of consecutive ones."""
        form, channels = self._choices.heads, self._placement.sizes.channels_out
        if form == "contiguous":
            return
        groups = head_groups(channels, self._heads, form)
        mixed = [np.concatenate(groups)] * 3
        if "rel_row" in self._weights:
            mixed[:2] = [self._halves(groups)] * 2
        if form == "one":
            mixed[2] = np.arange(channels)
        for role, order in zip(PROJECTED, mixed, strict=True):
            if role in self._weights:
                self._weights[role] = self._weights[role][:, order]
        self._heads, self._order = len(groups), mixed[2]

    def _halves(self, groups: list[Array]) -> Array:
        """The channels, in every head those first that meet rows; makes the tables per head."""
        channels, heads = len(self._order), self._heads
        width = channels if self._choices.arrangement == "layer_halves" else channels // heads
        is_row = np.tile(np.arange(width) < width // 2, channels // width)
        is_row = is_row if self._choices.first_half == "row" else ~is_row
        wide = {}
        for role, own in zip(TABLES, (is_row, ~is_row), strict=True):
            table = self._weights[role]
            table = np.moveaxis(table, 0, 1).reshape(table.shape[1], -1) if table.ndim == 3 \
                else np.tile(table, (1, own.sum() // table.shape[1]))
            wide[role] = np.zeros((len(table), channels))
            wide[role][:, own] = table
        sorted_groups = [[members[is_row[members]], members[~is_row[members]]]
                         for members in groups]
        if any(len(rows) != len(cols) for rows, cols in sorted_groups):
            name = "softmax-per-channel" if self._choices.heads == "channel" else next(
                iter(self._named))
            self._refuse(name, "not every head has as many channels that meet rows as columns")
        for part, role in enumerate(TABLES):
            self._weights[role] = np.stack([wide[role][:, each[part]] for each in sorted_groups])
        self._choices = self._choices.but(arrangement="per_head", first_half="row")
        return np.concatenate([half for each in sorted_groups for half in each])

    def _options(self, even_window: str | None) -> AttentionOptions:
        extent = self._placement.sizes.extent
        named = named_options(self._choices, extent)
        if extent % 2 == 0 and even_window is not None:
            named["even_window"] = even_window
        return replace(AttentionOptions(extent=extent, heads=self._heads), **named)  # type: ignore[arg-type]

    def _refuse(self, name: str, why: str) -> None:
        deviation = self._named.get(name)
        clause = "" if deviation is None else f" ({deviation.clause})"
        raise ModuleError(f"no change of the weights undoes {name}{clause}: {why}")
