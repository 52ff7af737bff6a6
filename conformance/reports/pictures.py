"""Maps of a case's error as SVG: over the image, over the window, and over each other axis."""

import math
from collections.abc import Sequence

import numpy as np

from sasakit.reference import AttentionOptions

from ..estimate import Array
from ..inspection import Inspection, Numbers
from ..where_wrong import NOUNS
from .markup import Markup, element, join

CELL = 30
# Powers of ten of rho at which the next colour begins; the last colour is for what is not finite.
STEPS = (0, 1, 3, 6, 9, 12)
LEGEND = ("within the budget", "up to 10 budgets", "to 10^3", "to 10^6", "to 10^9", "to 10^12",
          "more", "NaN or infinite")
# Cells that still have room for their number.
MOST_NUMBERS = 200


def pictures(seen: Inspection) -> Markup:
    """Every map of one inspection that says something; empty where nothing was compared."""
    numbers = seen.numbers
    if numbers is None:
        return Markup("")
    maps = [_image(seen, numbers)] if {"height", "width"} <= set(numbers.axes) else []
    if {"rows", "cols"} <= set(numbers.axes):
        maps.append(_window_slots(numbers))
    maps += [_bars(numbers, axis, name) for axis, name in enumerate(numbers.axes)
             if name not in ("height", "width", "rows", "cols") and numbers.rho.shape[axis] > 1]
    return element("div", *maps, class_="maps")


def legend() -> Markup:
    """What the colours mean."""
    items = [element("li", element("span", "", class_=f"swatch s{level}"), words)
             for level, words in enumerate(LEGEND)]
    items.append(element("li", element("span", "", class_="swatch un"), "not judged"))
    return element("ul", *items, class_="legend", aria_label="Colours of the error maps")


def level(rho: float) -> int:
    """Which colour: 0 within the budget, 7 for what is not finite."""
    if not math.isfinite(rho):
        return len(LEGEND) - 1
    return 0 if rho <= 1 else min(sum(math.log10(rho) > step for step in STEPS), 6)


def short(rho: float) -> str:
    """A number for one cell: its power of ten where it is large."""
    if not math.isfinite(rho):
        return "∞"
    if rho < 0.01:
        return "0"
    return f"{rho:.2g}" if rho < 100 else f"e{math.floor(math.log10(rho))}"


def _worst_over(seen: Numbers, *axes: str) -> tuple[Array, Array]:
    """Largest rho, and whether anything is judged, over all other axes."""
    others = tuple(n for n, name in enumerate(seen.axes) if name not in axes)
    looked: Array = np.any(seen.looked, axis=others)
    return seen.rho.max(axis=others, initial=0), looked


def _image(seen: Inspection, numbers: Numbers) -> Markup:
    rho, looked = _worst_over(numbers, "height", "width")
    rows, cols = _window(seen.window, numbers)
    top, left = max(0, -min(rows, default=0)), max(0, -min(cols, default=0))
    height = top + max(rho.shape[0], max(rows, default=0) + 1)
    width = left + max(rho.shape[1], max(cols, default=0) + 1)
    shapes = [_cell(left + j, top + i, float(rho[i, j]), bool(looked[i, j]), f"pixel ({i}, {j})",
                    rho.size <= MOST_NUMBERS)
              for i in range(rho.shape[0]) for j in range(rho.shape[1])]
    caption = "Over the image: worst rho of each pixel"
    if rows and cols:
        shapes += [_outside(left + j, top + i) for i in rows for j in cols
                   if not (0 <= i < rho.shape[0] and 0 <= j < rho.shape[1])]
        shapes.append(element("rect", class_="window", x=(left + cols[0]) * CELL + 1,
                              y=(top + rows[0]) * CELL + 1, width=len(cols) * CELL - 2,
                              height=len(rows) * CELL - 2))
        caption += ", and the window of the worst one"
    label = f"{caption}. {seen.where}."
    return _figure(caption, label, width * CELL, height * CELL, shapes)


def _window(options: AttentionOptions | None,
            seen: Numbers) -> tuple[Sequence[int], Sequence[int]]:
    """Rows and columns of the worst pixel's window; none where no window slides."""
    if options is None:
        return (), ()
    spans = []
    for at, size in zip(seen.worst[1:3], seen.rho.shape[1:3], strict=True):
        start = at - options.slots_before
        if options.padding == "shift":
            start = min(max(start, 0), size - options.extent)
        spans.append(range(start, start + options.extent))
    return spans[0], spans[1]


def _window_slots(seen: Numbers) -> Markup:
    rho, looked = _worst_over(seen, "rows", "cols")
    shapes = [_cell(j, i, float(rho[i, j]), bool(looked[i, j]), f"slot ({i}, {j})", True)
              for i in range(rho.shape[0]) for j in range(rho.shape[1])]
    caption = "Over the window: worst rho of each slot"
    return _figure(caption, caption, rho.shape[1] * CELL, rho.shape[0] * CELL, shapes)


def _bars(seen: Numbers, axis: int, name: str) -> Markup:
    """One bar for each place on an axis, its length the logarithm of the worst rho."""
    others = tuple(n for n in range(seen.rho.ndim) if n != axis)
    worst, looked = seen.rho.max(axis=others, initial=0), np.any(seen.looked, axis=others).tolist()
    shapes = []
    for place, rho in enumerate(worst.tolist()):
        length = 160.0 if not math.isfinite(rho) else min(160.0, 4 + 10 * math.log10(1 + rho))
        tone = f"s{level(rho)}" if looked[place] else "un"
        at = 20 * place
        shapes += [element("text", str(place), x=22, y=at + 14, class_="end"),
                   element("rect", class_=tone, x=28, y=at + 3, width=round(length, 1), height=14),
                   element("text", short(rho) if looked[place] else "", x=34 + round(length, 1),
                           y=at + 14)]
    noun = NOUNS.get(name, name)
    caption = f"Over each {noun}: worst rho"
    label = f"{caption}: " + ", ".join(f"{noun} {place} {short(rho)}"
                                       for place, rho in enumerate(worst.tolist()))
    return _figure(caption, label, 240, 20 * len(worst), shapes)


def _cell(col: int, row: int, rho: float, looked: bool, name: str, numbered: bool) -> Markup:
    tone = f"s{level(rho)}" if looked else "un"
    said = f"{name}: {f'rho {rho:.3g}' if looked else 'not judged'}"
    parts = [element("title", said),
             element("rect", class_=tone, x=col * CELL + 1, y=row * CELL + 1, width=CELL - 2,
                     height=CELL - 2, rx=3)]
    if numbered and looked:
        parts.append(element("text", short(rho), class_=f"mid t{level(rho)}",
                             x=col * CELL + CELL // 2, y=row * CELL + CELL // 2 + 4))
    return element("g", *parts)


def _outside(col: int, row: int) -> Markup:
    return element("rect", class_="outside", x=col * CELL + 3, y=row * CELL + 3, width=CELL - 6,
                   height=CELL - 6, rx=3)


def _figure(caption: str, label: str, width: int, height: int,
            shapes: Sequence[Markup]) -> Markup:
    drawn = element("svg", join(*shapes), role="img", aria_label=label, width=width + 2,
                    height=height + 2, viewBox=f"-1 -1 {width + 2} {height + 2}")
    return element("figure", element("figcaption", caption), drawn)


def spell_worst(seen: Numbers) -> Markup:
    """The numbers where the error is largest, as a small table."""
    at = ", ".join(f"{NOUNS.get(name, name)} {place}"
                   for name, place in zip(seen.axes, seen.worst, strict=True))
    given, due, within, rho = seen.at_worst()
    rows = [("given", f"{given!r}"), ("expected", f"{due!r}"), ("within", f"{within:.3g}"),
            ("rho", f"{rho:.3g}")]
    return element("table", element("caption", f"Where rho is largest: {at}"),
                   element("tbody", *(element("tr", element("th", name, scope="row"),
                                              element("td", value, class_="num"))
                                      for name, value in rows)), class_="worst")
