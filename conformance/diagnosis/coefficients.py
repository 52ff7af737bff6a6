"""Which logits a table's entry moves, and through which query channels, where nothing explains it.

Where all logits are near zero the output is linear in them, so that images that share one pixel
tell the logits of its window from its outputs, whatever made them.
"""

from collections.abc import Mapping

import numpy as np

from ..estimate import Array
from .choices import Choices
from .fit import Fit
from .subject import Subject
from .variant import windows

# More images than any window that is built has slots.
IMAGES = 64
PIXEL = (3, 4)
# A logit has moved when it moves by more than this share of the one that moves most.
SHARE = 2.0 ** -8


def coefficient_words(subject: Subject, fit: Fit) -> list[str]:
    """A sentence for each table: what its first entry moves. Keys are zero throughout."""
    plain = fit.choices.differences().keys() <= {"content_scale", "padding"}
    if not plain or fit.choices.padding == "shift" or fit.key is None:
        return []
    rows = subject.random_rows()
    rows[fit.key] = 0
    rows[fit.query] *= subject.small
    x = subject.image(batch=IMAGES)
    x[:, PIXEL[0], PIXEL[1]] = x[0, PIXEL[0], PIXEL[1]]
    return [_sentence(subject, fit, x, rows, name) for name in subject.parts.tables]


def _sentence(subject: Subject, fit: Fit, x: Array, rows: Array, name: str) -> str:
    entry = (0,) * subject.own[name].ndim
    table = np.zeros(subject.own[name].shape)
    table[entry] = 1.0
    spelled = f"with keys and all other entries zero, {name}{list(entry)}"
    moved = _logits(subject, x, rows, {name: table})
    if moved is None:
        return f"{spelled} moves nothing"
    by_head = np.abs(moved).max(axis=1)
    heads = np.flatnonzero(by_head > SHARE * by_head.max())
    slots = np.abs(moved[heads[0]]).reshape(subject.sizes.extent, -1)
    at = np.argwhere(slots > SHARE * slots.max())
    channels = [channel for channel, row in enumerate(fit.query)
                if _moves(subject, x[:1], _only(rows, fit.query, row), {name: table})]
    return (f"{spelled} moves the logits of head {_listed(heads)} in window rows "
            f"{_listed(np.unique(at[:, 0]))} and columns {_listed(np.unique(at[:, 1]))}, through "
            f"query channels {_listed(np.array(channels))}")


def _moves(subject: Subject, x: Array, rows: Array, tables: Mapping[str, Array]) -> bool:
    return not np.array_equal(subject.run(x, rows, tables), subject.run(x, rows))


def _logits(subject: Subject, x: Array, rows: Array, tables: Mapping[str, Array]) -> Array | None:
    """(heads, slots): how tables move the logits, up to a number for all; None if not."""
    if not _moves(subject, x, rows, tables):
        return None
    firsts = slice(None, None, subject.sizes.depth)
    change = (subject.run(x, rows, tables) - subject.run(x, rows))[:, *PIXEL, firsts]
    value = (x @ rows[subject.values].T)[..., firsts]
    pixels = (np.array(PIXEL[:1]), np.array(PIXEL[1:]))
    seen = windows(value, subject.sizes.extent, Choices(), pixels=pixels)[0]
    seen = seen.reshape(len(x), -1, value.shape[-1])
    # Equal logits give means; a logit that grows pulls towards its own value.
    pull = (seen - seen.mean(axis=1, keepdims=True)) / seen.shape[1]
    found = np.stack([np.linalg.lstsq(pull[..., head], change[:, head])[0]
                      for head in range(value.shape[-1])])
    return found - np.median(found, axis=1, keepdims=True)


def _only(rows: Array, query: list[int], kept: int) -> Array:
    changed = rows.copy()
    changed[[row for row in query if row != kept]] = 0
    return changed


def _listed(numbers: Array) -> str:
    """As 0, 2 or 0..4."""
    numbers = np.sort(numbers)
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}..{numbers[-1]}"
    return ", ".join(str(int(number)) for number in numbers) or "none"
