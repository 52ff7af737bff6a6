"""What a module that was explained makes of other sizes: strides, even windows, paddings, heads.

What it refuses is a limit and no deviation; what it accepts though it cannot be is one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..estimate import Array
from ..report import Deviation
from .instance import RAISES, Instance, ModuleError, Sizes
from .placement import Explanation, Placement

MOST_TOLD = 120
NO_LAYOUT = "it does not run on"
NO_ARGUMENT = "has no argument for"
# Images on which windows that do not fit have as many slots as ones that do, or a multiple.
MISREADABLE = ((6, 6), (3, 3), (6, 4), (4, 6), (8, 9))


class SayingInstance(Instance, Protocol):
    """An instance that also takes images in other manners."""

    def run(self, x: Array, manner: str = "plain") -> Array:
        """As of an Instance; manner is one of MANNERS."""
        ...


class SayingBuilder(Protocol):
    """A builder that can also be asked for other arguments than are usual."""

    def build(self, sizes: Sizes, said: Mapping[str, int] | None = None) -> SayingInstance:
        """As of a Builder; said has values of SAYABLE arguments."""
        ...


@dataclass
class Contract:
    """What was seen at other sizes.

    deviations   sizes that were accepted though they cannot be
    findings     sizes that raise, and what arguments of the constructor do
    even_window  which even windows it has, the option's value; None where none or neither
    """

    deviations: list[Deviation] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    even_window: str | None = None


def contract_pass(builder: SayingBuilder, explanation: Explanation) -> Contract:
    """Try a module that was explained at the sizes and arguments that its constructor offers."""
    contract = Contract()
    trial = _Trial(builder, explanation)
    contract.findings += trial.stride()
    contract.findings += trial.bias()
    if trial.is_faithful():
        contract.even_window, said = trial.even_windows()
        contract.findings += said + trial.valid_sizes()
    for padding in (0, 2):
        accepted, said = trial.padding(padding)
        contract.deviations += accepted[:1]
        contract.findings += said
    contract.deviations += trial.indivisible()
    contract.findings += trial.manners()
    # One sentence for a deviation, whichever padding shows it.
    named = {each.name: each for each in reversed(contract.deviations)}
    contract.deviations = list(reversed(named.values()))
    return contract


class _Trial:
    """One module at sizes that the fit did not see; every method gives sentences."""

    def __init__(self, builder: SayingBuilder, explanation: Explanation) -> None:
        self._builder, self._explanation = builder, explanation
        self._sizes, self._same = explanation.subject.sizes, explanation.subject.same
        self._facts = explanation.subject.instance.facts
        self._square = self._sizes.channels_in == self._sizes.channels_out
        self._rng = np.random.default_rng(0)

    def is_faithful(self) -> bool:
        """Whether weights can be written into the module, so that outputs can be foretold."""
        try:
            return self._placed(self._sizes).is_faithful
        except ModuleError:
            return False

    def stride(self) -> list[str]:
        """Whether a stride of 2 leaves queries out, or pools what comes out."""
        try:
            strided = self._builder.build(self._sizes, {"stride": 2})
            x = self._image(self._sizes, 1, 8, 9)
            plain = self._builder.build(self._sizes)
            _set_alike(plain, strided)
            y, other = plain.run(x), strided.run(x)
        except ModuleError as error:
            return _refusal("stride 2", error)
        if self._same(other, y):
            return ["stride 2: the argument changes nothing"]
        if self._same(other, y[:, ::2, ::2]):
            return ["stride 2: only every second pixel has an output, which WIN-3 rules out"]
        if self._same(other, _pooled(y)):
            return ["stride 2: the outputs are pooled, each the mean of 2 x 2"]
        return [f"stride 2: {_size(other)} outputs that are neither every second one "
                "nor means of 2 x 2"]

    def bias(self) -> list[str]:
        """What a bias adds."""
        try:
            biased = self._builder.build(self._sizes, {"bias": 1}).get()
        except ModuleError as error:
            return _refusal("bias=True", error)
        added = [name for name in biased if name not in self._builder.build(self._sizes).get()]
        return [f"bias=True: the projections get biases ({', '.join(added)}), which ATT-6 rules "
                "out"] if added else []

    def even_windows(self) -> tuple[str | None, list[str]]:
        """On which side even windows have their extra slot, at extents 2 and 4."""
        found: list[str | None] = []
        findings = []
        for extent in (2, 4):
            what, x = f"extent {extent}", self._image(self._sizes, 1, 8, 9)
            try:
                placement = self._placed(replace(self._sizes, extent=extent))
                weights = placement.random_weights()
                y = placement.run(x, weights)
            except ModuleError as error:
                findings += _refusal(what, error)
                continue
            befores = {"before": extent // 2, "after": extent // 2 - 1}
            sides = [side for side, at in befores.items() if self._same(y, placement.predict(
                x, weights, placement.choices.but(before_row=at, before_col=at)))]
            found.append(sides[0] if len(sides) == 1 else None)
            if y.shape[1:3] == tuple(side + 1 for side in x.shape[1:3]):
                findings.append(f"{what}: one output row and one column more than the image has, "
                                "which WIN-3 rules out")
            elif len(sides) != 1:
                findings.append(f"{what}: the output is not that of an even window (WIN-2)")
        agreed = found[0] if len(found) == 2 and found[0] == found[1] else None
        return agreed, findings

    def padding(self, padding: int) -> tuple[list[Deviation], list[str]]:
        """Whether another padding than keeps the image's size is refused, obeyed or misread."""
        sizes, accepted, inert = replace(self._sizes, extent=3), [], False
        try:
            other = self._builder.build(sizes, {"padding": padding})
            usual = self._builder.build(sizes)
        except ModuleError as error:
            return [], _refusal(f"extent 3 with padding {padding}", error)
        _set_alike(usual, other)
        for height, width in MISREADABLE:
            if self._facts.frame(height, width) != (height, width):
                continue
            x = self._image(sizes, 1, height, width)
            right = f"{height + 2 * padding - 2} x {width + 2 * padding - 2}"
            try:
                y = other.run(x)
            except ModuleError:
                continue
            if y.shape[1:3] != (height, width):
                continue
            if self._same(y, usual.run(x)):
                inert = True
                continue
            accepted.append(Deviation(
                "impossible-size-accepted", "WIN-3",
                f"with extent 3 and padding {padding} it returns {_size(y)} outputs for "
                f"{height} x {width} pixels, where there are {right} windows"))
        return accepted, [f"padding {padding}: the argument changes nothing"] if inert else []

    def indivisible(self) -> list[Deviation]:
        """Whether heads that do not divide the channels are accepted."""
        sizes = self._sizes
        if not self._facts.heads_set \
                or self._explanation.fit.choices.heads not in ("contiguous", "interleaved"):
            return []
        channels = sizes.channels_out + 1
        wrong = replace(sizes, channels_out=channels,
                        channels_in=channels if self._square else sizes.channels_in)
        try:
            y = self._builder.build(wrong).run(self._image(wrong, 1, 8, 9))
        except ModuleError:
            return []
        return [Deviation("heads-rounded", "INV-5",
                          f"{channels} channels in {sizes.heads} heads are accepted and give "
                          f"{y.shape[3]} channels")]

    def valid_sizes(self) -> list[str]:
        """Sizes that the equation has, where the module raises or computes something else."""
        return [text for what, sizes, shape in self._valid() for text in self._one(
            what, sizes, shape)]

    def _valid(self) -> Iterator[tuple[str, Sizes, tuple[int, int, int]]]:
        sizes = self._sizes
        depth = sizes.depth
        one_head = Sizes(depth if self._square else sizes.channels_in, depth, 1, sizes.extent)
        if self._facts.frame(9, 6) == (9, 6):
            yield "an image of 9 x 6 pixels", sizes, (2, 9, 6)
        yield "extent 1", replace(sizes, extent=1), (1, 4, 5)
        yield "one head", one_head, (1, 6, 7)
        if self._explanation.fit.choices.padding in ("zero", "exclude") \
                and self._facts.frame(2, 3) == (2, 3):
            yield "an image of 2 x 3 pixels, smaller than the window", sizes, (1, 2, 3)
        yield "an empty batch", sizes, (0, 6, 7)

    def _one(self, what: str, sizes: Sizes, shape: tuple[int, int, int]) -> list[str]:
        x = self._image(sizes, *shape)
        try:
            placement = self._placed(sizes)
            weights = placement.random_weights()
            y = placement.run(x, weights)
        except ModuleError as error:
            return _refusal(what, error)
        if not len(x):
            right = y.shape == (*x.shape[:3], sizes.channels_out)
        else:
            right = self._same(y, placement.predict(x, weights, placement.choices))
        return [] if right else [f"{what}: the output is not that of the layer that was "
                                           "found"]

    def manners(self) -> list[str]:
        """Images in single precision, and such as do not lie in one piece."""
        instance, x = self._builder.build(self._sizes), self._image(self._sizes, 1, 8, 9)
        findings = []
        for manner, what in (("float32", "an image in float32"),
                             ("strided", "an image that is not contiguous in memory")):
            try:
                y = instance.run(x, manner)
            except ModuleError as error:
                findings += _refusal(what, error)
                continue
            if manner == "strided" and not self._same(y, instance.run(x)):
                findings.append(f"{what}: gives another output")
        return findings

    def _placed(self, sizes: Sizes) -> Placement:
        placement = Placement(self._explanation, self._builder.build(sizes), sizes)
        if placement.is_tied:
            raise ModuleError(NO_ARGUMENT)
        return placement

    def _image(self, sizes: Sizes, batch: int, height: int, width: int) -> Array:
        """A random image of about these sides, which the module takes."""
        sides = self._facts.frame(height, width)
        return self._rng.standard_normal((batch, *sides, sizes.channels_in))


def _set_alike(one: Instance, other: Instance) -> None:
    """Give one build the numbers of another, but buffers that fit only there."""
    one.set({name: value for name, value in other.get().items()
             if one.shapes.get(name) == value.shape})


def _refusal(what: str, error: ModuleError) -> list[str]:
    """One sentence for what raises; none for what the constructor does not offer."""
    if NO_ARGUMENT in str(error):
        return []
    told = str(error).splitlines()[0].removeprefix("exception: ")
    if RAISES in told:
        return [f"{what}: raises; {told.partition(RAISES)[2]}"]
    if NO_LAYOUT in told:
        # It was tried in every layout; whose error is the module's own is not known.
        told = f"{NO_LAYOUT}{told.partition(NO_LAYOUT)[2].partition(';')[0]}"
    return [f"{what}: raises; {told if len(told) <= MOST_TOLD else told[:MOST_TOLD] + ' ...'}"]


def _pooled(y: Array) -> Array:
    """Means of 2 x 2; a row or column that is left over is dropped."""
    height, width = y.shape[1] // 2, y.shape[2] // 2
    whole = y[:, :2 * height, :2 * width].reshape(y.shape[0], height, 2, width, 2, -1)
    return whole.mean(axis=(2, 4))


def _size(y: Array) -> str:
    return f"{y.shape[1]} x {y.shape[2]}"
