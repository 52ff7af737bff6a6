"""Every way in which an attention stem is known to read chapters 6 and 7, each way with its name.

As in choices.py, a field's first value is canonical, and lengths are rules, so that one reading
says the same at every size.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

from ..report import Deviation
from .instance import Sizes

SCOPES = ("blocks", "sliding", "global")
VALUES = ("plain", "mixture", "convolution")
NORMALIZED = ("softmax", "positions", "raw", "exp", "sigmoid")
PLACES = ("block", "sliding", "image")
FINISHES = (("norm", "maximum"), ("norm", "relu", "maximum"), ("maximum", "norm"),
            ("maximum", "relu", "norm"), ("maximum", "norm", "relu"), ("norm", "average"),
            ("norm", "relu", "average"), ("average", "norm", "relu"), ("maximum",),
            ("relu", "maximum"), ("average",), (), ("norm",), ("norm", "relu"))
CUTS = ("cut", "floor", "padded")
SCALES: dict[str, Callable[[Sizes], float]] = {
    "1": lambda s: 1.0, "1/sqrt(depth)": lambda s: s.depth ** -0.5,
    "1/sqrt(channels_out)": lambda s: s.channels_out ** -0.5,
    "1/sqrt(channels_in)": lambda s: s.channels_in ** -0.5, "1/depth": lambda s: 1 / s.depth,
    "1/window": lambda s: 1 / s.extent,
}


@dataclass(frozen=True)
class StemChoices:
    """One reading of an attention stem.

    values      where values come from
    scope       the pixels that a query sees: its block, a window around it, or the image
    outside     what a window that slides meets outside the image: zeros, or nothing
    pad_input   zeros stand around the stem's input, not around keys and values
    late        whether an even window has its extra slot after the pixel
    window      "given", or a number that is in the code
    heads       "given", or a number that is in the code
    form        how channels are grouped for the logits, as in Choices
    scale       factor of the logits, a name of SCALES
    normalized  how the mixture's logits become weights: a softmax over the mixtures, or else
    place       the position that the mixture takes
    tables      the tables that the mixture reads: both, rows, columns, or tied
    convolved   the convolution of the values: image, or each block apart
    flipped     whether its kernel is turned around
    finish      what follows the attention
    cut         what becomes of the last blocks
    relative    how a relative term reads its tables; none is canonical
    """

    values: str = "plain"
    scope: str = "blocks"
    outside: str = "none"
    pad_input: bool = False
    late: bool = False
    window: str | int = "given"
    heads: str | int = "given"
    form: str = "contiguous"
    scale: str = "1"
    normalized: str = "softmax"
    place: str = "block"
    tables: str = "both"
    convolved: str = "image"
    flipped: bool = False
    finish: tuple[str, ...] = ("norm", "maximum")
    cut: str = "cut"
    relative: str = "none"

    def but(self, **changes: Any) -> "StemChoices":
        """The same with some fields changed."""
        return replace(self, **changes)

    def differences(self) -> int:
        """How many fields are not canonical, to prefer the plainer of two readings.

        What follows the attention does not count: only the content tells its readings apart.
        """
        return sum(getattr(self, each.name) != each.default for each in fields(self)
                   if each.name != "finish")

    def sizes_at(self, given: Sizes) -> Sizes:
        """The sizes of a build: what is in the code stands for what was given."""
        return replace(given, heads=given.heads if isinstance(self.heads, str) else self.heads,
                       extent=given.extent if isinstance(self.window, str) else self.window)


def attention_readings(values: str) -> Iterator[StemChoices]:
    """Readings of what a query sees and where values come from, the plainest first."""
    convolutions = product(("image", "blocks"), (False, True)) if values == "convolution" \
        else [("image", False)]
    for convolved, flipped in convolutions:
        for late in (False, True) if values == "convolution" else (False,):
            yield StemChoices(values, convolved=convolved, flipped=flipped, late=late)
        if values == "convolution":
            continue
        for outside, late in product(("zero", "none"), (False, True)):
            yield StemChoices(values, "sliding", outside, late=late)
        yield StemChoices(values, "global")


# (field, value) -> name, clause and sentence of the deviation that it is.
_NAMES: dict[tuple[str, Any], tuple[str, str, str]] = {
    ("scope", "sliding"): ("stem-sliding-window", "STEM-2",
                           "every pixel attends to a window around it, not to its block"),
    ("scope", "global"): ("stem-global", "STEM-2", "every pixel attends to the whole image"),
    ("form", "interleaved"): ("heads-interleaved", "ATT-1",
                              "head n owns the channels n, n + heads, n + 2 heads, ..."),
    ("form", "one"): ("one-map-for-all-heads", "ATT-1",
                      "the logits are summed over all channels, so that all heads share one map"),
    ("form", "channel"): ("softmax-per-channel", "ATT-4",
                          "every channel has its own softmax; the heads have no effect"),
    ("normalized", "positions"): ("mixture-over-positions", "MIX-1",
                                  "the mixture's softmax runs over the positions"),
    ("normalized", "raw"): ("mixture-unnormalized", "MIX-1",
                            "the mixture's logits are used as its weights"),
    ("normalized", "exp"): ("mixture-unnormalized", "MIX-1",
                            "exponentials are the mixture's weights; nothing divides them"),
    ("normalized", "sigmoid"): ("mixture-unnormalized", "MIX-1",
                                "a sigmoid of each logit is the mixture's weight"),
    ("place", "sliding"): ("position-sliding", "MIX-2",
                           "the mixture's position is the slot of a window that slides"),
    ("place", "image"): ("position-in-image", "MIX-2",
                         "the mixture's position is the pixel's place in the image"),
    ("tables", "rows"): ("mixture-rows-only", "MIX-1",
                         "one table follows the rows; the columns have no part in the mixture"),
    ("tables", "columns"): ("mixture-columns-only", "MIX-1",
                            "one table follows the columns; the rows have no part in the mixture"),
    ("tables", "tied"): ("embeddings-tied", "MIX-1",
                         "one table gives the embeddings of rows and of columns"),
    ("convolved", "blocks"): ("convolution-in-blocks", "STEM-5",
                              "the convolution of the values sees each block alone"),
    ("flipped", True): ("stem-kernel-flipped", "STEM-5",
                        "the kernel of the values' convolution is turned around"),
    ("cut", "floor"): ("stem-floor-size", "STEM-7",
                       "the last pixels of an image that the window does not divide are dropped"),
    ("cut", "padded"): ("stem-padded-blocks", "STEM-7",
                        "the last blocks are filled with zeros, which take part"),
}


def named_stem_deviations(choices: StemChoices) -> list[Deviation]:
    """The deviations among a reading's choices, in the order of its fields."""
    found = [Deviation(*_NAMES[each.name, getattr(choices, each.name)])
             for each in fields(choices) if (each.name, getattr(choices, each.name)) in _NAMES]
    if choices.values == "convolution" and choices.late:
        found.append(Deviation("even-window-after", "STEM-5",
                               "the convolution of an even window has its extra slot after"))
    if choices.scale != "1":
        found.append(Deviation("stem-scaled", "STEM-2", f"q . k is multiplied by {choices.scale}"))
    if choices.relative != "none":
        found.append(Deviation("stem-relative-term", "STEM-2",
                               f"a relative term joins q . k, its tables {choices.relative}"))
    if choices.pad_input:
        found.append(Deviation("padding-before-projection", "PAD-1",
                               "the input is padded before the projections, so that keys and "
                               "values outside the image equal the projections' biases"))
    return found + finish_deviations(choices.finish)


def finish_deviations(finish: tuple[str, ...]) -> list[Deviation]:
    """Deviations of what follows the attention of a stem."""
    found = []
    if "relu" in finish:
        found.append(Deviation("stem-relu", "STEM-3", "a ReLU follows: " + ", ".join(finish)))
    if "average" in finish:
        found.append(Deviation("stem-pool-average", "STEM-3",
                               "an average is taken over each block, not the maximum"))
    if "maximum" in finish and "norm" not in finish:
        found.append(Deviation("stem-norm-missing", "STEM-3",
                               "no normalization stands between attention and maximum"))
    if finish and finish[0] in ("maximum", "average") and "norm" in finish:
        found.append(Deviation("stem-pool-first", "STEM-3",
                               "the pool comes before the normalization"))
    return found
