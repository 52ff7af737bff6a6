"""The suites on a module that was explained: a case's weights go where the module keeps them.

A case of split heads is one of the layer too: the image has the queries, keys and values side by
side in its channels, and the projections pick them out, which rounds nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from ..case import Case
from ..draw import Draw
from ..estimate import Array
from ..offer import Offer, profiles_of
from ..profiles import Profile
from ..property import PROPERTIES, NotApplicable, Property
from ..runner import Verdict, chosen_clauses, replay, run_verification
from ..target import native_arrays
from .choices import named_options
from .instance import Builder, ModuleError, Sizes
from .placement import PROJECTED, TABLES, Explanation, Placement

# Seconds that the search for a smaller counterexample may take, clause by clause.
SHRINK_SECONDS = 0.3
# Cases of a property that are looked through before it is asked at all.
FIRST_CASES = 8
EXTENTS = (1, 3, 5, 7)


class ModuleOffer(Offer):
    """What a module offers: the layer under the options that were found, at any sizes.

    It is asked nothing of empty batches, nor of images with numbers that are not finite in some
    channels: these would reach what the case keeps apart.
    """

    suite: "ModuleSuite"

    def takes(self, case: Case) -> bool:
        """Whether the module can be built as the case asks."""
        options, first = case.options, next(iter(case.arrays.values()))
        return super().takes(case) and isinstance(options, AttentionOptions) \
            and first is not None and first.shape[0] > 0 and _can_be_joined(case) \
            and self.suite.has_place(case, options)

    def adapted(self, case: Case) -> Case:
        """The same case under the module's own factor."""
        return self.suite.scaled(case)


class ModuleSuite:
    """A module as a target of the suites.

    even_window  which even windows it has, as the option spells it; None where it has none
    refused      what it raised for cases that the equation has, which are passed over
    """

    dtypes = ("float64",)

    def __init__(self, name: str, builder: Builder, explanation: Explanation,
                 even_window: str | None = None) -> None:
        self.name, self._builder, self._explanation = name, builder, explanation
        self._placed: dict[Sizes, Placement | None] = {}
        self.refused: list[str] = []
        found = explanation.subject
        self._options = named_options(explanation.fit.choices, found.sizes.extent)
        self._square = found.sizes.channels_in == found.sizes.channels_out
        grouped = {p.groups for p in found.projections} == {found.sizes.heads}
        self._projection = "per_head" if grouped else "dense"
        self.offer = ModuleOffer(self._operations(), profiles_of({}, self.dtypes),
                                 self._offered(even_window), checks_input=False)
        object.__setattr__(self.offer, "suite", self)

    def _operations(self) -> tuple[str, ...]:
        # Where channels in and out are one number, a case of split heads needs more heads than
        # it has; tables of the whole layer, and projections by head, do not go on there.
        fits = not self._square or (self._options.get("relative") != "layer_halves"
                                    and self._projection == "dense")
        return ("local_attention", "attention_layer") if fits else ("attention_layer",)

    @property
    def has_weights(self) -> bool:
        """Whether the equation's weights have a place in the module, as the fit has it."""
        try:
            placement = self._placement(self._explanation.subject.sizes)
            return placement is not None and placement.is_faithful
        except ModuleError:
            return False

    def _offered(self, even_window: str | None) -> dict[str, tuple[Any, ...]]:
        options, fit = self._options, self._explanation.fit
        has_tables = fit.reading is not None
        offered: dict[str, tuple[Any, ...]] = {
            "extent": EXTENTS if even_window is None else tuple(range(1, max(EXTENTS) + 1)),
            "padding": (options.get("padding", "zero"),),
            "position": ("relative", "none") if has_tables else ("none",)}
        if even_window is not None:
            offered["even_window"] = (even_window,)
        if has_tables:
            offered |= {"relative": (options.get("relative", "shared"),),
                        "first_half": (options.get("first_half", "row"),)}
        if not fit.choices.content:
            offered |= {"content": (False,), "position": ("relative",)}
        return offered

    def profile(self, dtype: str) -> Profile:
        """Double precision throughout."""
        return self.offer.profiles[dtype]

    def native(self, case: Case) -> dict[str, Any]:
        """NumPy arrays."""
        return native_arrays(case, lambda array, dtype=None: array)

    def read(self, result: Any) -> Array:
        """The result itself."""
        return np.asarray(result)

    def result_dtype(self, result: Any) -> str:
        """Of a NumPy array."""
        return str(result.dtype)

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The module's output for the case. Raises NotApplicable where the module raises."""
        options = case.options
        assert isinstance(options, AttentionOptions)
        placement = self._placement(_room(case, options, square=self._square))
        if placement is None:
            raise NotApplicable
        x, weights = _layer(case, arrays) if case.operation == "local_attention" \
            else (arrays["x"], _dense({name: w for name, w in arrays.items() if name != "x"}))
        channels_out = weights["w_value"].shape[1]
        sizes = placement.sizes
        wide = {name: _widened(name, w, sizes) for name, w in weights.items()}
        x = np.pad(x, [(0, 0)] * 3 + [(0, sizes.channels_in - x.shape[3])])
        try:
            y = placement.run(x, wide)[..., :channels_out]
        except ModuleError as error:
            self.refused.append(f"{case!r:.200}: {error}")
            raise NotApplicable from None
        if case.operation == "local_attention":
            return y.reshape(*y.shape[:3], *arrays["value"].shape[3:])
        return y

    def has_place(self, case: Case, options: AttentionOptions) -> bool:
        """Whether the module can be built for a case, and has this case's factor."""
        sizes = _room(case, options, square=self._square)
        if options.relative == "layer_halves" and options.position == "relative" \
                and sizes.heads != _heads(case, options):
            return False
        if case.operation == "attention_layer" and options.projection != self._projection:
            return False
        return options.scale == self._scale(sizes) and self._placement(sizes) is not None

    def scaled(self, case: Case) -> Case:
        """The case with the factor that the module has at its sizes, where that is not 1."""
        options = case.options
        if not isinstance(options, AttentionOptions) or case.operation not in self._operations():
            return case
        scale = self._scale(_room(case, options, square=self._square))
        if scale == 1.0:
            return case
        terms = str(self._options.get("scale_terms", "both"))
        return replace(case, options=replace(options, scale=scale, scale_terms=terms))

    def _scale(self, sizes: Sizes) -> float:
        choices = self._explanation.choices_at(sizes)
        return choices.content_scale if choices.content else choices.relative_scale

    def _placement(self, sizes: Sizes) -> Placement | None:
        if sizes not in self._placed:
            try:
                placement = Placement(self._explanation, self._builder.build(sizes), sizes)
            except (ModuleError, ValueError):
                self._placed[sizes] = None
            else:
                self._placed[sizes] = None if placement.is_tied else placement
        return self._placed[sizes]


def suite_verdicts(suite: ModuleSuite, *, clauses: Sequence[str] | None = None,
                   profile: str = "quick", seed: int = 0) -> list[Verdict]:
    """One verdict for each clause that asks for what a layer is.

    clauses, profile, seed  as for `run_verification`
    """
    chosen = chosen_clauses(clauses)
    asked = {prop.clause for prop in PROPERTIES
             if prop.clause in chosen and not prop.gradients and _is_asked(suite, prop)}
    chosen = [clause for clause in chosen if clause in asked]
    verdicts = run_verification([suite], clauses=chosen, profile=profile, seed=seed,
                                shrink_seconds=SHRINK_SECONDS) if chosen else []
    for verdict in verdicts:
        if verdict.cases == 0 and not verdict.failures and verdict.reason is None:
            verdict.reason = f"it raises for every case: {suite.refused[-1]}" if suite.refused \
                else "the module has none of the clause's cases."
    return verdicts


def _is_asked(suite: ModuleSuite, prop: Property) -> bool:
    """Whether any of a property's first cases is one that the module has."""
    if not suite.offer.covers(prop, "float64"):
        return False
    rng = np.random.default_rng(0)
    draws = (Draw(lambda label, most: int(rng.integers(0, most, endpoint=True)),
                  suite.offer.options) for _ in range(FIRST_CASES * prop.weight))
    return any(suite.offer.takes(suite.offer.adapted(prop.cases(draw, "float64")))
               for draw in draws)


def suite_case(suite: ModuleSuite, case: str) -> list[Verdict]:
    """The verdict on one case, by its id."""
    return [replay(case, suite)]


def _heads(case: Case, options: AttentionOptions) -> int:
    return int(case.arrays["query"].shape[3]) if case.operation == "local_attention" \
        else options.heads


def _room(case: Case, options: AttentionOptions, *, square: bool) -> Sizes:
    """Sizes of the build that has room for a case: heads beyond the case's own stay zero."""
    heads = _heads(case, options)
    if case.operation == "local_attention":
        depth = int(case.arrays["query"].shape[4])
        channels_in = 3 * heads * depth
    else:
        weight = case.arrays["w_value"]
        channels_in = int(case.arrays["x"].shape[3])
        depth = int(weight.shape[2] if weight.ndim == 3 else weight.shape[1] // heads)
    if square:
        heads = max(heads, -(-channels_in // depth))
        channels_in = heads * depth
    return Sizes(channels_in, heads * depth, heads, options.extent)


def _layer(case: Case, arrays: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
    """Split heads as a layer: head by head its queries, keys and values are the image's channels.

    Head by head, so that projections that stay in their head see what they need.
    """
    query, value = arrays["query"], arrays["value"]
    key = np.zeros_like(query) if arrays["key"] is None else arrays["key"]
    batch, height, width, heads, depth = query.shape
    x = np.stack([query, key, value], axis=4).reshape(batch, height, width, -1)
    weights = {}
    for part, role in enumerate(PROJECTED):
        pick = np.zeros((heads, 3, depth, heads, depth))
        for n in range(heads):
            pick[n, part, :, n] = np.eye(depth)
        weights[role] = pick.reshape(heads * 3 * depth, heads * depth)
    if arrays["key"] is None:
        del weights["w_key"]
    return x, weights | {name: arrays[name] for name in TABLES if arrays[name] is not None}


def _dense(weights: dict[str, Array]) -> dict[str, Array]:
    """Weights whose projections see all channels, zero outside their head."""
    dense = dict(weights)
    for role in PROJECTED:
        if role in weights and weights[role].ndim == 3:
            heads, width, depth = weights[role].shape
            dense[role] = np.zeros((heads * width, heads * depth))
            for n in range(heads):
                dense[role][n * width:(n + 1) * width, n * depth:(n + 1) * depth] = weights[role][n]
    return dense


def _widened(name: str, w: Array, sizes: Sizes) -> Array:
    """A weight in a build with more channels and heads: zero there."""
    if name in PROJECTED:
        return np.pad(w, [(0, sizes.channels_in - w.shape[0]),
                          (0, sizes.channels_out - w.shape[1])])
    return np.pad(w, [(0, sizes.heads - len(w)), (0, 0), (0, 0)]) if w.ndim == 3 else w


def _can_be_joined(case: Case) -> bool:
    """Whether numbers that are not finite fill whole pixels of keys and values.

    The projections multiply what they leave out by zero, and zero times NaN is NaN: such a pixel
    is not finite in its own query too, which sees it in its window anyway.
    """
    finite = {name: np.isfinite(array) for name, array in case.arrays.items() if array is not None}
    if all(each.all() for each in finite.values()):
        return True
    if case.operation != "local_attention" or any(
            not each.all() for name, each in finite.items() if name not in ("key", "value")):
        return False
    arrays = [case.arrays[name] for name in ("key", "value") if case.arrays[name] is not None]
    spoiled = [np.isnan(array) for array in arrays]
    whole = [each.all((3, 4)) == each.any((3, 4)) for each in spoiled]
    return bool(all(each.all() for each in whole)) and not any(
        np.isinf(array).any() for array in arrays) and bool(
        np.array_equal(spoiled[0].any((3, 4)), spoiled[-1].any((3, 4))))
