"""More layers like those of `published_right`, some of which are harder to build or to run."""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .plain import Plain


class ChannelsByOne(nn.Module):
    """A class that knows no heads: one map over all channels is its one head."""

    def __init__(self, in_ch, out_ch, k):
        super().__init__()
        self.k = k
        self.theta = nn.Conv2d(in_ch, out_ch, 1, bias=False)
        self.phi = nn.Conv2d(in_ch, out_ch, 1, bias=False)
        self.g = nn.Conv2d(in_ch, out_ch, 1, bias=False)

    def forward(self, x):
        b, _, h, w = x.shape
        k, v = (F.unfold(f(x), self.k, padding=self.k // 2).view(b, -1, self.k ** 2, h, w)
                for f in (self.phi, self.g))
        a = torch.einsum("bchw,bcshw->bshw", self.theta(x), k).softmax(1)
        return torch.einsum("bshw,bcshw->bchw", a, v)


class FourHeadsInside(nn.Module):
    """A class whose four heads no argument sets; a learned temperature; extra arguments."""

    HEADS = 4

    def __init__(self, nin, nout, ks=3):
        super().__init__()
        self.ks = ks
        self.q, self.k, self.v = (nn.Conv2d(nin, nout, 1, bias=False) for _ in range(3))
        self.temperature = nn.Parameter(torch.ones(1))

    def forward(self, x, mask=None, return_attention=False):
        b, _, h, w = x.shape
        q = self.q(x).view(b, self.HEADS, -1, 1, h * w)
        k, v = (F.unfold(f(x), self.ks, padding=self.ks // 2).view(
            b, self.HEADS, -1, self.ks ** 2, h * w) for f in (self.k, self.v))
        a = ((q * k).sum(2, keepdim=True) * self.temperature).softmax(3)
        y = (a * v).sum(3).reshape(b, -1, h, w)
        return (y, a) if return_attention else y


class HalfPrecisionSafe(nn.Module):
    """The softmax in float32 whatever the input is, tables as a buffer that starts at zero."""

    def __init__(self, channels, num_heads, window_size):
        super().__init__()
        self.n, self.k = num_heads, window_size
        self.to_qkv = nn.Conv2d(channels, channels * 3, 1, bias=False)
        self.register_buffer("tab", torch.zeros(2, window_size, channels // num_heads // 2))

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.to_qkv(x).view(b, 3, self.n, c // self.n, h, w).unbind(1)
        fold = lambda t: F.unfold(t.reshape(b, c, h, w), self.k, padding=self.k // 2).view(  # noqa: E731
            b, self.n, -1, self.k ** 2, h, w)
        rows = self.tab[0][:, None].expand(-1, self.k, -1)
        cols = self.tab[1][None].expand(self.k, -1, -1)
        r = torch.cat([rows, cols], -1).flatten(0, 1).t()[None, None, :, :, None, None]
        s = (q.unsqueeze(3) * (fold(k) + r)).sum(2).float()
        return (s.softmax(2).type_as(v).unsqueeze(2) * fold(v)).sum(3).reshape(b, c, h, w)


class TokenAttention(nn.Module):
    """Tokens of a square image, linear layers, an attention over gathered indices."""

    def __init__(self, d_model, nhead, neighborhood=3):
        super().__init__()
        self.nhead, self.r = nhead, neighborhood // 2
        self.linear_q = nn.Linear(d_model, d_model, bias=False)
        self.linear_k = nn.Linear(d_model, d_model, bias=False)
        self.linear_v = nn.Linear(d_model, d_model, bias=False)

    def forward(self, tokens):
        b, n, c = tokens.shape
        side = int(math.sqrt(n))
        assert side * side == n, "tokens of a square image"
        at = torch.arange(n)
        near = ((at[:, None] // side - at // side).abs() <= self.r) & (
            (at[:, None] % side - at % side).abs() <= self.r)
        q, k, v = (f(tokens).view(b, n, self.nhead, -1).transpose(1, 2)
                   for f in (self.linear_q, self.linear_k, self.linear_v))
        s = (q @ k.transpose(-1, -2)) / math.sqrt(c // self.nhead)
        a = s.masked_fill(~near, float("-inf")).softmax(-1)
        return (a @ v).transpose(1, 2).reshape(b, n, c)


class ShiftAttention(nn.Module):
    """k * k shifted copies of keys and values, the softmax kept running as it goes."""

    def __init__(self, inp, oup, ksize, head):
        super().__init__()
        self.ksize, self.head = ksize, head
        self.wq, self.wk, self.wv = (nn.Parameter(torch.randn(oup, inp) / inp ** 0.5)
                                     for _ in range(3))
        self.ey = nn.Parameter(torch.randn(oup // head // 2, ksize))
        self.ex = nn.Parameter(torch.randn(oup // head // 2, ksize))

    def shift(self, t, dy, dx):
        out = torch.zeros_like(t)
        h, w = t.shape[-2:]
        out[..., max(-dy, 0):h - max(dy, 0), max(-dx, 0):w - max(dx, 0)] = \
            t[..., max(dy, 0):h + min(dy, 0), max(dx, 0):w + min(dx, 0)]
        return out

    def forward(self, x):
        b, _, h, w = x.shape
        q, k, v = (torch.einsum("oc,bchw->bohw", m, x).view(b, self.head, -1, h, w)
                   for m in (self.wq, self.wk, self.wv))
        top = total = acc = None
        for i in range(self.ksize):
            for j in range(self.ksize):
                dy, dx = i - self.ksize // 2, j - self.ksize // 2
                r = torch.cat([self.ey[:, i], self.ex[:, j]])[None, None, :, None, None]
                s = (q * (self.shift(k, dy, dx) + r)).sum(2, keepdim=True)
                new = s if top is None else torch.maximum(top, s)
                old = 0 if top is None else torch.exp(top - new)
                e = torch.exp(s - new)
                total = e if total is None else total * old + e
                acc = e * self.shift(v, dy, dx) if acc is None else \
                    acc * old + e * self.shift(v, dy, dx)
                top = new
        return (acc / total).reshape(b, -1, h, w)


class FusedChunk(nn.Module):
    """One convolution for all three, the keys first; masked outside, both terms scaled."""

    def __init__(self, channels, kernel_size=7, n_heads=8):
        super().__init__()
        self.k, self.h = kernel_size, n_heads
        self.kqv_conv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.register_buffer("neg", torch.tensor(-1e9))
        self.rel = nn.Parameter(torch.randn(2, channels // n_heads // 2, kernel_size))

    def forward(self, x):
        b, c, h, w = x.shape
        d, kk = c // self.h, self.k * self.k
        k, q, v = torch.chunk(self.kqv_conv(x), 3, dim=1)
        unf = lambda t: F.unfold(t, self.k, padding=self.k // 2).view(  # noqa: E731
            b, self.h, -1, kk, h * w)
        q = q.reshape(b, self.h, d, h * w)
        row = torch.einsum("bhdp,di->bhip", q[:, :, :d // 2], self.rel[0])
        col = torch.einsum("bhdp,dj->bhjp", q[:, :, d // 2:], self.rel[1])
        s = torch.einsum("bhdp,bhdkp->bhkp", q, unf(k))
        s = (s + (row[:, :, :, None] + col[:, :, None]).flatten(2, 3)) / math.sqrt(d)
        outside = F.unfold(torch.ones(1, 1, h, w, dtype=x.dtype), self.k, padding=self.k // 2) == 0
        a = torch.where(outside[:, None], self.neg.to(s), s).softmax(2)
        return torch.einsum("bhkp,bhdkp->bhdp", a, unf(v)).reshape(b, c, h, w)


class SlidingRelative(nn.Module):
    """Windows shifted inside with tables of true offsets; tokens with their height and width."""

    def __init__(self, dim, heads, window_size, **kwargs):
        super().__init__()
        self.n, self.k, self.scale = heads, window_size, (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.rel_y = nn.Embedding(2 * window_size - 1, dim // heads // 2)
        self.rel_x = nn.Embedding(2 * window_size - 1, dim // heads // 2)

    def seen(self, size):
        start = (torch.arange(size) - self.k // 2).clamp(0, size - self.k)
        at = start[:, None] + torch.arange(self.k)
        return at, at - torch.arange(size)[:, None] + self.k - 1

    def forward(self, x, H, W):  # noqa: N803
        q, k, v = self.qkv(x).view(len(x), H, W, 3, self.n, -1).unbind(3)
        (rows, by_row), (cols, by_col) = self.seen(H), self.seen(W)
        k, v = (t[:, rows][:, :, :, cols].transpose(2, 3) for t in (k, v))
        upper, lower = (q * self.scale).chunk(2, -1)
        s = torch.einsum("bhwnd,bhwijnd->bhwnij", q * self.scale, k)
        s = s + torch.einsum("bhwnd,hid->bhwni", upper, self.rel_y(by_row))[..., None]
        s = s + torch.einsum("bhwnd,wjd->bhwnj", lower, self.rel_x(by_col))[..., None, :]
        a = s.flatten(-2).softmax(-1).view_as(s)
        return torch.einsum("bhwnij,bhwijnd->bhwnd", a, v).reshape(x.shape)


class TokensByConv1d(nn.Module):
    """Convolutions of one axis on flattened pixels, an additive mask, scaled by the width."""

    def __init__(self, in_dim, out_dim, heads, k):
        super().__init__()
        self.n, self.k = heads, k
        self.a, self.b, self.c = (nn.Conv1d(in_dim, out_dim, 1, bias=False) for _ in range(3))

    def patches(self, t, value=0.0):
        t = F.pad(t, [self.k // 2] * 4, value=value).unfold(2, self.k, 1).unfold(3, self.k, 1)
        return t.unflatten(1, (self.n, -1)) if t.shape[1] > 1 else t.unsqueeze(1)

    def forward(self, x):
        q, k, v = (f(x.flatten(2)).unflatten(2, x.shape[2:]) for f in (self.a, self.b, self.c))
        s = (q.unflatten(1, (self.n, -1))[..., None, None] * self.patches(k)).sum(2)
        s = s * q.shape[1] ** -0.5 + self.patches(torch.zeros_like(x[:1, :1]), -1e30)[:, 0]
        a = s.flatten(-2).softmax(-1).view_as(s)
        return (a.unsqueeze(2) * self.patches(v)).sum((-1, -2)).flatten(1, 2)


class LogitScale(Plain):
    """A learned factor of the logits, kept as its logarithm; a weight norm on the queries."""

    def make(self):
        super().make()
        self.tables(self.d // 2)
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.q = nn.utils.parametrizations.weight_norm(self.q)

    def logits(self, q, k):
        s = super().logits(q, k) + self.relative(q, self.embedding())
        return s * self.logit_scale.exp()


DEPTH = "1/sqrt(depth)"
VERDICTS = {
    ChannelsByOne: {"position": "none"},
    FourHeadsInside: {"position": "none"},
    HalfPrecisionSafe: {},
    TokenAttention: {"padding": "exclude", "position": "none", "scale": DEPTH},
    ShiftAttention: {},
    FusedChunk: {"padding": "exclude", "scale": DEPTH},
    SlidingRelative: {"padding": "shift", "scale": DEPTH},
    TokensByConv1d: {"padding": "exclude", "position": "none", "scale": "1/sqrt(channels_out)"},
    LogitScale: {},
}
