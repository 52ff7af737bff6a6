"""Value mixture: one matrix per position of the pooling window. SPEC MIX-1 to MIX-3."""

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from sasakit.reference.contract.checks import check_value_mixture

from .arrays import TORCH, widen


def value_mixture(x: Tensor, w_value: Tensor, emb_row: Tensor, emb_col: Tensor,
                  nu: Tensor) -> Tensor:
    """(batch, height, width, channels_out): ( sum_m p(a, b, m) W_m ) x at every pixel, SPEC MIX-3.

    x                 (batch, height, width, channels_in), float16, bfloat16, float32 or float64
    w_value           (mixtures, channels_in, channels_out)
    emb_row, emb_col  (window_rows, embedding), (window_cols, embedding)
    nu                (mixtures, embedding)
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_value_mixture(TORCH, x, w_value, emb_row, emb_col, nu)
    return mix(widen(x), w_value, emb_row, emb_col, nu).to(x.dtype)


def mix(x: Tensor, w_value: Tensor, emb_row: Tensor, emb_col: Tensor, nu: Tensor) -> Tensor:
    """What `value_mixture` gives, unchecked, in the dtype of x."""
    blocks = split_blocks(x, len(emb_row), len(emb_col))
    return join_blocks(mix_blocks(blocks, w_value, emb_row, emb_col, nu), x, len(emb_col))


def mix_blocks(blocks: Tensor, w_value: Tensor, emb_row: Tensor, emb_col: Tensor,
               nu: Tensor) -> Tensor:
    """(batch, blocks, pixels, channels_out) of what `split_blocks` gives."""
    w_value, emb_row, emb_col, nu = (w.to(blocks.dtype) for w in (w_value, emb_row, emb_col, nu))
    # SPEC MIX-1: a softmax over the mixtures.
    p = torch.softmax((emb_row[:, None] + emb_col) @ nu.T, dim=-1).flatten(0, 1)
    # SPEC MIX-2: a matrix for every pixel of the pooling window, wherever the window lies.
    matrices = torch.einsum("pm,mio->pio", p, w_value)
    return torch.einsum("bnpi,pio->bnpo", blocks, matrices)


def split_blocks(x: Tensor, rows: int, cols: int) -> Tensor:
    """(batch, blocks, pixels, channels) of an image, both row by row.

    x  (batch, height, width, channels)
    The last blocks are filled up with zeros.
    """
    height, width = x.shape[1:3]
    filled = F.pad(x, (0, 0, 0, -width % cols, 0, -height % rows))
    down, across = filled.shape[1] // rows, filled.shape[2] // cols
    blocks = filled.view(len(x), down, rows, across, cols, x.shape[3]).transpose(2, 3)
    return blocks.reshape(len(x), down * across, rows * cols, x.shape[3])


def join_blocks(blocks: Tensor, x: Tensor, cols: int) -> Tensor:
    """(batch, height, width, channels) for the image x, without what filled up the blocks."""
    (batch, height, width), (count, pixels, channels) = x.shape[:3], blocks.shape[1:]
    across, rows = -(-width // cols), pixels // cols
    parts = blocks.view(batch, count // across, across, rows, cols, channels).transpose(2, 3)
    image = parts.reshape(batch, count // across * rows, across * cols, channels)
    return image[:, :height, :width]
