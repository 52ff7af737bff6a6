"""The known deviations of windows, padding and relative tables."""

from collections.abc import Iterator

from .acting import Acts, asked_for, both, extent_is, known, relative_acts, say
from .twist import Twist

# Deviations whose namesakes a change of the weights undoes, as it does not undo these.
OPPOSITE = "a slot reads the entries of the slot opposite in its window"
UNREAD = ("entry 0 of the tables is never read; entry 1 stands in",
          "the tables' last entry is never read; the one before stands in")

def window_twists() -> list[Twist]:
    """Every known deviation of where a window lies and what stands outside the image."""
    return [*_window(), *_padding()]


def table_twists() -> list[Twist]:
    """Every known deviation of how the tables are read."""
    return [*_tables(), *_whose()]


def _window() -> Iterator[Twist]:
    odd = extent_is(1)
    for row in (-1, 0, 1):
        for col in (-1, 0, 1):
            if row or col:
                moved = [f"{abs(by)} {noun} too {'early' if by > 0 else 'late'}"
                         for by, noun in ((row, "row"), (col, "column")) if by]
                yield say("window-off-centre", "WIN-1",
                          f"an odd window begins {' and '.join(moved)}", odd, "odd",
                          off_row=row, off_col=col)
    yield say("window-dilated", "WIN-1", "neighbouring slots are 2 pixels apart",
              lambda case: getattr(case.options, "extent", 1) > 1, dilation=2)
    for change in (-2, -1, 1, 2):
        name = "window-narrow" if change < 0 else "window-wide"
        yield say(name, "WIN-1", f"the window has {abs(change)} slots "
                  f"{'fewer' if change < 0 else 'more'} along each axis than the extent",
                  _narrowed(change), extent_change=change)
    even = extent_is(0)
    yield say("even-window-after", "WIN-2", "an even window has its extra slot after the pixel, "
              "although before was asked", both(even, asked_for(even_window="before")), "before",
              even_window="after")
    yield say("even-window-before", "WIN-2", "an even window has its extra slot before the "
              "pixel, although after was asked", both(even, asked_for(even_window="after")),
              "after", even_window="before")
    yield say("strided-queries", "WIN-3", "only every second pixel has an output",
              stride=2)


def _narrowed(change: int) -> Acts:
    """Cases in which a window of so many slots more has any."""
    return lambda case: getattr(case.options, "extent", 1) + change > 0


def _padding() -> Iterator[Twist]:
    zero, exclude, shift = (asked_for(padding=name) for name in ("zero", "exclude", "shift"))
    yield say("padding-excluded", "PAD-1", "neighbours outside the image are excluded, although "
              "zero was asked", zero, "zero", padding="exclude")
    yield say("window-shifted", "PAD-1", "windows move inside the image, although zero was asked",
              zero, "zero", padding="shift")
    for kind in ("edge", "reflect", "wrap"):
        yield known(("padding", kind), zero, "zero")
    yield known(("inside_only", True), both(zero, relative_acts))
    yield say("padding-zero", "PAD-2", "neighbours outside the image take part with zero keys and "
              "values, although exclude was asked", exclude, "exclude", padding="zero")
    yield say("window-shifted", "PAD-2", "windows move inside the image, although exclude was "
              "asked", exclude, "exclude", padding="shift")
    for logit in (0.0, -1.0, -5.0, -10.0, -20.0):
        yield say("padding-excluded-finite", "PAD-2", f"a neighbour outside the image has the "
                  f"logit {logit:g} and zero value, not probability zero", exclude, "exclude",
                  outside_logit=logit)
    yield say("padding-zero", "PAD-3", "windows do not move, and neighbours outside the image "
              "take part with zero keys and values, although shift was asked", shift, "shift",
              padding="zero")
    yield say("padding-excluded", "PAD-3", "windows do not move, and neighbours outside the image "
              "are excluded, although shift was asked", shift, "shift", padding="exclude")


def _tables() -> Iterator[Twist]:
    yield say("embedding-ignored", "REL-1", "the tables never matter", relative_acts,
              position="none")
    yield say("full-width-sum", "REL-1", "each half of the depth meets the sum of the row and "
              "the column embedding", relative_acts, sums=True)
    yield say("logit-bias", "REL-1", "the embedding's channels are added to the logit; the query "
              "does not meet them", relative_acts, meets_query=False)
    for axis, words in (("row", "the row table"), ("column", "the column table"),
                        ("both", "each table")):
        yield say("embedding-constant", "REL-1", f"all slots read entry 0 of {words}",
                  relative_acts, constant=axis)
    for first, other in (("row", "column"), ("column", "row")):
        yield say(f"{other}-half-first", "REL-2", f"the first half of the depth meets the {other} "
                  f"offset, although {first} was asked",
                  both(relative_acts, asked_for(first_half=first)), first, first_half=other)
    yield known(("row", "descending"), relative_acts)
    yield known(("column", "descending"), relative_acts)
    yield say("offset-descending", "REL-3", "the tables' entries descend with the offset (i - a "
              "and j - b)", relative_acts, row="descending", column="descending")
    yield say("offset-transposed", "REL-3", "the row table is read by the column offset, and the "
              "column table by the row offset", relative_acts, transposed="offsets")
    yield say("offset-transposed", "REL-3", "a slot reads the entries of the slot whose row and "
              "column are exchanged", relative_acts, transposed="slots")
    yield say("offset-descending", "REL-3", OPPOSITE, relative_acts, entries="reversed")
    for rule, words in zip(("not_first", "not_last"), UNREAD, strict=True):
        yield say("unused-table-rows", "REL-3", words, relative_acts, entries=rule)
    shift = both(relative_acts, asked_for(padding="shift"))
    yield say("slot-indexed-tables", "REL-6", "a shifted window reads its tables by the slot, not "
              "by the true offset", shift, entries="slot")
    yield say("offset-clipped", "REL-6", "entries of a shifted window's tables beyond the extent "
              "are never read", shift, entries="clipped")


def _whose() -> Iterator[Twist]:
    per_head = both(relative_acts, asked_for(relative="per_head"))
    halves = both(relative_acts, asked_for(relative="layer_halves"))
    yield say("tables-shared", "REL-4", "every head reads the first head's tables, although "
              "per_head was asked", per_head, "per_head", tables="first")
    yield say("tables-swapped-heads", "REL-4", "the heads read the tables in reverse order",
              per_head, "per_head", tables="reversed")
    yield say("tables-shared", "REL-5", "every head reads the first channels of the tables, "
              "although layer_halves was asked", halves, "layer_halves", tables="first")
    yield say("heads-interleaved", "REL-5", "head n takes the channels n, n + heads, ... of R",
              halves, "layer_halves", tables="interleaved")
