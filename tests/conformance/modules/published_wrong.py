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


class Plain(nn.Module):
    """What the short ones below share: q, k, v by convolutions, windows by unfold, zeros around."""

    bias = False

    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__()
        self.c, self.o, self.k, self.n = in_channels, out_channels, kernel_size, heads
        self.d = out_channels // heads
        self.make()

    def make(self):
        self.q, self.kk, self.v = (nn.Conv2d(self.c, self.o, 1, bias=self.bias) for _ in range(3))

    def tables(self, width):
        self.rel_h = nn.Parameter(torch.randn(self.k, width))
        self.rel_w = nn.Parameter(torch.randn(self.k, width))

    def embedding(self):
        """(d, k, k) of two tables (k, d / 2)."""
        return torch.cat([self.rel_h.T[:, :, None].expand(-1, -1, self.k),
                          self.rel_w.T[:, None].expand(-1, self.k, -1)])

    def windows(self, t):
        b, _, h, w = t.shape
        return F.unfold(t, self.k, padding=self.k // 2).view(b, self.n, -1, self.k ** 2, h, w)

    def project(self, x):
        return self.q(x), self.kk(x), self.v(x)

    def logits(self, q, k):
        return (q.unflatten(1, (self.n, -1)).unsqueeze(3) * self.windows(k)).sum(2)

    def relative(self, q, r):
        return torch.einsum("bndhw,dij->bnijhw", q.unflatten(1, (self.n, -1)), r).flatten(2, 3)

    def forward(self, x):
        q, k, v = self.project(x)
        a = self.logits(q, k).softmax(2)
        return (a.unsqueeze(2) * self.windows(v)).sum(3).flatten(1, 2)


class SpatialProjections(Plain):
    """Keys and values by 3 x 3 convolutions."""

    def make(self):
        self.q = nn.Conv2d(self.c, self.o, 1, bias=False)
        self.kk, self.v = (nn.Conv2d(self.c, self.o, 3, padding=1, bias=False) for _ in range(2))


class OneProjection(Plain):
    """One convolution for queries, keys and values."""

    def make(self):
        self.f = nn.Conv2d(self.c, self.o, 1, bias=False)

    def project(self, x):
        return (self.f(x),) * 3


class KeyIsValue(Plain):
    """One convolution for keys and values."""

    def make(self):
        self.q, self.kv = (nn.Conv2d(self.c, self.o, 1, bias=False) for _ in range(2))

    def project(self, x):
        y = self.kv(x)
        return self.q(x), y, y


class HalfGrouped(Plain):
    """Keys and values head by head, queries dense."""

    def make(self):
        self.q = nn.Conv2d(self.c, self.o, 1, bias=False)
        self.kk, self.v = (nn.Conv2d(self.c, self.o, 1, groups=self.n, bias=False)
                           for _ in range(2))


class TwoGroups(Plain):
    """All projections in two groups, whatever the heads."""

    def make(self):
        self.q, self.kk, self.v = (nn.Conv2d(self.c, self.o, 1, groups=2, bias=False)
                                   for _ in range(3))


class ConstantEmbedding(Plain):
    """The embedding is averaged over the window, so that it is one number for a whole window."""

    def make(self):
        super().make()
        self.tables(self.d // 2)

    def logits(self, q, k):
        r = self.embedding().mean((1, 2), keepdim=True).expand(-1, self.k, self.k)
        return super().logits(q, k) + self.relative(q, r)


class UnusedEmbedding(ConstantEmbedding):
    """Tables that nobody reads."""

    def logits(self, q, k):
        return Plain.logits(self, q, k)


class RandomEmbedding(Plain):
    """The embedding is drawn in forward."""

    def logits(self, q, k):
        r = torch.randn(self.d, self.k, self.k, dtype=q.dtype)
        return super().logits(q, k) + self.relative(q, r)


class SummedEmbedding(Plain):
    """Row and column embeddings of full depth, added."""

    def make(self):
        super().make()
        self.tables(self.d)

    def logits(self, q, k):
        r = self.rel_h.T[:, :, None] + self.rel_w.T[:, None]
        return super().logits(q, k) + self.relative(q, r)


class RelativeScaled(ConstantEmbedding):
    """The factor meets q . r alone."""

    def logits(self, q, k):
        return Plain.logits(self, q, k) + self.relative(q, self.embedding()) / self.d ** 0.5


class InsideOnly(ConstantEmbedding):
    """The embedding joins keys inside the image alone."""

    def logits(self, q, k):
        inside = self.windows(torch.ones_like(q))[:1, :1, 0]
        return Plain.logits(self, q, k) + self.relative(q, self.embedding()) * inside


class FlippedBuffers(Plain):
    """Tables that are no parameters, and descend along columns."""

    def make(self):
        super().make()
        self.register_buffer("rows", torch.randn(self.d // 2, self.k))
        self.cols = torch.randn(self.d // 2, self.k)

    def logits(self, q, k):
        r = torch.cat([self.rows[:, :, None].expand(-1, -1, self.k),
                       self.cols.flip(1)[:, None].expand(-1, self.k, -1)])
        return super().logits(q, k) + self.relative(q, r)


class LongTables(Plain):
    """Tables for offsets of up to extent - 1, of which the window reaches half."""

    def make(self):
        super().make()
        self.rel_h, self.rel_w = (nn.Parameter(torch.randn(2 * self.k - 1, self.d // 2))
                                  for _ in range(2))

    def logits(self, q, k):
        start = self.k // 2
        y, x = (t[start:start + self.k].T for t in (self.rel_h, self.rel_w))
        r = torch.cat([y[:, :, None].expand(-1, -1, self.k), x[:, None].expand(-1, self.k, -1)])
        return super().logits(q, k) + self.relative(q, r)


class AxisBiases(Plain):
    """A bias of each row offset and of each column offset, by head: the query does not meet it."""

    def make(self):
        super().make()
        self.by_row, self.by_col = (nn.Parameter(torch.zeros(self.n, self.k)) for _ in range(2))

    def logits(self, q, k):
        bias = (self.by_row[:, :, None] + self.by_col[:, None]).flatten(1)
        return super().logits(q, k) + bias[None, :, :, None, None]


class ProjectedOut(Plain):
    """A last linear layer with a bias."""

    def make(self):
        super().make()
        self.out = nn.Conv2d(self.o, self.o, 1)

    def forward(self, x):
        return self.out(super().forward(x))


class RawBiases(Plain):
    """Biases beside bare matrices, tied to them by nothing but their use."""

    def make(self):
        self.a, self.b, self.c_ = (nn.Parameter(torch.randn(self.o, self.c)) for _ in range(3))
        self.x, self.y, self.z = (nn.Parameter(torch.randn(self.o)) for _ in range(3))

    def project(self, x):
        return [torch.einsum("oc,bchw->bohw", w, x) + b[:, None, None] for w, b in
                ((self.b, self.z), (self.c_, self.x), (self.a, self.y))]


class Dilated(Plain):
    """Every second pixel."""

    def windows(self, t):
        b, _, h, w = t.shape
        t = F.unfold(t, self.k, padding=self.k // 2 * 2, dilation=2)
        return t.view(b, self.n, -1, self.k ** 2, h, w)


class RowByRow(Plain):
    """A softmax along each row of the window, as axial layers have it."""

    def forward(self, x):
        q, k, v = self.project(x)
        a = self.logits(q, k).unflatten(2, (self.k, self.k)).softmax(3).flatten(2, 3)
        return (a.unsqueeze(2) * self.windows(v)).sum(3).flatten(1, 2)


class FromTheCorner(Plain):
    """A window that begins at its own pixel."""

    def windows(self, t):
        b, _, h, w = t.shape
        t = F.unfold(F.pad(t, [0, self.k - 1, 0, self.k - 1]), self.k)
        return t.view(b, self.n, -1, self.k ** 2, h, w)


class OverHeads(Plain):
    """A softmax along the wrong axis: the heads compete."""

    def forward(self, x):
        q, k, v = self.project(x)
        a = self.logits(q, k).softmax(1)
        return (a.unsqueeze(2) * self.windows(v)).sum(3).flatten(1, 2)


class WindowBias(Plain):
    """A table of (2 k - 1) x (2 k - 1) biases by head, as in shifted windows; mirrored borders."""

    def make(self):
        super().make()
        self.rpb = nn.Parameter(torch.zeros(self.n, 2 * self.k - 1, 2 * self.k - 1))

    def windows(self, t):
        b, _, h, w = t.shape
        t = F.pad(t, [self.k // 2] * 4, mode="reflect")
        return F.unfold(t, self.k).view(b, self.n, -1, self.k ** 2, h, w)

    def logits(self, q, k):
        start = self.k // 2
        bias = self.rpb[:, start:start + self.k, start:start + self.k].flatten(1)
        return super().logits(q, k) + bias[None, :, :, None, None]


VERDICTS = {
    AttentionConv: {"softmax-per-channel"},
    UnfoldAfterBias: {"padding-before-projection", "projection-biased"},
    RollShifts: {"padding-wrapped"},
    HaloBackwards: {"offset-descending"},
    WindowedMHA: {"padding-before-projection", "projection-biased", "output-projection"},
    SpatialProjections: {"projection-convolution"},
    OneProjection: {"projection-shared"},
    KeyIsValue: {"projection-shared"},
    HalfGrouped: {"projection-block-diagonal"},
    TwoGroups: {"projection-grouped"},
    ConstantEmbedding: {"embedding-constant"},
    UnusedEmbedding: {"embedding-ignored"},
    RandomEmbedding: {"embedding-random"},
    SummedEmbedding: {"full-width-sum"},
    RelativeScaled: {"scaled-relative"},
    InsideOnly: {"padding-logit-zero"},
    FlippedBuffers: {"offset-descending"},
    LongTables: {"unused-table-rows"},
    AxisBiases: {"logit-bias"},
    ProjectedOut: {"output-projection"},
    RawBiases: {"projection-biased"},
    Dilated: {"window-dilated"},
    RowByRow: {"softmax-per-row"},
    FromTheCorner: {"window-off-centre"},
    OverHeads: {"softmax-over-heads"},
    WindowBias: {"padding-reflected", "logit-bias", "unused-table-rows"},
}
