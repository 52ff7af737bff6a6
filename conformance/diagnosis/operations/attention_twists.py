"""The known deviations of attention over a window, each as a change of the reading of a case."""

from collections.abc import Iterator

from .acting import (
    Acts,
    absolute_acts,
    asked_for,
    both,
    content_acts,
    has_keys,
    known,
    logits_act,
    position_acts,
    relative_acts,
    say,
)
from .twist import Twist, always
from .window_twists import table_twists, window_twists


def attention_twists(operation: str) -> list[Twist]:
    """Every known deviation that one of the three operations of attention can show."""
    if operation == "relative_logits":
        # Logits alone do not show where a window lies, unless it shifts or leaves the image.
        seen = [twist for twist in window_twists()
                if twist.asked == "shift" or "inside_only" in twist.changes]
        return [*seen, *table_twists(), _logits_scaled("1/sqrt(depth)", "scaled-relative"),
                _logits_scaled("1/sqrt(heads depth)", "scaled-by-width"),
                known(("heads", "one"), relative_acts)]
    found = [*window_twists(), *table_twists(), *_relative()]
    found += [*_positions(), *_logit(), *_scales(), *_softmaxes(), *_outputs()]
    return [*found, *_layers()] if operation == "attention_layer" else found


def _relative() -> Iterator[Twist]:
    yield say("embedding-ignored", "POS-3", "the relative term is left out where there is content",
              both(relative_acts, asked_for(content=True)), "content", position="none")
    yield known(("term", "value"), relative_acts)
    yield known(("term", "both"), relative_acts)


def _logits_scaled(factor: str, name: str) -> Twist:
    return say(name, "ATT-3", f"q . r is multiplied by {factor}", relative_acts,
               relative_by=factor)


def _positions() -> Iterator[Twist]:
    yield say("embedding-unwanted", "POS-1", "the absolute embedding joins the keys, although "
              "no position was asked", asked_for(position="none"), "none", position="absolute")
    for place in ("value", "query"):
        yield say(f"absolute-on-{place}", "POS-2", f"the absolute embedding joins the {place}, not "
                  "the key", absolute_acts, absolute_at=place)
    for asked, done in (("row", "column"), ("column", "row")):
        yield say("absolute-halves-swapped", "POS-2", f"the first half of the absolute embedding "
                  f"is the {done}'s, although {asked} was asked",
                  both(absolute_acts, asked_for(first_half=asked)), asked, first_half=done)


def _logit() -> Iterator[Twist]:
    yield say("content-missing", "ATT-2", "the content q . k is left out", content_acts,
              content=False)
    yield say("terms-multiplied", "ATT-2", "the terms are multiplied, so that without a position "
              "the logit is 0", has_keys, multiplied="always")
    yield say("terms-multiplied", "ATT-2", "the content and the position's term are multiplied",
              both(has_keys, position_acts), multiplied="relative")
    yield say("key-not-query", "ATT-2", "the pixel's own key meets the keys, not its query",
              content_acts, dot="keys")
    yield known(("swapped", True), content_acts, dot="swapped")
    yield known(("swapped", True), has_keys, dot="swapped_all")
    yield say("content-kept", "ATT-9", "content that is off stays on, with queries for keys",
              asked_for(content=False), kept_key=True, content=True)
    yield known(("heads", "one"), logits_act)
    yield known(("heads", "channel"), logits_act)


def _scales() -> Iterator[Twist]:
    yield say("scaled-content", "ATT-3", "the scale multiplies the content alone, although both "
              "was asked", both(position_acts, asked_for(scale_terms="both")), "both",
              scale_terms="content")
    yield say("scaled-both", "ATT-3", "the scale multiplies both terms, although content was "
              "asked", both(position_acts, asked_for(scale_terms="content")), "content",
              scale_terms="both")
    yield say("scaled-both", "ATT-3", "the scale multiplies nothing", logits_act, content_by="1",
              relative_by="1")
    yield say("scaled-relative", "ATT-3", "the scale does not multiply q . k", content_acts,
              content_by="1")
    terms: tuple[tuple[str, str, Acts, tuple[str, ...]], ...] = (
        ("both terms of the logit are", "scaled-both", logits_act, ("content_by", "relative_by")),
        ("q . k is", "scaled-content", content_acts, ("content_by",)),
        ("q . r is", "scaled-relative", position_acts, ("relative_by",)))
    for factor in ("1/sqrt(depth)", "1/sqrt(heads depth)", "1/depth", "sqrt(depth)"):
        for spoken, name, acts, names in terms:
            for way, besides in ((f"asked {factor}", "besides the scale"),
                                 (factor, "in place of the scale")):
                wide = factor == "1/sqrt(heads depth)"
                yield say("scaled-by-width" if wide else name, "ATT-3",
                          f"{spoken} multiplied by {factor} {besides}", acts,
                          **dict.fromkeys(names, way))


def _softmaxes() -> Iterator[Twist]:
    for kind in ("row", "column", "heads", "none"):
        yield known(("softmax", kind), always)
    yield say("softmax-per-row", "ATT-4", "the softmax runs over each row of the window apart, "
              "and the rows are averaged", softmax="row_mean")
    yield say("softmax-per-column", "ATT-4", "the softmax runs over each column of the window "
              "apart, and the columns are averaged", softmax="column_mean")
    yield say("softmax-over-heads", "ATT-4", "exponentials, of which each head's maximum is "
              "taken away first, are normalized over the heads", softmax="heads_shifted")
    yield say("softmax-over-queries", "ATT-4", "the softmax runs over the queries",
              softmax="queries")


def _outputs() -> Iterator[Twist]:
    yield say("value-is-key", "ATT-5", "keys are mixed in place of values",
              has_keys, value_from="key")
    for name in ("query", "value"):
        yield say("residual-added", "ATT-5", f"the pixel's {name} is added to the output",
                  always, residual=name)
    for factor in ("2", "1/2", "-1", "extent^2", "1/extent^2", "1/sqrt(depth)"):
        yield say("output-scaled", "ATT-5", f"the output is multiplied by {factor}",
                  always, output_by=factor)


def _layers() -> Iterator[Twist]:
    split = "head n owns the channels n, n + heads, n + 2 heads, ..."
    yield known(("heads", "interleaved"), always, split="interleaved",
                join="interleaved")
    yield say("heads-interleaved", "ATT-1", f"{split}, and the outputs are put together head by "
              "head", always, split="interleaved")
    yield known(("order", "interleaved"), always, join="interleaved")
    yield say("output-activated", "ATT-8", "a ReLU follows the heads' outputs", always,
              activated=True)
    yield say("residual-added", "ATT-5", "the layer's input is added to the output",
              always, residual="input")
    sources = {"query_from": ("queries", "w_query"), "key_from": ("keys", "w_key"),
               "value_with": ("values", "w_value")}
    for field, (spoken, own) in sources.items():
        for other in ("w_query", "w_key", "w_value"):
            # Values by W_K are value-is-key, which is named above.
            if other != own and (field, other) != ("value_with", "w_key"):
                yield say("projection-shared", "ATT-6", f"the {spoken} are projected by {other}",
                          has_keys if "w_key" in (own, other) else always,
                          **{field: other})
    yield say("projection-block-diagonal", "ATT-6", "each head sees its own group of the input's "
              "channels alone, although dense was asked", asked_for(projection="dense"), "dense",
              block_diagonal=True)
    yield say("groups-interleaved", "ATT-7", "the n-th group of channels is n, n + heads, ...",
              asked_for(projection="per_head"), "per_head", groups="interleaved")
    yield say("absolute-on-input", "POS-2", "the absolute embedding is added to the layer's "
              "input", absolute_acts, absolute_at="input")
