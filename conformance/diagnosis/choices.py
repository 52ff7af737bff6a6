"""Every way in which a layer is known to read the equation, each way with its name.

A field's first value is canonical. A value that SPEC.md offers as an option is an option; any other
is a deviation, with the clause that it violates and a sentence that says what is computed.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

from ..report import Deviation

PADDINGS = ("zero", "exclude", "shift", "edge", "reflect", "wrap")
HEAD_FORMS = ("contiguous", "interleaved", "channel", "one")
SOFTMAXES = ("window", "row", "column", "heads", "none")
ARRANGEMENTS = ("none", "shared", "per_head", "layer_halves", "full_sum", "full_sum_layer", "grid",
                "slot_bias")
DIRECTIONS = ("ascending", "descending")
ORDERS = ("contiguous", "interleaved", "split")
TERMS = ("logit", "value", "both")


@dataclass(frozen=True)
class Choices:
    """One reading of the layer.

    before_row, before_col  slots of the window before its own pixel; None is canonical
    dilation       distance of neighbouring slots
    padding        what stands outside the image
    pad_input      zeros stand around the layer's input, not around keys and values
    heads          how channels are grouped for the logits: contiguous runs, every N-th, each
                   channel its own head, or all channels one head
    softmax        over what the exponentials are normalized
    content        whether q . k is part of the logit; swapped: queries at the neighbours
    content_scale, relative_scale   factors of the two terms
    arrangement    how tables make r
    first_half     row or column
    row, column    whether entries ascend or descend with the offset
    term           what the embedding joins
    inside_only    whether r joins the key before the padding, so that it is zero outside
    order          how the heads' outputs are put together
    stride         distance of neighbouring queries
    pool           the average of 2 x 2 pixels that follows the attention
    """

    before_row: int | None = None
    before_col: int | None = None
    dilation: int = 1
    padding: str = "zero"
    pad_input: bool = False
    heads: str = "contiguous"
    softmax: str = "window"
    content: bool = True
    swapped: bool = False
    content_scale: float = 1.0
    relative_scale: float = 1.0
    arrangement: str = "none"
    first_half: str = "row"
    row: str = "ascending"
    column: str = "ascending"
    term: str = "logit"
    inside_only: bool = False
    order: str = "contiguous"
    stride: int = 1
    pool: str = "none"

    def but(self, **changes: Any) -> "Choices":
        """The same with some fields changed."""
        return replace(self, **changes)

    def differences(self) -> dict[str, Any]:
        """Fields that are not canonical."""
        return {each.name: getattr(self, each.name) for each in fields(self)
                if getattr(self, each.name) != each.default}


# (field, value) -> the deviation it is; what is not listed is an option or canonical.
DEVIATIONS: dict[tuple[str, Any], Deviation] = {
    ("padding", "edge"): Deviation("padding-edge", "PAD-1",
                                   "outside the image stand copies of its nearest pixel"),
    ("padding", "reflect"): Deviation("padding-reflected", "PAD-1",
                                      "outside the image stands its mirror image"),
    ("padding", "wrap"): Deviation("padding-wrapped", "PAD-1",
                                   "outside the image stands its opposite side"),
    ("pad_input", True): Deviation(
        "padding-before-projection", "PAD-1",
        "the input is padded before the projections, so that keys and values "
        "outside the image equal the projections' biases"),
    ("heads", "interleaved"): Deviation("heads-interleaved", "ATT-1",
                                        "head n owns the channels n, n + heads, n + 2 heads, ..."),
    ("heads", "one"): Deviation(
        "one-map-for-all-heads", "ATT-1",
        "the logits are summed over all channels, so that all heads share one "
        "map"),
    ("heads", "channel"): Deviation("softmax-per-channel", "ATT-4",
                                    "every channel has its own softmax; the heads have no effect"),
    ("softmax", "row"): Deviation("softmax-per-row", "ATT-4",
                                  "the softmax runs over each row of the window apart"),
    ("softmax", "column"): Deviation("softmax-per-column", "ATT-4",
                                     "the softmax runs over each column of the window apart"),
    ("softmax", "heads"): Deviation(
        "softmax-over-heads", "ATT-4", "the softmax runs over the heads"),
    ("softmax", "none"): Deviation("softmax-missing", "ATT-4", "the logits are used as they are"),
    ("swapped", True): Deviation("query-at-neighbours", "ATT-2",
                                 "the query is taken at the neighbour and the key at the pixel"),
    ("arrangement", "full_sum"): Deviation(
        "full-width-sum", "REL-1",
        "row and column embeddings have the head's full depth and "
        "are added, not concatenated"),
    ("arrangement", "full_sum_layer"): Deviation(
        "full-width-sum", "REL-1",
        "row and column embeddings have the layer's full width "
        "and are added, not concatenated"),
    ("arrangement", "grid"): Deviation(
        "full-table", "REL-1",
        "every slot of the window has an embedding of its own, of full "
        "depth"),
    ("arrangement", "slot_bias"): Deviation(
        "logit-bias", "REL-1",
        "the table is added to the logit; the query does not meet "
        "it"),
    ("row", "descending"): Deviation("offset-descending", "REL-3",
                                     "the row table's entries descend with the offset (i - a)"),
    ("column", "descending"): Deviation(
        "offset-descending", "REL-3",
        "the column table's entries descend with the offset (j - b)"),
    ("term", "value"): Deviation("embedding-on-value", "POS-3",
                                 "the embedding is added to the value, not to the logit"),
    ("term", "both"): Deviation("embedding-on-value", "POS-3",
                                "the embedding is added to the value as well as to the logit"),
    ("inside_only", True): Deviation("padding-logit-zero", "PAD-1",
                                     "the embedding joins the key before the padding, so that a "
                                     "neighbour outside the image has the logit 0"),
    ("order", "interleaved"): Deviation("output-interleaved", "ATT-8",
                                        "output channel c belongs to head c mod heads"),
    ("order", "split"): Deviation("output-interleaved", "ATT-8",
                                  "value channel c goes to output channel (c mod heads) depth + "
                                  "c // heads"),
    ("pool", "average floor"): Deviation(
        "pool-floor-size", "NET-11",
        "the average after the attention drops the last row or column "
        "of an odd size"),
    ("pool", "average counted"): Deviation(
        "pool-counts-padding", "NET-11",
        "the average after the attention counts pixels outside the "
        "image"),
}


# Deviations that a change of the weights may undo, and the change; `convert` tries it.
CONVERSIONS = {
    "offset-descending": "reverse the entries of the tables that descend",
    "unused-table-rows": "keep the middle entries of the tables, extent of them",
    "projection-shared": "give each of queries, keys and values a copy of the projection",
    "projection-grouped": "fill the groups' blocks into dense projections that are zero elsewhere",
    "embedding-ignored": "leave the tables out",
    "heads-interleaved": "permute the projections' channels so that every head's are consecutive",
    "one-map-for-all-heads": "read all channels as those of one head, rows' halves first",
    "softmax-per-channel": "read every channel as a head of its own",
    "query-at-neighbours": "exchange the projections of queries and keys",
    "scaled-relative": "multiply the tables by the quotient of the two factors",
    "output-interleaved": "keep the weights",
    "output-projection": "multiply the values' projection by the matrix",
    "projection-biased": "leave the biases out, which are zero",
    "padding-before-projection": "pad after the projections, which is the same without biases",
}


def named_deviations(choices: Choices, extent: int) -> list[Deviation]:
    """The deviations among a reading's choices, in the order of its fields."""
    found = [DEVIATIONS[name, value] for name, value in choices.differences().items()
             if (name, value) in DEVIATIONS]
    if choices.row == choices.column == "descending":
        both = Deviation("offset-descending", "REL-3",
                         "the tables' entries descend with the offset (i - a and j - b)")
        found = [each for each in found if each.name != "offset-descending"] + [both]
    found += _window_deviations(choices, extent)
    if choices.relative_scale != choices.content_scale and choices.relative_scale != 1.0:
        found.append(Deviation("scaled-relative", "ATT-3",
                               f"q . r is multiplied by {choices.relative_scale:.6g} and q . k by "
                               f"{choices.content_scale:.6g}"))
    return found


def _window_deviations(choices: Choices, extent: int) -> list[Deviation]:
    found = []
    allowed = {(extent - 1) // 2} if extent % 2 else {extent // 2, extent // 2 - 1}
    used = {extent // 2 if at is None else at for at in (choices.before_row, choices.before_col)}
    if choices.dilation != 1:
        found.append(Deviation("window-dilated", "WIN-1",
                               f"neighbouring slots are {choices.dilation} pixels apart"))
    elif not used <= allowed or len(used) > 1:
        found.append(Deviation(
            "window-off-centre", "WIN-1",
            f"the window begins {choices.before_row} rows and {choices.before_col} "
            "columns before the pixel"))
    if choices.stride != 1:
        found.append(Deviation("strided-queries", "WIN-3",
                               f"only every {choices.stride}nd pixel has an output"))
    return found


def named_options(choices: Choices, extent: int) -> dict[str, object]:
    """The options of SPEC.md under which a reading is read, those that are not canonical."""
    options: dict[str, object] = {}
    if choices.padding in ("exclude", "shift"):
        options["padding"] = choices.padding
    if choices.arrangement in ("per_head", "layer_halves"):
        options["relative"] = choices.arrangement
    if choices.arrangement == "none":
        options["position"] = "none"
    if not choices.content:
        options["content"] = False
    if choices.first_half == "column" and choices.arrangement in ("shared", "per_head",
                                                                  "layer_halves"):
        options["first_half"] = "column"
    if choices.pool != "none":
        options["pool"] = "average of 2 x 2 after the attention (NET-3)"
    if extent % 2 == 0 and choices.before_row == extent // 2 - 1:
        options["even_window"] = "after"
    scale = choices.content_scale if choices.content else choices.relative_scale
    if scale != 1.0:
        options["scale"] = scale
        if choices.content and choices.arrangement != "none" and choices.relative_scale == 1.0:
            options["scale_terms"] = "content"
    return options
