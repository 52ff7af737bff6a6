"""The attention core and the layer in torch as people write them, and the convolution beside it.

axis     what is given                       in torch
query    (batch, heads, depth, height, width), as key and value
tables   (extent, depth / 2) each            one for rows, one for columns, shared by the heads
x        (batch, channels, height, width)
"""

import functools
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Core = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def _windows(x: Tensor, extent: int) -> Tensor:
    """(batch, heads, depth, slots, pixels): every window, gathered."""
    batch, heads, depth, height, width = x.shape
    flat = x.reshape(batch, heads * depth, height, width)
    gathered = F.unfold(flat, extent, padding=extent // 2)
    return gathered.view(batch, heads, depth, extent * extent, height * width)


def _by_slot(row: Tensor, col: Tensor) -> Tensor:
    """(depth, slots): the relative embedding of every slot."""
    extent = len(row)
    both = [row[:, None].expand(-1, extent, -1), col[None].expand(extent, -1, -1)]
    return torch.cat(both, dim=-1).reshape(extent * extent, -1).T


def by_einsum(query: Tensor, key: Tensor, value: Tensor, row: Tensor, col: Tensor) -> Tensor:
    """The gathering form, with einsum."""
    q, extent = query.flatten(3), len(row)
    logits = (torch.einsum("bndp,bndsp->bnsp", q, _windows(key, extent))
              + torch.einsum("bndp,ds->bnsp", q, _by_slot(row, col)))
    y = torch.einsum("bnsp,bndsp->bndp", logits.softmax(dim=2), _windows(value, extent))
    return y.view(query.shape)


def by_matmul(query: Tensor, key: Tensor, value: Tensor, row: Tensor, col: Tensor) -> Tensor:
    """The gathering form, with batched matrix products."""
    extent = len(row)
    rows = query.flatten(3).permute(0, 1, 3, 2).unsqueeze(3)
    k = _windows(key, extent).permute(0, 1, 4, 2, 3) + _by_slot(row, col)
    y = (rows @ k).softmax(dim=-1) @ _windows(value, extent).permute(0, 1, 4, 3, 2)
    return y.squeeze(3).permute(0, 1, 3, 2).reshape(query.shape)


def _by_axis(query: Tensor, row: Tensor, col: Tensor) -> tuple[Tensor, Tensor]:
    """(batch, rows, heads, height, width) and the same for columns: q . r, table by table."""
    half = row.shape[1]
    return (torch.einsum("bndhw,rd->brnhw", query[:, :, :half], row),
            torch.einsum("bndhw,rd->brnhw", query[:, :, half:], col))


def by_shifts(query: Tensor, key: Tensor, value: Tensor, row: Tensor, col: Tensor) -> Tensor:
    """A loop over the slots, each a shifted image; nothing is gathered."""
    extent, (height, width) = len(row), query.shape[-2:]
    slots = [(i, j) for i in range(extent) for j in range(extent)]
    keys, values = (F.pad(x, [extent // 2] * 4) for x in (key, value))
    of_row, of_col = _by_axis(query, row, col)
    logits = [(query * keys[..., i:i + height, j:j + width]).sum(2) + of_row[:, i] + of_col[:, j]
              for i, j in slots]
    p = torch.stack(logits, dim=1).softmax(dim=1)
    y = torch.zeros_like(query)
    for slot, (i, j) in enumerate(slots):
        y = y + p[:, slot, :, None] * values[..., i:i + height, j:j + width]
    return y


def _views(x: Tensor, extent: int) -> Tensor:
    """(batch, heads, depth, rows, cols, height, width): every shifted image, without a copy."""
    padded = F.pad(x, [extent // 2] * 4)
    return padded.unfold(3, extent, 1).unfold(4, extent, 1).permute(0, 1, 2, 5, 6, 3, 4)


def by_views(query: Tensor, key: Tensor, value: Tensor, row: Tensor, col: Tensor) -> Tensor:
    """The same for compilers, which fuse what eager torch would write out.

    Written as a loop it computes the same, but compiling 2 x 49 slots takes minutes.
    """
    of_row, of_col = (x.transpose(1, 2) for x in _by_axis(query, row, col))
    logits = ((query[:, :, :, None, None] * _views(key, len(row))).sum(2)
              + of_row[:, :, :, None] + of_col[:, :, None])
    p = logits.flatten(2, 3).softmax(dim=2).view(logits.shape)
    return (p[:, :, None] * _views(value, len(row))).sum((3, 4))


CORES: dict[str, Core] = {"unfold, einsum": by_einsum, "unfold, matmul": by_matmul,
                          "shifts": by_shifts, "views": by_views}


def layer(core: Core, heads: int) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """A layer around a core; its weights (3 channels_out, channels_in, 1, 1) are one convolution.

    Queries come first, then keys, then values.
    """
    def run(x: Tensor, weights: Tensor, row: Tensor, col: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        parts = F.conv2d(x, weights).view(batch, 3, heads, -1, height, width)
        return core(parts[:, 0], parts[:, 1], parts[:, 2], row, col).flatten(1, 2)

    return run


def inferring(function: Callable[..., object], *arguments: Tensor) -> Callable[[], object]:
    """A call without gradients."""
    def run() -> object:
        with torch.inference_mode():
            return function(*arguments)

    return run


def compiled(function: Callable[..., Tensor],
             options: dict[str, Any] | None = None) -> Callable[..., object]:
    """What torch.compile makes of it, with options of its backend.

    Raises RuntimeError where there is no C++ compiler, which it needs.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise RuntimeError(f"no C++ compiler: {compiler} is not there")
    made: Callable[..., object] = torch.compile(function, dynamic=False, options=options)
    return made


class LayerPeers:
    """One layer's arrays as torch tensors, in the layout each form likes.

    x        (batch, height, width, channels)
    core     query, key, value (batch, height, width, heads, depth), rel_row, rel_col
    weights  of `attention_layer`, square
    """

    def __init__(self, x: npt.NDArray[Any], core: Mapping[str, npt.NDArray[Any]],
                 weights: Mapping[str, npt.NDArray[Any]], heads: int) -> None:
        self.heads = heads
        # Channels first in shape, channels last in memory.
        self.last = torch.from_numpy(x).permute(0, 3, 1, 2)
        self.x = self.last.contiguous()
        self.tables = [torch.from_numpy(core[name]) for name in ("rel_row", "rel_col")]
        self.parts = [torch.from_numpy(core[name]).permute(0, 3, 4, 1, 2).contiguous()
                      for name in ("query", "key", "value")]
        joined = np.concatenate([weights[name] for name in ("w_query", "w_key", "w_value")], axis=1)
        self.weights = torch.from_numpy(joined.T.copy())[:, :, None, None]

    def core(self, form: str, *, compile: bool = False) -> Callable[[], object]:
        """The core alone, (batch, heads, depth, height, width)."""
        function = CORES[form]
        return inferring(compiled(function) if compile else function, *self.parts, *self.tables)

    def layer(self, form: str, *, compile: bool = False) -> Callable[[], object]:
        """Projections and core, (batch, channels, height, width)."""
        function = layer(CORES[form], self.heads)
        return inferring(compiled(function) if compile else function, self.x, self.weights,
                         *self.tables)

    def convolution(self) -> Callable[[], object]:
        """3 x 3, of the same width, (batch, channels, height, width)."""
        channels = self.x.shape[1]
        weights = torch.rand(channels, channels, 3, 3).to(memory_format=torch.channels_last)
        return inferring(functools.partial(F.conv2d, padding=1), self.last, weights)
