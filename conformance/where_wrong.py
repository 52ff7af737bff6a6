"""Which outputs are wrong, in words: what the wrong ones share and the others lack."""

from collections.abc import Sequence

import numpy as np

from .estimate import Array

IMAGE = ("height", "width")
# What one place on an axis is called; an axis that is missing here calls it by its own name.
NOUNS = {"batch": "batch item", "heads": "head", "depth": "channel", "channels": "channel",
         "rows": "window row", "cols": "window column", "classes": "class",
         "entries": "entry", "height": "row", "width": "column", "channels in": "channel in",
         "channels out": "channel out"}
PLURALS = {"class": "classes", "entry": "entries", "channel in": "channels in",
           "channel out": "channels out"}


def where_wrong(rho: Array, axes: Sequence[str], looked: Array | None = None,
                leaves: Array | None = None) -> str:
    """What the outputs whose rho is above 1 have in common.

    rho     one number for every output
    axes    the names of its axes, such as batch, height, width, heads, depth
    looked  boolean, broadcastable to rho: the outputs that are judged; all when None
    leaves  (height, width) boolean: pixels whose window leaves the image; None where no window is
    """
    look = np.ones(rho.shape, bool) if looked is None else np.broadcast_to(looked, rho.shape)
    wrong = look & ~(rho <= 1)
    count, of = int(wrong.sum()), int(look.sum())
    if count == 0:
        return "no output is wrong by its value"
    every = "every output" if looked is None or look.all() else "every judged output"
    limits = _image_limits(wrong, look, axes, leaves)
    limits += [limit for axis, name in enumerate(axes)
               if name not in IMAGE and (limit := _axis_limit(wrong, look, axis, name))]
    if count == of:
        return f"{every}{_only_judged(look, axes, leaves)}"
    if not limits:
        return f"{count} of {of} outputs, spread over every axis"
    return f"{count} of {of} outputs: {', '.join(limits)}"


def _only_judged(look: Array, axes: Sequence[str], leaves: Array | None) -> str:
    """Which outputs the case judges, where it does not judge all."""
    pixels = _pixels(look, axes)
    if pixels is None or leaves is None or pixels.all():
        return ""
    if not (pixels & ~leaves).any():
        return "; only pixels whose window leaves the image are judged"
    return "" if (pixels & leaves).any() else \
        "; only pixels whose whole window lies in the image are judged"


def _pixels(mask: Array, axes: Sequence[str]) -> Array | None:
    """(height, width): pixels with any output in the mask."""
    if not set(IMAGE) <= set(axes):
        return None
    others = tuple(axis for axis, name in enumerate(axes) if name not in IMAGE)
    return np.asarray(mask.any(axis=others))


def _image_limits(wrong: Array, look: Array, axes: Sequence[str],
                  leaves: Array | None) -> list[str]:
    bad, judged = _pixels(wrong, axes), _pixels(look, axes)
    if bad is None or judged is None or (bad == judged).all():
        return []
    limits = []
    if leaves is not None and (judged & leaves).any() and (judged & ~leaves).any():
        if not (bad & ~leaves).any():
            limits.append("only pixels whose window leaves the image")
            judged = judged & leaves
        elif not (bad & leaves).any():
            limits.append("only pixels whose whole window lies in the image")
            judged = judged & ~leaves
    if (bad == judged).all():
        return limits
    if bad.sum() == 1 and judged.sum() > 1:
        row, column = (int(at) for at in np.argwhere(bad)[0])
        return [*limits, f"only pixel ({row}, {column})"]
    limits += [limit for axis, name in enumerate(IMAGE)
               if (limit := _axis_limit(bad, judged, axis, name))]
    return limits or [f"{int(bad.sum())} of {int(judged.sum())} pixels"]


def _axis_limit(wrong: Array, look: Array, axis: int, name: str) -> str:
    """The places on one axis outside of which nothing is wrong; empty where all have something."""
    others = tuple(other for other in range(wrong.ndim) if other != axis)
    bad = np.flatnonzero(wrong.any(axis=others)).tolist()
    judged = np.flatnonzero(look.any(axis=others)).tolist()
    if bad == judged:
        return ""
    noun, size = NOUNS.get(name, name), wrong.shape[axis]
    nouns = PLURALS.get(noun, f"{noun}s")
    if name in IMAGE and len(bad) == 1 and bad[0] in (0, size - 1):
        return f"only the {'first' if bad[0] == 0 else 'last'} {noun}"
    for parity, word in enumerate(("even", "odd")):
        if len(bad) > 1 and bad == judged[parity::2] and judged == list(range(size)):
            return f"only {word} {nouns} of {size}"
    if len(bad) > 3 and bad != list(range(bad[0], bad[-1] + 1)):
        return f"{len(bad)} of {len(judged)} {nouns}"
    return f"only {noun if len(bad) == 1 else nouns} {spell_places(bad)} of {size}"


def spell_places(places: Sequence[int]) -> str:
    """Numbers as a reader says them: 3; 1 and 3; 1 to 4; 0, 2 and 3."""
    if len(places) > 2 and list(places) == list(range(places[0], places[-1] + 1)):
        return f"{places[0]} to {places[-1]}"
    words = [str(place) for place in places]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
