"""The suites on a module that was explained: a case's weights go where the module keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from ..case import Case
from ..doors.offered import OfferedTarget
from ..draw import Draw
from ..estimate import Array
from ..offer import Offer, profiles_of
from ..property import PROPERTIES, NotApplicable, Property
from ..runner import Verdict, chosen_clauses, replay, run_verification
from .choices import named_options
from .instance import Builder, ModuleError, Sizes
from .layer_cases import can_be_joined, dense, heads_of, layer_of, room_of, widened
from .placement import Explanation, Placement

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
            and first is not None and first.shape[0] > 0 and can_be_joined(case) \
            and self.suite.takes_image(*first.shape[1:3]) and self.suite.has_place(case, options)

    def adapted(self, case: Case) -> Case:
        """The same case under the module's own factor."""
        return self.suite.scaled(case)


    def own_options(self, options: object) -> AttentionOptions:
        """The options that were found, with the module's factor at the sizes of the case."""
        own = super().own_options(options)
        return replace(own, scale=options.scale, scale_terms=options.scale_terms) \
            if isinstance(options, AttentionOptions) else own


class ModuleSuite(OfferedTarget):
    """A module as a target of the suites.

    even_window  which even windows it has, as the option spells it; None where it has none
    refused      what it raised for cases that the equation has, which are passed over
    """

    def __init__(self, name: str, builder: Builder, explanation: Explanation,
                 even_window: str | None = None) -> None:
        self.name, self._builder, self._explanation = name, builder, explanation
        self._placed: dict[Sizes, Placement | None] = {}
        self.refused: list[str] = []
        found = explanation.subject
        self._options = named_options(explanation.fit.choices, found.sizes.extent)
        self._square = found.sizes.channels_in == found.sizes.channels_out
        grouped = {p.groups for p in found.projections} == {found.sizes.heads} != {1}
        self._projection = "per_head" if grouped else "dense"
        self.offer = ModuleOffer(self._operations(), profiles_of({}, ("float64",)),
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
        """Whether the equation's weights have a place in the module, as the fit has it.

        What computes in float32 has no budget of float64, and what draws numbers has none at all;
        where projections see more pixels these are multiplied by zero, which NaN outlives; and
        those in groups that are not heads have no room for other weights.
        """
        found = self._explanation.subject
        groups = {projection.groups for projection in found.projections}
        if found.instance.facts.single or found.instance.facts.random \
                or self._explanation.fit.spatial or groups not in ({1}, {found.sizes.heads}):
            return False
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
        placement = self._placement(room_of(case, options, square=self._square))
        if placement is None:
            raise NotApplicable
        x, weights = layer_of(case, arrays) if case.operation == "local_attention" \
            else (arrays["x"], dense({name: w for name, w in arrays.items() if name != "x"}))
        channels_out = weights["w_value"].shape[1]
        sizes = placement.sizes
        wide = {name: widened(name, w, sizes) for name, w in weights.items()}
        x = np.pad(x, [(0, 0)] * 3 + [(0, sizes.channels_in - x.shape[3])])
        try:
            y = placement.run(x, wide)[..., :channels_out]
        except ModuleError as error:
            # Its first line: the trace that may follow is for who asks for this case alone.
            said, *_ = str(error).splitlines() or [type(error).__name__]
            self.refused.append(f"{case!r:.200}: {said}")
            raise NotApplicable from None
        if case.operation == "local_attention":
            return y.reshape(*y.shape[:3], *arrays["value"].shape[3:])
        return y

    def takes_image(self, height: int, width: int) -> bool:
        """Whether the module takes images of these sides."""
        facts = self._explanation.subject.instance.facts
        return facts.frame(height, width) == (height, width)

    def has_place(self, case: Case, options: AttentionOptions) -> bool:
        """Whether the module can be built for a case, and has this case's factor."""
        sizes = room_of(case, options, square=self._square)
        if options.relative == "layer_halves" and options.position == "relative" \
                and sizes.heads != heads_of(case, options):
            return False
        if case.operation == "attention_layer" and options.projection != self._projection:
            return False
        return options.scale == self._scale(sizes) and self._placement(sizes) is not None

    def scaled(self, case: Case) -> Case:
        """The case with the factor that the module has at its sizes, where that is not 1."""
        options = case.options
        if not isinstance(options, AttentionOptions) or case.operation not in self._operations():
            return case
        scale = self._scale(room_of(case, options, square=self._square))
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
    verdicts = run_verification([suite], clauses=chosen, profile=profile, seed=seed, ladder=True,
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
