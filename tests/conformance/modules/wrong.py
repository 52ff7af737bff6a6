"""Layers that compute something else, each in a known way or a known combination of ways."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class PerChannelSoftmax(nn.Module):
    """The most copied mistake: the product is never summed over a head's channels."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1,
                 bias=False):
        super().__init__()
        self.args = (out_channels, kernel_size, stride, padding, groups)
        self.rel_h = nn.Parameter(torch.randn(out_channels // 2, 1, 1, kernel_size, 1))
        self.rel_w = nn.Parameter(torch.randn(out_channels // 2, 1, 1, 1, kernel_size))
        self.key_conv = nn.Conv2d(in_channels, out_channels, 1, bias=bias)
        self.query_conv = nn.Conv2d(in_channels, out_channels, 1, bias=bias)
        self.value_conv = nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def forward(self, x):
        out, k, stride, pad, groups = self.args
        b, _, h, w = x.shape
        px = F.pad(x, [pad] * 4)
        key, value = (conv(px).unfold(2, k, stride).unfold(3, k, stride)
                      for conv in (self.key_conv, self.value_conv))
        kh, kw = key.split(out // 2, 1)
        key = torch.cat((kh + self.rel_h, kw + self.rel_w), 1)
        key, value = (t.contiguous().view(b, groups, out // groups, h, w, -1) for t in (key, value))
        q = self.query_conv(x).view(b, groups, out // groups, h, w, 1)
        a = F.softmax(q * key, dim=-1)
        return torch.einsum("bnchwk,bnchwk->bnchw", a, value).reshape(b, -1, h, w)


class BiasedProjections(nn.Module):
    """Padding before the projections, which have biases; interleaved heads."""

    def __init__(self, in_dim, out_dim, k, heads):
        super().__init__()
        self.k, self.heads = k, heads
        self.q = nn.Conv2d(in_dim, out_dim, 1)
        self.kv = nn.Conv2d(in_dim, 2 * out_dim, 1)
        for conv in (self.q, self.kv):
            nn.init.normal_(conv.bias)

    def forward(self, x):
        b, _, h, w = x.shape
        kk = self.k ** 2
        q = self.q(x).view(b, -1, self.heads, 1, h * w)
        kv = F.unfold(self.kv(F.pad(x, [self.k // 2] * 4)), self.k)
        key, value = (t.view(b, -1, self.heads, kk, h * w) for t in kv.chunk(2, 1))
        p = (q * key).sum(1, keepdim=True).softmax(3)
        return (p * value).sum(3).reshape(b, -1, h, w)


class DescendingEdges(nn.Module):
    """Tables that descend, an image continued by its edge pixels, both terms scaled."""

    def __init__(self, dim, kernel_size, n_heads):
        super().__init__()
        self.k, self.n, self.d = kernel_size, n_heads, dim // n_heads
        self.q, self.kk, self.v = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.pos_y = nn.Parameter(torch.randn(kernel_size, self.d // 2))
        self.pos_x = nn.Parameter(torch.randn(kernel_size, self.d // 2))

    def forward(self, x):
        b, c, h, w = x.shape
        t = x.permute(0, 2, 3, 1)
        p = self.k // 2
        edge = lambda f: F.pad(f(t).permute(0, 3, 1, 2), [p] * 4, mode="replicate")  # noqa: E731
        key, value = (edge(f).unfold(2, self.k, 1).unfold(3, self.k, 1)
                      .reshape(b, self.n, self.d, h, w, self.k, self.k) for f in (self.kk, self.v))
        q = self.q(t).view(b, h, w, self.n, self.d).permute(0, 3, 4, 1, 2)[..., None, None]
        y, z = self.pos_y.flip(0).T, self.pos_x.flip(0).T
        r = torch.cat([y[:, :, None].expand(-1, -1, self.k), z[:, None].expand(-1, self.k, -1)])
        s = (q * (key + r[:, None, None])).sum(2) / self.d ** 0.5
        s = s.flatten(-2).softmax(-1).unflatten(-1, (self.k, self.k))
        return (s[:, :, None] * value).sum((-1, -2)).reshape(b, c, h, w)


class EmbeddingOnValue(nn.Module):
    """The embedding joins the value; one map for all heads."""

    def __init__(self, channels_in, channels_out, kernel_size, heads):
        super().__init__()
        self.k = kernel_size
        self.w = nn.Conv2d(channels_in, 3 * channels_out, 1, bias=False)
        self.rows = nn.Parameter(torch.randn(kernel_size, channels_out // 2))
        self.cols = nn.Parameter(torch.randn(kernel_size, channels_out // 2))

    def forward(self, x):
        b, _, h, w = x.shape
        q, k, v = self.w(x).chunk(3, 1)
        k, v = (F.unfold(t, self.k, padding=self.k // 2).view(b, -1, self.k ** 2, h, w)
                for t in (k, v))
        p = (q[:, :, None] * k).sum(1, keepdim=True).softmax(2)
        r = torch.cat([self.rows[:, None].expand(-1, self.k, -1),
                       self.cols[None].expand(self.k, -1, -1)], -1).flatten(0, 1).T
        return (p * (v + r[None, :, :, None, None])).sum(2)


class Unheard(nn.Module):
    """A mistake that is in no list: the logits are squared."""

    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__()
        self.k, self.n = kernel_size, heads
        self.q = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.kk = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.v = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        b, _, h, w = x.shape
        gather = lambda t: F.unfold(t, self.k, padding=self.k // 2).view(  # noqa: E731
            b, self.n, -1, self.k ** 2, h * w)
        q = self.q(x).view(b, self.n, -1, 1, h * w)
        p = (q * gather(self.kk(x))).sum(2, keepdim=True).square().softmax(3)
        return (p * gather(self.v(x))).sum(3).reshape(b, -1, h, w)
