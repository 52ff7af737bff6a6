"""Every way in which attention over a window may be read; the asked options give the first one."""

from collections.abc import Callable
from dataclasses import dataclass

from sasakit.reference import AttentionOptions

# Factors that have a name: functions of the depth of a head and the number of heads.
FACTORS: dict[str, Callable[[int, int], float]] = {
    "1": lambda depth, heads: 1.0,
    "1/sqrt(depth)": lambda depth, heads: depth ** -0.5,
    "1/sqrt(heads depth)": lambda depth, heads: (heads * depth) ** -0.5,
    "1/depth": lambda depth, heads: 1.0 / depth,
    "sqrt(depth)": lambda depth, heads: depth ** 0.5,
}


@dataclass(frozen=True)
class AttentionReading:
    """One reading of a case; fields that are options hold what is done, not what was asked.

    extent_change    slots that the window has more than asked
    off_row, off_col  rows and columns that the window begins earlier than it should
    dilation         distance of neighbouring slots
    outside_logit    logit of an excluded slot, where it is finite
    inside_only      whether r joins the key before the padding, so that it is zero outside
    heads            channels that share a map: contiguous runs, each its own (channel), all (one)
    softmax          over what exponentials are normalized; see `attention.probabilities`
    dot              what meets the keys of the window: the own query, the own key (keys), or the
                     keys' queries meet the own key (swapped, swapped_all: the tables too)
    kept_key         whether content that is off stays on, with queries for keys
    content_by, relative_by   factors of the terms: asked, a name of FACTORS, or "asked " + one
    tables           whose tables: asked, first (the first head's), reversed, interleaved
    sums             whether each half of the depth meets the sum of row and column
    row, column      whether entries ascend or descend
    transposed       whether tables are exchanged: no, offsets (rows are read by columns'
                     offsets), slots (the window is turned about its diagonal)
    constant         which axes read one entry for all slots: none, row, column, both
    entries          the rule of entries: offset, slot, clipped, reversed, not_first, not_last
    absolute_at      what the absolute embedding joins: key, query, value, input
    term             what the relative embedding joins: logit, value, both
    multiplied       whether terms are multiplied: no, always, relative (only where there are two)
    meets_query      whether r meets the query
    value_from       value or key
    residual         what is added to the output: none, query, value, input
    output_by        factor of the output: a name of `attention.output_factor`
    query_from, key_from, value_with   weights of the projections
    block_diagonal   whether dense projections see the head's own group of channels alone
    groups           contiguous or interleaved groups of per_head projections
    split, join      how a layer's channels become heads, and heads become channels
    activated        whether a ReLU follows
    stride           distance of neighbouring queries
    """

    padding: str
    even_window: str
    position: str
    relative: str
    content: bool
    scale: float
    scale_terms: str
    first_half: str
    projection: str
    extent_change: int = 0
    off_row: int = 0
    off_col: int = 0
    dilation: int = 1
    outside_logit: float | None = None
    inside_only: bool = False
    heads: str = "contiguous"
    softmax: str = "window"
    dot: str = "own"
    kept_key: bool = False
    content_by: str = "asked"
    relative_by: str = "asked"
    tables: str = "asked"
    sums: bool = False
    row: str = "ascending"
    column: str = "ascending"
    transposed: str = "no"
    constant: str = "none"
    entries: str = "offset"
    absolute_at: str = "key"
    term: str = "logit"
    multiplied: str = "no"
    meets_query: bool = True
    value_from: str = "value"
    residual: str = "none"
    output_by: str = "1"
    query_from: str = "w_query"
    key_from: str = "w_key"
    value_with: str = "w_value"
    block_diagonal: bool = False
    groups: str = "contiguous"
    split: str = "contiguous"
    join: str = "contiguous"
    activated: bool = False
    stride: int = 1

    def factors(self, depth: int, heads: int) -> tuple[float, float]:
        """Factors of content and of the relative term."""
        asked = (self.scale, self.scale if self.scale_terms == "both" else 1.0)
        content, relative = (
            own if name == "asked" else FACTORS[name.removeprefix("asked ")](depth, heads)
            * (own if name.startswith("asked ") else 1.0)
            for name, own in zip((self.content_by, self.relative_by), asked, strict=True))
        return content, relative


def asked_reading(options: AttentionOptions) -> AttentionReading:
    """What the options ask for."""
    return AttentionReading(options.padding, options.even_window, options.position,
                            options.relative, options.content, options.scale, options.scale_terms,
                            options.first_half, options.projection)
