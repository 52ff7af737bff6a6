"""What an output depends on, found by changing inputs: arrays in, one array out.

Nothing is fitted here. A probe changes a part of one input and looks where the result changes; the
equation says where it may.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from ..estimate import Array
from .instance import SAME

Arrays = Mapping[str, Any]
Run = Callable[[Arrays], Array]
# Places that are told.
MOST = 4
IMAGES = ("query", "key", "value", "x", "images")


def hidden_state(run: Run, arrays: Arrays) -> list[str]:
    """Whether a call changes its inputs, or leaves something behind for the next, in words."""
    given = _copies(arrays)
    first = run(given).copy()
    found = [f"it changes its input {name}" for name, array in arrays.items()
             if array is not None and not np.array_equal(given[name], array, equal_nan=True)]
    again = run(_copies(arrays))
    if not np.array_equal(first, again, equal_nan=True):
        found.append("two calls with the same input differ")
    else:
        run({name: None if array is None else array + 1 for name, array in arrays.items()})
        if not np.array_equal(first, run(_copies(arrays)), equal_nan=True):
            found.append("a call with other inputs in between changes the result")
    return found


def reached(run: Run, arrays: Arrays, name: str, at: tuple[Any, ...],
            change: float = 1.0) -> Array | None:
    """Boolean, of the result's shape: outputs that move by more than rounding with the part.

    at      index of the part
    change  what is added there; NaN finds what is multiplied by zero too
    None where the two results have unlike shapes.
    """
    before, changed = run(_copies(arrays)), _copies(arrays)
    changed[name][at] = changed[name][at] + change
    after = run(changed)
    if after.shape != before.shape:
        return None
    size = float(np.abs(np.where(np.isfinite(before), before, 0.0)).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        moved = np.abs(before - after) > SAME * size
    return np.asarray(moved | (np.isfinite(before) != np.isfinite(after)))


def stray_reach(run: Run, arrays: Arrays, reach: tuple[int, int], *,
                heads: bool = False) -> list[str]:
    """Outputs that change with pixels, batch items or heads that they must not see, in words.

    run    gives (batch, height, width, ...); of (batch, height, width, ...) arrays those of IMAGES
           are probed
    reach  rows (or columns) of a window before and after its own pixel
    heads  whether axis 3 of the arrays and of the result is the heads, none of which sees another
    A query may reach no pixel but its own.
    """
    found = []
    for name in (name for name in IMAGES if arrays.get(name) is not None):
        near = (0, 0) if name == "query" else reach
        strays = (words for change in (1.0, np.nan) for at in _pixels(arrays[name])
                  for words in _strays(run, arrays, name, at, near, change))
        # One place is enough to show it; a NaN is only told where nothing else shows it.
        found += list(islice(strays, 1))
    return found + list(_between_heads(run, arrays)) if heads else found


def _copies(arrays: Arrays) -> dict[str, Any]:
    return {name: None if array is None else array.copy() for name, array in arrays.items()}


def _pixels(image: Array) -> list[tuple[int, int, int]]:
    """The middle and two corners of the first batch item."""
    height, width = image.shape[1:3]
    places = ((height // 2, width // 2), (0, 0), (height - 1, width - 1))
    return [(0, row, col) for row, col in dict.fromkeys(places)]


def _strays(run: Run, arrays: Arrays, name: str, at: tuple[int, int, int],
            reach: tuple[int, int], change: float) -> Iterator[str]:
    seen = reached(run, arrays, name, at, change)
    if seen is None or seen.ndim < 3:
        return
    pixels = np.asarray(seen.any(axis=tuple(range(3, seen.ndim))))
    spoken = f"{'a NaN in' if np.isnan(change) else ''} {name} of pixel {at[1:]}".strip()
    if pixels[1:].any():
        yield f"{spoken} reaches outputs of other batch items"
    rows, cols = (np.arange(size) - own for size, own in zip(pixels.shape[1:], at[1:], strict=True))
    allowed = ((-reach[1] <= rows) & (rows <= reach[0]))[:, None] \
        & ((-reach[1] <= cols) & (cols <= reach[0]))
    stray = np.argwhere(pixels[0] & ~allowed)
    if len(stray):
        places = ", ".join(f"({row}, {col})" for row, col in stray[:MOST].tolist())
        more = f" and {len(stray) - MOST} more" if len(stray) > MOST else ""
        yield f"{spoken} reaches outputs of pixels that must not see it: {places}{more}"


def _between_heads(run: Run, arrays: Arrays) -> Iterator[str]:
    for name in IMAGES:
        array = arrays.get(name)
        if array is None or array.ndim != 5 or array.shape[3] < 2:
            continue
        for change in (1.0, np.nan):
            seen = reached(run, arrays, name, np.s_[:, :, :, 0, 0], change)
            if seen is not None and seen.ndim > 4 and seen[:, :, :, 1:].any():
                what = "a NaN in" if np.isnan(change) else "the"
                yield f"{what} {name} of head 0 reaches outputs of other heads"
                break
