"""Layers in the styles of public repositories that compute the equation under some options.

Each is written as its author would: own names, own shapes, own padding. `VERDICTS` was worked out
by hand: the options that each follows.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class FixedAttentionConv(nn.Module):
    """The widely copied layer with its sum over the head's channels put in; rows of all heads."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1,
                 bias=False):
        super().__init__()
        self.out_channels, self.kernel_size = out_channels, kernel_size
        self.stride, self.padding, self.groups = stride, padding, groups
        assert self.out_channels % self.groups == 0, "out_channels should be divided by groups."
        self.rel_h = nn.Parameter(torch.randn(out_channels // 2, 1, 1, kernel_size, 1))
        self.rel_w = nn.Parameter(torch.randn(out_channels // 2, 1, 1, 1, kernel_size))
        self.key_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)
        self.query_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)
        self.value_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=bias)
        self.reset_parameters()

    def reset_parameters(self):
        for conv in (self.key_conv, self.value_conv, self.query_conv):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.rel_h, 0, 1)
        nn.init.normal_(self.rel_w, 0, 1)

    def forward(self, x):
        batch, _, height, width = x.size()
        padded_x = F.pad(x, [self.padding] * 4)
        q_out = self.query_conv(x)
        k_out = self.key_conv(padded_x)
        v_out = self.value_conv(padded_x)
        k_out = k_out.unfold(2, self.kernel_size, self.stride).unfold(3, self.kernel_size,
                                                                      self.stride)
        v_out = v_out.unfold(2, self.kernel_size, self.stride).unfold(3, self.kernel_size,
                                                                      self.stride)
        k_out_h, k_out_w = k_out.split(self.out_channels // 2, dim=1)
        k_out = torch.cat((k_out_h + self.rel_h, k_out_w + self.rel_w), dim=1)
        k_out = k_out.contiguous().view(batch, self.groups, self.out_channels // self.groups,
                                        height, width, -1)
        v_out = v_out.contiguous().view(batch, self.groups, self.out_channels // self.groups,
                                        height, width, -1)
        q_out = q_out.view(batch, self.groups, self.out_channels // self.groups, height, width, 1)
        out = (q_out * k_out).sum(dim=2, keepdim=True)
        out = F.softmax(out, dim=-1)
        out = (out * v_out).sum(dim=-1)
        return out.view(batch, -1, height, width)


class NeighborhoodAttention(nn.Module):
    """Windows shifted inside, no positions, one linear layer for all, scaled: tokens kept last."""

    def __init__(self, dim, num_heads, kernel_size, qkv_bias=False, qk_scale=None, attn_drop=0.0,
                 proj_drop=0.0):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, dim // num_heads
        self.scale = qk_scale or self.head_dim ** -0.5
        self.kernel_size = kernel_size
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Identity()
        self.proj_drop = nn.Dropout(proj_drop)

    def neighbours(self, size, device):
        start = (torch.arange(size, device=device) - self.kernel_size // 2).clamp(
            0, size - self.kernel_size)
        return start[:, None] + torch.arange(self.kernel_size, device=device)

    def forward(self, x):
        B, H, W, C = x.shape  # noqa: N806
        qkv = self.qkv(x).reshape(B, H, W, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(3, 0, 4, 1, 2, 5)
        q = q * self.scale
        rows, cols = self.neighbours(H, x.device), self.neighbours(W, x.device)
        k = k[:, :, rows][:, :, :, :, cols].transpose(3, 4).flatten(4, 5)
        v = v[:, :, rows][:, :, :, :, cols].transpose(3, 4).flatten(4, 5)
        attn = (q.unsqueeze(-2) @ k.transpose(-1, -2)).softmax(dim=-1)
        x = (self.attn_drop(attn) @ v).squeeze(-2)
        return self.proj_drop(self.proj(x.permute(0, 2, 3, 1, 4).reshape(B, H, W, C)))


class EinopsAttention(nn.Module):
    """Channels written as in einops, "b (n d) h w": per-head tables, both terms scaled."""

    def __init__(self, dim, dim_head=32, heads=8, window=7):
        super().__init__()
        inner_dim = heads * dim_head
        self.heads, self.window, self.scale = heads, window, dim_head ** -0.5
        self.to_q = nn.Conv2d(dim, inner_dim, 1, bias=False)
        self.to_kv = nn.Conv2d(dim, inner_dim * 2, 1, bias=False)
        self.rel_height = nn.Parameter(torch.randn(heads, window, dim_head // 2) * self.scale)
        self.rel_width = nn.Parameter(torch.randn(heads, window, dim_head // 2) * self.scale)

    def forward(self, fmap):
        b, _, h, w = fmap.shape
        pad = self.window // 2
        q, (k, v) = self.to_q(fmap), self.to_kv(fmap).chunk(2, dim=1)
        k, v = (F.unfold(t, self.window, padding=pad) for t in (k, v))
        q = q.reshape(b, self.heads, -1, h * w).permute(0, 1, 3, 2) * self.scale
        k, v = (t.reshape(b, self.heads, -1, self.window ** 2, h * w).permute(0, 1, 4, 3, 2)
                for t in (k, v))
        sim = torch.einsum("b n p d, b n p s d -> b n p s", q, k)
        qh, qw = q.chunk(2, dim=-1)
        rel_h = torch.einsum("b n p d, n i d -> b n p i", qh, self.rel_height)
        rel_w = torch.einsum("b n p d, n j d -> b n p j", qw, self.rel_width)
        sim = sim + (rel_h[..., :, None] + rel_w[..., None, :]).flatten(-2)
        out = torch.einsum("b n p s, b n p s d -> b n p d", sim.softmax(dim=-1), v)
        return out.permute(0, 1, 3, 2).reshape(b, -1, h, w)


class GroupedProjections(nn.Module):
    """Grouped 1x1 convolutions: each head sees its own channels of the input."""

    def __init__(self, in_planes, out_planes, kernel_size=3, groups=4):
        super().__init__()
        self.k, self.groups = kernel_size, groups
        conv = lambda: nn.Conv2d(in_planes, out_planes, 1, groups=groups, bias=False)  # noqa: E731
        self.conv_q, self.conv_k, self.conv_v = conv(), conv(), conv()
        self.height = nn.Parameter(torch.zeros(kernel_size, out_planes // groups // 2))
        self.width = nn.Parameter(torch.zeros(kernel_size, out_planes // groups // 2))

    def forward(self, x):
        n, _, h, w = x.shape
        f = lambda t: F.unfold(t, self.k, padding=self.k // 2).view(  # noqa: E731
            n * self.groups, -1, self.k ** 2, h * w)
        q = self.conv_q(x).view(n * self.groups, -1, 1, h * w)
        r = torch.cat([self.height.repeat_interleave(self.k, 0), self.width.repeat(self.k, 1)], 1)
        logits = (q * (f(self.conv_k(x)) + r.t()[None, :, :, None])).sum(1)
        weights = torch.softmax(logits, 1)
        return (weights[:, None] * f(self.conv_v(x))).sum(2).view(n, -1, h, w)


class Head(nn.Module):
    """One head with projections and tables of its own."""

    def __init__(self, cin, d, k):
        super().__init__()
        self.k, self.q, self.key, self.v = k, *(nn.Linear(cin, d, bias=False) for _ in range(3))

    def forward(self, x, r):
        b, h, w, _ = x.shape
        p = self.k // 2
        q, k, v = self.q(x), self.key(x), self.v(x)
        k, v = (F.pad(t, (0, 0, p, p, p, p)).unfold(1, self.k, 1).unfold(2, self.k, 1)
                for t in (k, v))
        s = torch.einsum("bhwd,bhwdij->bhwij", q, k) + torch.einsum("bhwd,ijd->bhwij", q, r)
        a = s.view(b, h, w, -1).softmax(-1).view_as(s)
        return torch.einsum("bhwij,bhwdij->bhwd", a, v)


class SeparateHeads(nn.Module):
    """A list of heads, one table of rows and columns for all."""

    def __init__(self, c_in, c_out, k, num_heads):
        super().__init__()
        d = c_out // num_heads
        self.heads = nn.ModuleList(Head(c_in, d, k) for _ in range(num_heads))
        self.row_embed, self.col_embed = nn.Embedding(k, d // 2), nn.Embedding(k, d // 2)

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        row, col = self.row_embed.weight, self.col_embed.weight
        r = torch.cat([row[:, None].expand(-1, len(col), -1), col[None].expand(len(row), -1, -1)],
                      -1)
        return torch.cat([head(x, r) for head in self.heads], -1).permute(0, 3, 1, 2)


class KerasStyleAttention(nn.Module):
    """Channels last, dense layers by name, as ported from Keras."""

    def __init__(self, input_dim, filters, kernel_size, num_heads):
        super().__init__()
        self.filters, self.kernel_size, self.num_heads = filters, kernel_size, num_heads
        self.query_dense = nn.Linear(input_dim, filters, bias=False)
        self.key_dense = nn.Linear(input_dim, filters, bias=False)
        self.value_dense = nn.Linear(input_dim, filters, bias=False)
        depth = filters // num_heads
        self.relative_rows = nn.Parameter(torch.empty(kernel_size, depth // 2).normal_(0, 0.02))
        self.relative_cols = nn.Parameter(torch.empty(kernel_size, depth // 2).normal_(0, 0.02))

    def extract_patches(self, t):
        p = self.kernel_size // 2
        t = F.pad(t, (0, 0, p, p, p, p))
        rows = [t[:, i:t.shape[1] - 2 * p + i, j:t.shape[2] - 2 * p + j]
                for i in range(self.kernel_size) for j in range(self.kernel_size)]
        return torch.stack(rows, 3).unflatten(-1, (self.num_heads, -1))

    def forward(self, inputs):
        q = self.query_dense(inputs).unflatten(-1, (self.num_heads, -1))
        k = self.extract_patches(self.key_dense(inputs))
        v = self.extract_patches(self.value_dense(inputs))
        logits = torch.einsum("bhwnd,bhwpnd->bhwnp", q, k)
        q_rows, q_cols = q.chunk(2, -1)
        rel = (q_rows @ self.relative_rows.T)[..., :, None] + (q_cols @ self.relative_cols.T)[
            ..., None, :]
        weights = torch.softmax(logits + rel.flatten(-2), -1)
        return torch.einsum("bhwnp,bhwpnd->bhwnd", weights, v).flatten(-2)


class HaloBlocks(nn.Module):
    """Blocks of queries gather a halo; each query then keeps its own window of it by a mask."""

    def __init__(self, dim, block_size, halo_size, dim_head=16, heads=4):
        super().__init__()
        self.block, self.halo, self.heads = block_size, halo_size, heads
        self.scale = dim_head ** -0.5
        self.to_q = nn.Conv2d(dim, heads * dim_head, 1, bias=False)
        self.to_kv = nn.Conv2d(dim, 2 * heads * dim_head, 1, bias=False)
        self.rel = nn.Parameter(torch.randn(2, 2 * halo_size + 1, dim_head // 2))

    def forward(self, x):
        b, _, h, w = x.shape
        s, r, n = self.block, self.halo, self.heads
        q = self.to_q(x).view(b, n, -1, h // s, s, w // s, s).permute(0, 1, 3, 5, 4, 6, 2)
        kv = F.pad(self.to_kv(x), (r, r, r, r)).unfold(2, s + 2 * r, s).unfold(3, s + 2 * r, s)
        k, v = kv.reshape(b, 2, n, -1, h // s, w // s, s + 2 * r, s + 2 * r).permute(
            1, 0, 2, 4, 5, 6, 7, 3)
        at = torch.arange(s)
        to = torch.arange(s + 2 * r)
        offset = to[None] - at[:, None]
        keep = (offset >= 0) & (offset <= 2 * r)
        slot = offset.clamp(0, 2 * r)
        qr, qc = q.chunk(2, -1)
        sim = torch.einsum("bnyxijd,bnyxuvd->bnyxijuv", q, k)
        sim = sim + torch.einsum("bnyxijd,iud->bnyxiju", qr, self.rel[0][slot])[..., None]
        sim = sim + torch.einsum("bnyxijd,jvd->bnyxijv", qc, self.rel[1][slot])[..., None, :]
        mask = keep[:, None, :, None] & keep[None, :, None, :]
        sim = (sim * self.scale).masked_fill(~mask, float("-inf"))
        a = sim.flatten(-2).softmax(-1).view_as(sim)
        out = torch.einsum("bnyxijuv,bnyxuvd->bndyixj", a, v)
        return out.reshape(b, -1, h, w)


DEPTH = "1/sqrt(depth)"
VERDICTS = {
    FixedAttentionConv: {"relative": "layer_halves"},
    NeighborhoodAttention: {"padding": "shift", "position": "none", "scale": DEPTH},
    EinopsAttention: {"relative": "per_head", "scale": DEPTH},
    GroupedProjections: {"projection": "per_head"},
    SeparateHeads: {},
    KerasStyleAttention: {},
    HaloBlocks: {"scale": DEPTH},
}
