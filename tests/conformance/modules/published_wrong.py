"""Layers in the styles of public repositories that compute something else, in ways with a name.

Each is written as its author would. `VERDICTS` was worked out by hand: exactly the deviations that
each has.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class AttentionConv(nn.Module):
    """The widely copied layer: halves of the whole layer, a softmax for every channel."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1,
                 bias=False):
        super().__init__()
        self.out_channels, self.kernel_size = out_channels, kernel_size
        self.stride, self.padding, self.groups = stride, padding, groups
        self.rel_h = nn.Parameter(torch.randn(out_channels // 2, 1, 1, kernel_size, 1),
                                  requires_grad=True)
        self.rel_w = nn.Parameter(torch.randn(out_channels // 2, 1, 1, 1, kernel_size),
                                  requires_grad=True)
        self.key_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)
        self.query_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)
        self.value_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)

    def forward(self, x):
        batch, _, height, width = x.size()
        pad, k = self.padding, self.kernel_size
        padded_x = F.pad(x, [pad, pad, pad, pad])
        q_out = self.query_conv(x)
        k_out = self.key_conv(padded_x).unfold(2, k, self.stride).unfold(3, k, self.stride)
        v_out = self.value_conv(padded_x).unfold(2, k, self.stride).unfold(3, k, self.stride)
        k_out_h, k_out_w = k_out.split(self.out_channels // 2, dim=1)
        k_out = torch.cat((k_out_h + self.rel_h, k_out_w + self.rel_w), dim=1)
        shape = (batch, self.groups, self.out_channels // self.groups, height, width, -1)
        k_out, v_out = k_out.contiguous().view(*shape), v_out.contiguous().view(*shape)
        out = F.softmax(q_out.view(*shape[:-1], 1) * k_out, dim=-1)
        return torch.einsum("bnchwk,bnchwk -> bnchw", out, v_out).view(batch, -1, height, width)


class UnfoldAfterBias(nn.Module):
    """Biased convolutions of the padded image: outside stand their biases."""

    def __init__(self, in_channels, out_channels, kernel_size, num_heads):
        super().__init__()
        self.k, self.n = kernel_size, num_heads
        self.query = nn.Conv2d(in_channels, out_channels, 1, bias=True)
        self.key = nn.Conv2d(in_channels, out_channels, 1, bias=True)
        self.value = nn.Conv2d(in_channels, out_channels, 1, bias=True)

    def forward(self, x):
        b, _, h, w = x.shape
        padded = F.pad(x, [self.k // 2] * 4)
        q = self.query(x).view(b, self.n, -1, 1, h, w)
        k, v = (F.unfold(conv(padded), self.k).view(b, self.n, -1, self.k ** 2, h, w)
                for conv in (self.key, self.value))
        return ((q * k).sum(2, True).softmax(3) * v).sum(3).flatten(1, 2)


class RollShifts(nn.Module):
    """k * k shifts by roll: what leaves on one side comes back on the other."""

    def __init__(self, cin, cout, k, heads):
        super().__init__()
        self.k, self.heads = k, heads
        self.w = nn.ParameterList(nn.Parameter(torch.randn(cin, cout) * cin ** -0.5)
                                  for _ in range(3))
        self.dy = nn.Parameter(torch.randn(heads, k, cout // heads // 2))
        self.dx = nn.Parameter(torch.randn(heads, k, cout // heads // 2))

    def forward(self, x):
        q, k, v = ((x.movedim(1, -1) @ w).unflatten(-1, (self.heads, -1)) for w in self.w)
        p, logits, values = self.k // 2, [], []
        for i in range(self.k):
            for j in range(self.k):
                turn = lambda t: torch.roll(t, (p - i, p - j), (1, 2))  # noqa: B023, E731
                r = torch.cat((self.dy[:, i], self.dx[:, j]), -1)
                logits.append((q * (turn(k) + r)).sum(-1))
                values.append(turn(v))
        a = torch.softmax(torch.stack(logits), 0)
        return (a[..., None] * torch.stack(values)).sum(0).flatten(-2).movedim(-1, 1)


class HaloBackwards(nn.Module):
    """Blocks with halos whose offsets count from the key to the query."""

    def __init__(self, dim, heads, halo, block=4):
        super().__init__()
        self.b, self.r, self.n, self.d = block, halo, heads, dim // heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.rel_y = nn.Parameter(torch.randn(2 * halo + 1, self.d // 2))
        self.rel_x = nn.Parameter(torch.randn(2 * halo + 1, self.d // 2))

    def forward(self, x):
        height, width = x.shape[1:3]
        q, k, v = self.qkv(x).chunk(3, -1)
        r, size = self.r, self.b
        out = torch.zeros_like(q)
        k, v = (F.pad(t, (0, 0, r, r, r, r)) for t in (k, v))
        offset = torch.arange(size)[:, None] + r - torch.arange(size + 2 * r)[None]
        keep, slot = offset.abs() <= r, (offset + r).clamp(0, 2 * r)
        for y in range(0, height, size):
            for z in range(0, width, size):
                part = q[:, y:y + size, z:z + size].unflatten(-1, (self.n, self.d))
                key, value = (t[:, y:y + size + 2 * r, z:z + size + 2 * r].unflatten(
                    -1, (self.n, self.d)) for t in (k, v))
                s = torch.einsum("bijnd,buvnd->bnijuv", part, key)
                s = s + torch.einsum("bijnd,iud->bniju", part[..., :self.d // 2],
                                     self.rel_y[slot])[..., None]
                s = s + torch.einsum("bijnd,jvd->bnijv", part[..., self.d // 2:],
                                     self.rel_x[slot])[:, :, :, :, None]
                s = s.masked_fill(~(keep[:, None, :, None] & keep[None, :, None]), -torch.inf)
                a = s.flatten(-2).softmax(-1).view_as(s)
                mixed = torch.einsum("bnijuv,buvnd->bijnd", a, value).flatten(-2)
                out[:, y:y + size, z:z + size] = mixed
        return out


class WindowedMHA(nn.Module):
    """torch's own multi-head attention on every window, with all its biases."""

    def __init__(self, embed_dim, num_heads, window_size):
        super().__init__()
        self.k = window_size
        self.attn = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)

    def forward(self, x):
        b, c, h, w = x.shape
        seen = F.unfold(x, self.k, padding=self.k // 2).view(b, c, self.k ** 2, h * w)
        seen = seen.permute(0, 3, 2, 1).reshape(b * h * w, self.k ** 2, c)
        query = x.permute(0, 2, 3, 1).reshape(b * h * w, 1, c)
        y, _ = self.attn(query, seen, seen, need_weights=False)
        return y.view(b, h, w, c).permute(0, 3, 1, 2)


VERDICTS = {
    AttentionConv: {"softmax-per-channel"},
    UnfoldAfterBias: {"padding-before-projection", "projection-biased"},
    RollShifts: {"padding-wrapped"},
    HaloBackwards: {"offset-descending"},
    WindowedMHA: {"padding-before-projection", "projection-biased", "output-projection"},
}
