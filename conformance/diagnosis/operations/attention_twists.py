"""The known deviations of attention over a window, each as a change of the reading of a case."""

from collections.abc import Callable, Iterator
from typing import Any

from sasakit.reference import AttentionOptions

from ...case import Case
from ...report import Deviation
from ..choices import DEVIATIONS
from .twist import Twist, always

Acts = Callable[[Case], bool]


def attention_twists(operation: str) -> list[Twist]:
    """Every known deviation that one of the three operations of attention can show."""
    found = [*_window(), *_padding(), *_tables(), *_whose(), *_relative(operation)]
    if operation == "relative_logits":
        return [*found, _logits_scaled("1/sqrt(depth)", "scaled-relative"),
                _logits_scaled("1/sqrt(heads depth)", "scaled-by-width"),
                _known(("heads", "one"), _relative_acts)]
    found += [*_positions(), *_logit(), *_scales(), *_softmaxes(), *_outputs()]
    return [*found, *_layers()] if operation == "attention_layer" else found


def _say(name: str, clause: str, sentence: str, acts: Acts, asked: str = "",
         **changes: Any) -> Twist:
    return Twist(Deviation(name, clause, sentence), changes, acts, asked)


def _known(choice: tuple[str, Any], acts: Acts, asked: str = "", **changes: Any) -> Twist:
    """A deviation that a module may have too, by the same name and in the same words."""
    return Twist(DEVIATIONS[choice], changes or dict([choice]), acts, asked)


def _is(**wanted: Any) -> Acts:
    """Cases whose options have these values."""
    return lambda case: all(getattr(case.options, name) == value
                            for name, value in wanted.items())


def _both(one: Acts, other: Acts) -> Acts:
    return lambda case: one(case) and other(case)


def _extent_is(rest: int) -> Acts:
    return lambda case: isinstance(case.options, AttentionOptions) \
        and case.options.extent % 2 == rest


def _any(case: Case, *names: str) -> bool:
    return any(case.arrays.get(name) is not None and bool(case.arrays[name].any())
               for name in names)


def _relative_acts(case: Case) -> bool:
    return getattr(case.options, "position", "") == "relative" and _any(case, "rel_row", "rel_col")


def _absolute_acts(case: Case) -> bool:
    return getattr(case.options, "position", "") == "absolute"


def _content_acts(case: Case) -> bool:
    return bool(getattr(case.options, "content", True)) and _any(case, "key", "w_key")


def _positioned(case: Case) -> bool:
    return _relative_acts(case) or _absolute_acts(case)


def _has_keys(case: Case) -> bool:
    return bool(getattr(case.options, "content", True))


def _window() -> Iterator[Twist]:
    odd = _extent_is(1)
    for row in (-1, 0, 1):
        for col in (-1, 0, 1):
            if row or col:
                moved = [f"{abs(by)} {noun} too {'early' if by > 0 else 'late'}"
                         for by, noun in ((row, "row"), (col, "column")) if by]
                yield _say("window-off-centre", "WIN-1",
                           f"an odd window begins {' and '.join(moved)}", odd, "odd",
                           off_row=row, off_col=col)
    yield _say("window-dilated", "WIN-1", "neighbouring slots are 2 pixels apart",
               lambda case: getattr(case.options, "extent", 1) > 1, dilation=2)
    for change in (-2, -1, 1, 2):
        name = "window-narrow" if change < 0 else "window-wide"
        yield _say(name, "WIN-1", f"the window has {abs(change)} slots "
                   f"{'fewer' if change < 0 else 'more'} along each axis than the extent",
                   lambda case, change=change: case.operation != "relative_logits"
                   and case.options.extent + change > 0, extent_change=change)
    even = _extent_is(0)
    yield _say("even-window-after", "WIN-2", "an even window has its extra slot after the pixel, "
               "although before was asked", _both(even, _is(even_window="before")), "before",
               even_window="after")
    yield _say("even-window-before", "WIN-2", "an even window has its extra slot before the "
               "pixel, although after was asked", _both(even, _is(even_window="after")), "after",
               even_window="before")
    yield _say("strided-queries", "WIN-3", "only every second pixel has an output",
               lambda case: case.operation != "relative_logits", stride=2)


def _padding() -> Iterator[Twist]:
    zero, exclude, shift = (_is(padding=name) for name in ("zero", "exclude", "shift"))
    yield _say("padding-excluded", "PAD-1", "neighbours outside the image are excluded, although "
               "zero was asked", zero, "zero", padding="exclude")
    yield _say("window-shifted", "PAD-1", "windows move inside the image, although zero was asked",
               zero, "zero", padding="shift")
    for kind in ("edge", "reflect", "wrap"):
        yield _known(("padding", kind), zero, "zero")
    yield _known(("inside_only", True), _both(zero, _relative_acts))
    yield _say("padding-zero", "PAD-2", "neighbours outside the image take part with zero keys and "
               "values, although exclude was asked", exclude, "exclude", padding="zero")
    yield _say("window-shifted", "PAD-2", "windows move inside the image, although exclude was "
               "asked", exclude, "exclude", padding="shift")
    for logit in (0.0, -1.0, -5.0, -10.0, -20.0):
        yield _say("padding-excluded-finite", "PAD-2", f"a neighbour outside the image has the "
                   f"logit {logit:g} and zero value, not probability zero", exclude, "exclude",
                   outside_logit=logit)
    yield _say("padding-zero", "PAD-3", "windows do not move, and neighbours outside the image "
               "take part with zero keys and values, although shift was asked", shift, "shift",
               padding="zero")
    yield _say("padding-excluded", "PAD-3", "windows do not move, and neighbours outside the image "
               "are excluded, although shift was asked", shift, "shift", padding="exclude")


def _tables() -> Iterator[Twist]:
    yield _say("embedding-ignored", "REL-1", "the tables never matter", _relative_acts,
               position="none")
    yield _say("full-width-sum", "REL-1", "each half of the depth meets the sum of the row and "
               "the column embedding", _relative_acts, sums=True)
    yield _say("logit-bias", "REL-1", "the embedding's channels are added to the logit; the query "
               "does not meet them", _relative_acts, meets_query=False)
    for axis, words in (("row", "the row table"), ("column", "the column table"),
                        ("both", "each table")):
        yield _say("embedding-constant", "REL-1", f"all slots read entry 0 of {words}",
                   _relative_acts, constant=axis)
    for first, other in (("row", "column"), ("column", "row")):
        yield _say(f"{other}-half-first", "REL-2", f"the first half of the depth meets the {other} "
                   f"offset, although {first} was asked",
                   _both(_relative_acts, _is(first_half=first)), first, first_half=other)
    yield _known(("row", "descending"), _relative_acts)
    yield _known(("column", "descending"), _relative_acts)
    yield Twist(Deviation("offset-descending", "REL-3", "the tables' entries descend with the "
                          "offset (i - a and j - b)"),
                {"row": "descending", "column": "descending"}, _relative_acts)
    yield _say("offset-transposed", "REL-3", "the row table is read by the column offset, and the "
               "column table by the row offset", _relative_acts, transposed="offsets")
    yield _say("offset-transposed", "REL-3", "a slot reads the entries of the slot whose row and "
               "column are exchanged", _relative_acts, transposed="slots")
    yield _say("offset-descending", "REL-3", "a slot reads the entries of the slot opposite in its "
               "window", _relative_acts, entries="reversed")
    for rule, words in (("not_first", "entry 0 of the tables is never read; entry 1 stands in"),
                        ("not_last", "the tables' last entry is never read; the one before "
                                     "stands in")):
        yield _say("unused-table-rows", "REL-3", words, _relative_acts, entries=rule)
    shift = _both(_relative_acts, _is(padding="shift"))
    yield _say("slot-indexed-tables", "REL-6", "a shifted window reads its tables by the slot, not "
               "by the true offset", shift, entries="slot")
    yield _say("offset-clipped", "REL-6", "entries of a shifted window's tables beyond the extent "
               "are never read", shift, entries="clipped")


def _whose() -> Iterator[Twist]:
    per_head = _both(_relative_acts, _is(relative="per_head"))
    halves = _both(_relative_acts, _is(relative="layer_halves"))
    yield _say("tables-shared", "REL-4", "every head reads the first head's tables, although "
               "per_head was asked", per_head, "per_head", tables="first")
    yield _say("tables-swapped-heads", "REL-4", "the heads read the tables in reverse order",
               per_head, "per_head", tables="reversed")
    yield _say("tables-shared", "REL-5", "every head reads the first channels of the tables, "
               "although layer_halves was asked", halves, "layer_halves", tables="first")
    yield _say("heads-interleaved", "REL-5", "head n takes the channels n, n + heads, ... of R",
               halves, "layer_halves", tables="interleaved")


def _relative(operation: str) -> Iterator[Twist]:
    if operation == "relative_logits":
        return
    yield _say("embedding-ignored", "POS-3", "the relative term is left out where there is content",
               _both(_relative_acts, _is(content=True)), "content", position="none")
    yield _known(("term", "value"), _relative_acts)
    yield _known(("term", "both"), _relative_acts)


def _logits_scaled(factor: str, name: str) -> Twist:
    return _say(name, "ATT-3", f"q . r is multiplied by {factor}", _relative_acts,
                relative_by=factor)


def _positions() -> Iterator[Twist]:
    yield _say("embedding-unwanted", "POS-1", "the absolute embedding joins the keys, although "
               "no position was asked", _is(position="none"), "none", position="absolute")
    for place in ("value", "query"):
        yield _say(f"absolute-on-{place}", "POS-2", f"the absolute embedding joins the {place}, not "
                   "the key", _absolute_acts, absolute_at=place)
    for asked, done in (("row", "column"), ("column", "row")):
        yield _say("absolute-halves-swapped", "POS-2", f"the first half of the absolute embedding "
                   f"is the {done}'s, although {asked} was asked",
                   _both(_absolute_acts, _is(first_half=asked)), asked, first_half=done)


def _logit() -> Iterator[Twist]:
    yield _say("content-missing", "ATT-2", "the content q . k is left out", _content_acts,
               content=False)
    yield _say("terms-multiplied", "ATT-2", "the terms are multiplied, so that without a position "
               "the logit is 0", _has_keys, multiplied="always")
    yield _say("terms-multiplied", "ATT-2", "the content and the position's term are multiplied",
               _both(_has_keys, _positioned), multiplied="relative")
    yield _say("key-not-query", "ATT-2", "the pixel's own key meets the keys, not its query",
               _content_acts, dot="keys")
    yield _known(("swapped", True), _content_acts, dot="swapped")
    yield _known(("swapped", True), _has_keys, dot="swapped_all")
    yield _say("content-kept", "ATT-9", "content that is off stays on, with queries for keys",
               _is(content=False), kept_key=True, content=True)
    yield _known(("heads", "one"), _attends)
    yield _known(("heads", "channel"), _attends)


def _attends(case: Case) -> bool:
    return _content_acts(case) or _relative_acts(case) or _absolute_acts(case)


def _scales() -> Iterator[Twist]:
    yield _say("scaled-content", "ATT-3", "the scale multiplies the content alone, although both "
               "was asked", _both(_positioned, _is(scale_terms="both")), "both",
               scale_terms="content")
    yield _say("scaled-both", "ATT-3", "the scale multiplies both terms, although content was "
               "asked", _both(_positioned, _is(scale_terms="content")), "content",
               scale_terms="both")
    yield _say("scaled-both", "ATT-3", "the scale multiplies nothing", _attends, content_by="1",
               relative_by="1")
    yield _say("scaled-relative", "ATT-3", "the scale does not multiply q . k", _content_acts,
               content_by="1")
    terms: tuple[tuple[str, str, Acts, tuple[str, ...]], ...] = (
        ("both terms of the logit are", "scaled-both", _attends, ("content_by", "relative_by")),
        ("q . k is", "scaled-content", _content_acts, ("content_by",)),
        ("q . r is", "scaled-relative", _positioned, ("relative_by",)))
    for factor in ("1/sqrt(depth)", "1/sqrt(heads depth)", "1/depth", "sqrt(depth)"):
        for spoken, name, acts, names in terms:
            for way, besides in ((f"asked {factor}", "besides the scale"),
                                 (factor, "in place of the scale")):
                wide = factor == "1/sqrt(heads depth)"
                yield _say("scaled-by-width" if wide else name, "ATT-3",
                           f"{spoken} multiplied by {factor} {besides}", acts,
                           **dict.fromkeys(names, way))


def _softmaxes() -> Iterator[Twist]:
    for kind in ("row", "column", "heads", "none"):
        yield _known(("softmax", kind), always)
    yield Twist(Deviation("softmax-per-row", "ATT-4", "the softmax runs over each row of the "
                          "window apart, and the rows are averaged"), {"softmax": "row_mean"})
    yield Twist(Deviation("softmax-per-column", "ATT-4", "the softmax runs over each column of the "
                          "window apart, and the columns are averaged"), {"softmax": "column_mean"})
    yield Twist(Deviation("softmax-over-heads", "ATT-4", "exponentials, of which each head's "
                          "maximum is taken away first, are normalized over the heads"),
                {"softmax": "heads_shifted"})
    yield Twist(Deviation("softmax-over-queries", "ATT-4", "the softmax runs over the queries"),
                {"softmax": "queries"})


def _outputs() -> Iterator[Twist]:
    yield _say("value-is-key", "ATT-5", "keys are mixed in place of values",
               _has_keys, value_from="key")
    for name in ("query", "value"):
        yield _say("residual-added", "ATT-5", f"the pixel's {name} is added to the output",
                   always, residual=name)
    for factor in ("2", "1/2", "-1", "extent^2", "1/extent^2", "1/sqrt(depth)"):
        yield _say("output-scaled", "ATT-5", f"the output is multiplied by {factor}",
                   always, output_by=factor)


def _layers() -> Iterator[Twist]:
    split = "head n owns the channels n, n + heads, n + 2 heads, ..."
    yield _known(("heads", "interleaved"), always, split="interleaved",
                 join="interleaved")
    yield _say("heads-interleaved", "ATT-1", f"{split}, and the outputs are put together head by "
               "head", always, split="interleaved")
    yield _known(("order", "interleaved"), always, join="interleaved")
    yield _say("output-activated", "ATT-8", "a ReLU follows the heads' outputs", always,
               activated=True)
    yield _say("residual-added", "ATT-5", "the layer's input is added to the output",
               always, residual="input")
    sources = {"query_from": ("queries", "w_query"), "key_from": ("keys", "w_key"),
               "value_with": ("values", "w_value")}
    for field, (spoken, own) in sources.items():
        for other in ("w_query", "w_key", "w_value"):
            # Values by W_K are value-is-key, which is named above.
            if other != own and (field, other) != ("value_with", "w_key"):
                yield _say("projection-shared", "ATT-6", f"the {spoken} are projected by {other}",
                           _has_keys if "w_key" in (own, other) else always,
                           **{field: other})
    yield _say("projection-block-diagonal", "ATT-6", "each head sees its own group of the input's "
               "channels alone, although dense was asked", _is(projection="dense"), "dense",
               block_diagonal=True)
    yield _say("groups-interleaved", "ATT-7", "the n-th group of channels is n, n + heads, ...",
               _is(projection="per_head"), "per_head", groups="interleaved")
    yield _say("absolute-on-input", "POS-2", "the absolute embedding is added to the layer's "
               "input", _absolute_acts, absolute_at="input")
