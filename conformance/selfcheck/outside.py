"""Changes that no list of deviations holds: what they make must never get a false name."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .factory import Change, Made

HIDDEN = float("-inf")


def _logits(change: Callable[[Tensor], Tensor]) -> Change:
    return Change(logits=lambda layer, s: change(s))


def _projected(change: Callable[[Tensor, Tensor, Tensor], Any]) -> Change:
    return Change(projected=lambda layer, q, k, v: change(q, k, v))


def _distances(layer: Made, s: Tensor) -> Tensor:
    """(rows, cols, 1, ...) squared distance of every slot from the window's centre."""
    at = torch.arange(layer.k, dtype=s.dtype) - layer.k // 2
    squared = at[:, None] ** 2 + at ** 2
    return squared.reshape(layer.k, layer.k, *[1] * (s.ndim - 2))


def _hidden(layer: Made, s: Tensor, mask: Callable[[Tensor], Tensor]) -> Tensor:
    """Slots hidden by their number in the window."""
    slots = torch.arange(layer.k ** 2).reshape(layer.k, layer.k)
    return s.masked_fill(mask(slots)[..., None, None, None, None], HIDDEN)


def _by_head(layer: Made, s: Tensor) -> Tensor:
    return s * (1 + 0.3 * torch.arange(s.shape[-1], dtype=s.dtype)) * 0.7


def _narrow_heads(layer: Made, s: Tensor) -> Tensor:
    narrow = torch.arange(s.shape[-1]) % 2 == 0
    return s.masked_fill((_distances(layer, s) > 2) & narrow, HIDDEN)


def _top(s: Tensor) -> Tensor:
    flat = s.flatten(0, 1)
    least = flat.topk(4, dim=0).values[-1]
    return s.masked_fill(s < least, HIDDEN)


def _per_head(t: Tensor, layer: Made) -> Tensor:
    return F.normalize(torch.unflatten(t, -1, (layer.n, layer.d)), dim=-1).flatten(-2)


def _sigmoid(layer: Made, p: Tensor, s: Tensor) -> Tensor:
    weights = s.sigmoid()
    return weights / weights.sum((0, 1), keepdim=True)


def _again(layer: Made, p: Tensor, s: Tensor) -> Tensor:
    weights = p.exp()
    return weights / weights.sum((0, 1), keepdim=True)


def _without_first(layer: Made, p: Tensor, s: Tensor) -> Tensor:
    kept = torch.ones(layer.k, layer.k, *[1] * (p.ndim - 2), dtype=p.dtype)
    kept[0, 0] = 0
    return p * kept


def _quiet(layer: Made, p: Tensor, s: Tensor) -> Tensor:
    # p with one more slot of logit 0, whose value is nothing.
    total = s.flatten(0, 1).logsumexp(0)
    return p * (total - F.softplus(total)).exp()


def _mixed_with_uniform(layer: Made, p: Tensor, s: Tensor) -> Tensor:
    return 0.9 * p + 0.1 / layer.k ** 2


def _by_offset(layer: Made, key: Tensor, value: Tensor, e: Tensor, i: int, j: int) -> Any:
    return key, value * (1 + 0.1 * i), e


def _joined(change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Change:
    def slot(layer: Made, key: Tensor, value: Tensor, e: Tensor, i: int, j: int) -> Any:
        key, e = change(key, e)
        return key, value, e
    return Change(slot=slot)


def _output(change: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Change:
    return Change(output=lambda layer, y, q, v: change(y, q, v))


OUTSIDE: dict[str, Change] = {
    "logits squared": _logits(torch.square),
    "logits' magnitude": _logits(torch.abs),
    "logits rectified": _logits(torch.relu),
    "logits through a sigmoid": _logits(torch.sigmoid),
    "logits clipped": _logits(lambda s: s.clamp(-1, 1)),
    "logits softly capped": _logits(lambda s: 2 * torch.tanh(s / 2)),
    "logits of second order": _logits(lambda s: s + 0.1 * s.square()),
    "only the largest four": _logits(_top),
    "temperature by head": Change(logits=_by_head),
    "extent by head": Change(logits=_narrow_heads),
    "causal": Change(logits=partial(_hidden, mask=lambda at: at > at.numel() // 2)),
    "hole in the middle": Change(logits=partial(_hidden, mask=lambda at: at == at.numel() // 2)),
    "first slot hidden": Change(logits=partial(_hidden, mask=lambda at: at == 0)),
    "corners hidden": Change(logits=lambda layer, s: s.masked_fill(
        _distances(layer, s) == 2 * (layer.k // 2) ** 2, HIDDEN)),
    "gaussian prior": Change(logits=lambda layer, s: s - _distances(layer, s) / 8),
    "logits by distance": Change(logits=lambda layer, s: s / (1 + _distances(layer, s))),
    "logits centred": _logits(lambda s: s - s.mean((0, 1), keepdim=True).nan_to_num(0, 0, 0)),
    "cosine": Change(projected=lambda layer, q, k, v: (_per_head(q, layer), _per_head(k, layer),
                                                       v)),
    "query normalized": Change(projected=lambda layer, q, k, v: (_per_head(q, layer), k, v)),
    "key rectified": _projected(lambda q, k, v: (q, k.relu(), v)),
    "value rectified": _projected(lambda q, k, v: (q, k, v.relu())),
    "key from the neighbour": _projected(lambda q, k, v: (q, k.roll(1, 2), v)),
    "query over two pixels": _projected(lambda q, k, v: ((q + q.roll(1, 1)) / 2, k, v)),
    "scale by the query": _projected(lambda q, k, v: (
        q * (1 + q.abs().mean(-1, keepdim=True)), k, v)),
    "key without its mean": _projected(lambda q, k, v: (q, k - k.mean((1, 2), keepdim=True), v)),
    "sigmoid instead of exp": Change(weights=_sigmoid),
    "softmax twice": Change(weights=_again),
    "softmax with one more": Change(weights=_quiet),
    "probabilities squared": Change(weights=lambda layer, p, s: p.square()),
    "mixed with the mean": Change(weights=_mixed_with_uniform),
    "first slot dropped": Change(weights=_without_first),
    "value by row": Change(slot=_by_offset),
    "output gated": _output(lambda y, q, v: y * q.sigmoid()),
    "output rectified": _output(lambda y, q, v: y.relu()),
    "output normalized": _output(lambda y, q, v: F.normalize(y, dim=-1)),
    "residual": _output(lambda y, q, v: y + v),
    "position times key": _joined(lambda key, e: (key, key * e)),
    "position squared": _joined(lambda key, e: (key, e.square())),
    "position beside itself": _joined(lambda key, e: (key * (1 + e), e)),
}
# Those that need tables.
POSITIONED = tuple(name for name in OUTSIDE if name.startswith("position"))
