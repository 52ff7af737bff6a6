"""Attention stems by many hands: right ones under each reading, and wrong ones."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class PublicStem(nn.Module):
    """In the style of the most copied stem: sliding windows, the mixture by slot, no sum over a
    head's channels; normalization and pool are left to the network."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1, m=4,
                 bias=False):
        super().__init__()
        self.k, self.stride, self.padding, self.groups, self.m = (
            kernel_size, stride, padding, groups, m)
        self.emb_a = nn.Parameter(torch.randn(out_channels // groups, kernel_size))
        self.emb_b = nn.Parameter(torch.randn(out_channels // groups, kernel_size))
        self.emb_mix = nn.Parameter(torch.randn(m, out_channels // groups))
        self.key_conv = nn.Conv2d(in_channels, out_channels, 1, bias=bias)
        self.query_conv = nn.Conv2d(in_channels, out_channels, 1, bias=bias)
        self.value_conv = nn.ModuleList([
            nn.Conv2d(in_channels, out_channels, 1, bias=bias) for _ in range(m)])

    def mixture(self):
        a = torch.einsum("mc,ca->ma", self.emb_mix, self.emb_a)
        b = torch.einsum("mc,cb->mb", self.emb_mix, self.emb_b)
        return F.softmax(a[:, :, None] + b[:, None], dim=0).view(self.m, 1, 1, 1, 1, self.k, self.k)

    def forward(self, x):
        n, _, h, w = x.shape
        padded = F.pad(x, [self.padding] * 4)
        windows = lambda t, axis: t.unfold(axis, self.k, self.stride).unfold(  # noqa: E731
            axis + 1, self.k, self.stride)
        k = windows(self.key_conv(padded), 2)[:, :, :h, :w]
        v = windows(torch.stack([conv(padded) for conv in self.value_conv]), 3)[:, :, :, :h, :w]
        v = (self.mixture() * v).sum(0)
        k, v = (t.contiguous().view(n, self.groups, -1, h, w, self.k ** 2) for t in (k, v))
        q = self.query_conv(x).view(n, self.groups, -1, h, w, 1)
        p = self.probabilities(q * k)
        return torch.einsum("bnchwk,bnchwk->bnchw", p, v).view(n, -1, h, w)

    def probabilities(self, products):
        return F.softmax(products, dim=-1)


class SlidingHeads(PublicStem):
    """The same with a true softmax of each head."""

    def probabilities(self, products):
        return F.softmax(products.sum(2, keepdim=True), dim=-1).expand_as(products)


class BlockStem(nn.Module):
    """Right: blocks by reshaping, the mixture by place in the block, norm and maximum."""

    def __init__(self, in_channels, out_channels, window_size, heads, mixtures=4):
        super().__init__()
        self.w, self.n, self.m = window_size, heads, mixtures
        self.d = out_channels // heads
        self.qk = nn.Conv2d(in_channels, 2 * out_channels, 1, bias=False)
        self.make_values(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(out_channels)

    def make_values(self, channels_in, channels_out):
        self.values = nn.Parameter(torch.randn(self.m, channels_out, channels_in) / channels_in)
        self.rows = nn.Parameter(torch.randn(self.w, self.d))
        self.cols = nn.Parameter(torch.randn(self.w, self.d))
        self.nu = nn.Parameter(torch.randn(self.m, self.d))

    def logits_of_mixtures(self):
        return (self.rows[:, None] + self.cols) @ self.nu.T

    def mixture(self):
        return self.logits_of_mixtures().softmax(-1)

    def value(self, x):
        p = self.mixture().repeat(x.shape[2] // self.w + 1, x.shape[3] // self.w + 1, 1)
        p = p[:x.shape[2], :x.shape[3]]
        return torch.einsum("ijm,moc,bcij->boij", p, self.values, x)

    def logits(self, q, k):
        return q.transpose(-1, -2) @ k

    def finish(self, y):
        return F.max_pool2d(self.norm(y), self.w, ceil_mode=True)

    def forward(self, x):
        h, w = x.shape[2:]
        q, k = self.qk(x).chunk(2, 1)
        v = self.value(x)
        y = torch.zeros_like(v)
        for i in range(0, h, self.w):
            for j in range(0, w, self.w):
                self.block = (min(self.w, h - i), min(self.w, w - j))
                cut = [t[:, :, i:i + self.w, j:j + self.w] for t in (q, k, v)]
                shape = cut[0].shape
                a, b, c = (t.reshape(shape[0], self.n, self.d, -1) for t in cut)
                p = self.logits(a, b).softmax(-1)
                y[:, :, i:i + self.w, j:j + self.w] = (c @ p.transpose(-1, -2)).reshape(shape)
        return self.finish(y)


class PlainStem(BlockStem):
    """Right: one value matrix."""

    def make_values(self, channels_in, channels_out):
        self.to_v = nn.Linear(channels_in, channels_out, bias=False)

    def value(self, x):
        return self.to_v(x.movedim(1, -1)).movedim(-1, 1)


class ConvValueStem(BlockStem):
    """Right: values by a convolution that begins half a window before its pixel."""

    def make_values(self, channels_in, channels_out):
        self.to_v = nn.Conv2d(channels_in, channels_out, self.w, bias=False)

    def value(self, x):
        before = self.w // 2
        after = self.w - 1 - before
        return self.to_v(F.pad(x, [before, after, before, after]))


class FixedStem(BlockStem):
    """Right: all sizes but the width are in the code."""

    def __init__(self, width=64):
        super().__init__(3, width, 4, 4)


class BareStem(BlockStem):
    """Right as far as it goes: the attention alone."""

    def finish(self, y):
        return y


class OverPositions(BlockStem):
    """The mixture's softmax runs over the places."""

    def mixture(self):
        return self.logits_of_mixtures().flatten(0, 1).softmax(0).view(self.w, self.w, self.m)


class Unnormalized(BlockStem):
    """The mixture's logits are its weights."""

    def mixture(self):
        return self.logits_of_mixtures()


class Tied(BlockStem):
    """One table for rows and columns."""

    def logits_of_mixtures(self):
        return (self.rows[:, None] + self.rows) @ self.nu.T


class RowsOnly(BlockStem):
    """The columns' table is never read."""

    def logits_of_mixtures(self):
        return (self.rows[:, None] + self.rows * 0) @ self.nu.T


class SharedValues(BlockStem):
    """The first value matrix is that of all mixtures."""

    def value(self, x):
        p = self.mixture().repeat(x.shape[2] // self.w + 1, x.shape[3] // self.w + 1, 1)
        p = p[:x.shape[2], :x.shape[3]]
        return torch.einsum("ijm,oc,bcij->boij", p, self.values[0], x)


class Ignored(PlainStem):
    """Tables of a mixture that nothing reads."""

    def make_values(self, channels_in, channels_out):
        BlockStem.make_values(self, channels_in, channels_out)
        del self.values
        super().make_values(channels_in, channels_out)


class Biased(BlockStem):
    """Queries and keys have biases."""

    def __init__(self, in_channels, out_channels, window_size, heads):
        super().__init__(in_channels, out_channels, window_size, heads)
        self.qk = nn.Conv2d(in_channels, 2 * out_channels, 1)


class InImage(BlockStem):
    """The place is that of the image; the tables are long enough for large ones."""

    def make_values(self, channels_in, channels_out):
        super().make_values(channels_in, channels_out)
        self.rows = nn.Parameter(torch.randn(96, self.d))
        self.cols = nn.Parameter(torch.randn(96, self.d))

    def value(self, x):
        p = self.mixture()[:x.shape[2], :x.shape[3]]
        return torch.einsum("ijm,moc,bcij->boij", p, self.values, x)


class ScaledStem(BlockStem):
    """Logits by the square root of the depth."""

    def logits(self, q, k):
        return super().logits(q, k) / self.d ** 0.5


class PoolFirst(BlockStem):
    """The maximum comes before the normalization."""

    def finish(self, y):
        return self.norm(F.max_pool2d(y, self.w, ceil_mode=True))


class WithRelu(BlockStem):
    """A ReLU, and an average in the maximum's place."""

    def finish(self, y):
        return F.avg_pool2d(self.norm(y).relu(), self.w)


class FloorSize(BlockStem):
    """The last pixels of an image that the window does not divide are dropped."""

    def finish(self, y):
        return F.max_pool2d(self.norm(y), self.w)


class Unfolded(PlainStem):
    """Blocks by a reshape, which takes no other sizes."""

    def forward(self, x):
        n, c, h, w = x.shape
        return super().forward(x.view(n, c, h // self.w, self.w, -1, self.w).view(n, c, h, w))


class RelativeStem(PlainStem):
    """A relative term, as in the layer."""

    def make_values(self, channels_in, channels_out):
        super().make_values(channels_in, channels_out)
        self.rel_h = nn.Parameter(torch.randn(2 * self.w - 1, self.d // 2))
        self.rel_w = nn.Parameter(torch.randn(2 * self.w - 1, self.d // 2))

    def logits(self, q, k):
        offsets = [torch.arange(n) - torch.arange(n)[:, None] + self.w - 1 for n in self.block]
        shape = (*self.block, *self.block, -1)
        r = torch.cat([self.rel_h[offsets[0]][:, None, :, None].expand(shape),
                       self.rel_w[offsets[1]][None, :, None].expand(shape)], -1)
        r = r.reshape(q.shape[-1], q.shape[-1], -1)
        return super().logits(q, k) + torch.einsum("bnds,std->bnst", q, r)


class UnheardStem(BlockStem):
    """In no list: the logits are squared."""

    def logits(self, q, k):
        return super().logits(q, k).square()


class UnheardMixture(BlockStem):
    """In no list: the mixture's weights are the squares of a softmax."""

    def mixture(self):
        return super().mixture().square()
