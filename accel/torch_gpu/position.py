"""Absolute positions: the two-dimensional sinusoid, SPEC POS-2."""

import torch
from torch import Tensor


def absolute_embedding(height: int, width: int, depth: int, first_half: str) -> Tensor:
    """(height, width, depth) float64 on the CPU: the embedding of every pixel's position."""
    row = _sinusoid(height, depth // 2)[:, None].expand(height, width, -1)
    col = _sinusoid(width, depth // 2)[None].expand(height, width, -1)
    return torch.cat((row, col) if first_half == "row" else (col, row), dim=-1)


def _sinusoid(positions: int, channels: int) -> Tensor:
    # In float64 whatever the layer computes in: float32 angles would lose the far positions.
    channel = torch.arange(channels)
    exponent = (2 * (channel // 2)).to(torch.float64) / channels
    angle = torch.arange(positions, dtype=torch.float64)[:, None] / 10000.0 ** exponent
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())
