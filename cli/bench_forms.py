"""The attention core as torch users write it, and as it can be written at its best for compilers.

axis     what is given                       in torch
query    (batch, heads, depth, height, width), as key and value
tables   (extent, depth / 2) each            one for rows, one for columns, shared by the heads

Windows have an odd extent, and what lies outside the image is zero (PAD-1).
"""

from collections.abc import Callable

import numpy as np
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
    """(batch, depth, rows, cols, height, width, heads): every shifted image, without a copy.

    x  (batch, depth, height, width, heads)
    """
    padded = F.pad(x, (0, 0, *[extent // 2] * 4))
    return padded.unfold(2, extent, 1).unfold(3, extent, 1).permute(0, 1, 5, 6, 2, 3, 4)


def by_views(query: Tensor, key: Tensor, value: Tensor, row: Tensor, col: Tensor) -> Tensor:
    """The same for a compiler, which fuses what eager torch would write out.

    Heads are last inside, so that they fill vectors whatever the shift. Written as a loop it
    computes the same, but compiling 2 x 49 slots takes minutes.
    """
    q, k, v = (x.permute(0, 2, 3, 4, 1) for x in (query, key, value))
    half = row.shape[1]
    of_row = torch.einsum("bdhwn,rd->brhwn", q[:, :half], row)
    of_col = torch.einsum("bdhwn,rd->brhwn", q[:, half:], col)
    logits = ((q[:, :, None, None] * _views(k, len(row))).sum(1)
              + of_row[:, :, None] + of_col[:, None])
    p = logits.flatten(1, 2).softmax(dim=1).view(logits.shape)
    return (p[:, None] * _views(v, len(row))).sum((2, 3)).permute(0, 4, 1, 2, 3)


def _tiles(x: Tensor, extent: int, sizes: tuple[int, int]) -> Tensor:
    """(batch, heads, down, across, depth, reach, reach): what each tile of pixels sees.

    A tile has `extent` rows and columns, and reaches half a window further on every side.
    sizes  how many tiles there are, down and across
    """
    batch, heads, depth, height, width = map(int, x.shape)
    half, reach = extent // 2, 2 * extent - 1
    down, across = sizes
    seen = F.pad(x, (half, half + across * extent - width, half, half + down * extent - height))
    for axis, count in ((3, down), (4, across)):
        # NumPy's, so that to whoever traces this it is a constant.
        at = np.arange(count)[:, None] * extent + np.arange(reach)
        seen = seen.index_select(axis, torch.from_numpy(at.ravel()))
    return (seen.view(batch, heads, depth, down, reach, across, reach)
            .permute(0, 1, 3, 5, 2, 4, 6))


def _banded(table: Tensor) -> tuple[Tensor, Tensor]:
    """(extent, reach, half) entry of each row of a tile for each row that it reaches, and whether.

    The second is (extent, reach): 0 inside the window, minus infinity outside.
    """
    extent, half = map(int, table.shape)
    offset = np.arange(2 * extent - 1) - np.arange(extent)[:, None]
    nearest = offset.clip(0, extent - 1)
    outside = np.where(offset == nearest, 0, -np.inf).astype(np.float32)
    entries = table.index_select(0, torch.from_numpy(nearest.ravel()))
    return entries.view(*offset.shape, half), torch.from_numpy(outside)


def by_tiles(query: Tensor, key: Tensor, value: Tensor, row: Tensor, col: Tensor) -> Tensor:
    """Tiles of pixels against all that they reach, as matrix products, for engines.

    Almost 4 times the multiply-adds, but in the one operation that every engine does well.
    """
    # Plain numbers, also while it is traced: an engine is to know every size.
    batch, heads, depth, height, width = map(int, query.shape)
    extent, half = map(int, row.shape)
    down, across, reach = -(-height // extent), -(-width // extent), 2 * extent - 1
    filled = F.pad(query, (0, across * extent - width, 0, down * extent - height))
    # (batch, heads, down, across, rows, cols, depth) of each tile
    q = (filled.view(batch, heads, depth, down, extent, across, extent)
         .permute(0, 1, 3, 5, 4, 6, 2))
    k, v = (_tiles(x, extent, (down, across)).flatten(5) for x in (key, value))
    (rows, outside), (cols, _) = _banded(row), _banded(col)
    of_row = q[..., :half] @ rows.transpose(1, 2) + outside[:, None]
    of_col = (q[..., half:].transpose(4, 5) @ cols.transpose(1, 2)).transpose(4, 5) + outside
    logits = (q.flatten(4, 5) @ k).view(batch, heads, down, across, extent, extent, reach, reach)
    logits = logits + of_row[..., None] + of_col[..., None, :]
    p = logits.flatten(6).softmax(dim=-1).flatten(4, 5)
    y = (p @ v.transpose(-2, -1)).view(batch, heads, down, across, extent, extent, depth)
    y = y.permute(0, 1, 6, 2, 4, 3, 5).reshape(batch, heads, depth, down * extent, across * extent)
    return y[..., :height, :width]


CORES: dict[str, Core] = {"unfold, einsum": by_einsum, "unfold, matmul": by_matmul,
                          "shifts": by_shifts, "views": by_views, "tiles": by_tiles}
