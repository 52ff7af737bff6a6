"""Layers that compute something that has no name here: nothing may be said of them but that.

Most are the plain layer with one thing changed.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .plain import Plain


class Base(Plain):
    """q, k, v by window, with one place for each change."""

    def norm(self, s):
        return s.softmax(2)

    def mix(self, a, v):
        return (a.unsqueeze(2) * v).sum(3).flatten(1, 2)

    def after(self, y, q, v, x):
        return y

    def forward(self, x):
        q, k, v = self.project(x)
        y = self.mix(self.norm(self.logits(q, k)), self.windows(v))
        return self.after(y, q, v, x)


class Cosine(Base):
    def logits(self, q, k):
        unit = lambda t: F.normalize(t.unflatten(1, (self.n, -1)), dim=2).flatten(1, 2)  # noqa: E731
        return super().logits(unit(q), unit(k))


class Rectified(Base):
    def norm(self, s):
        return s.relu() / (s.relu().sum(2, keepdim=True) + 1e-3)


class Holed(Base):
    def norm(self, s):
        s = s.clone()
        s[:, :, self.k ** 2 // 2] = -torch.inf
        return s.softmax(2)


class KeyElsewhere(Base):
    def logits(self, q, k):
        return super().logits(q, torch.roll(k, 1, 3))


class Gated(Base):
    def after(self, y, q, v, x):
        return y * q.sigmoid()


class Residual(Base):
    def after(self, y, q, v, x):
        return y + v


class Multiplied(Base):
    def make(self):
        super().make()
        self.tables(self.d // 2)

    def logits(self, q, k):
        r = self.embedding().flatten(1)[None, None, :, :, None, None]
        q = q.unflatten(1, (self.n, -1)).unsqueeze(3)
        return (q * self.windows(k) * (1 + r)).sum(2)


class HeadTemperatures(Base):
    def make(self):
        super().make()
        self.temperature = nn.Parameter(torch.ones(self.n, 1, 1))

    def logits(self, q, k):
        return super().logits(q, k) * self.temperature[:, :, None, None][None, :, 0]


class TopFour(Base):
    def norm(self, s):
        return s.masked_fill(s < s.topk(4, 2).values[:, :, 3:], -torch.inf).softmax(2)


class Gaussian(Base):
    def norm(self, s):
        at = torch.arange(self.k) - self.k // 2
        prior = -(at[:, None] ** 2 + at ** 2).flatten() / 4
        return (s + prior[None, None, :, None, None]).softmax(2)


class Offset(Base):
    def norm(self, s):
        e = (s - s.amax(2, keepdim=True)).exp()
        return e / (1 + e.sum(2, keepdim=True))


class Capped(Base):
    def logits(self, q, k):
        return 2 * torch.tanh(super().logits(q, k) / 2)


class Distance(Base):
    def logits(self, q, k):
        return -(q.unflatten(1, (self.n, -1)).unsqueeze(3) - self.windows(k)).square().sum(2) / 2


class Maximum(Base):
    def mix(self, a, v):
        return (a.unsqueeze(2) * v).amax(3).flatten(1, 2)


class Activated(Base):
    def after(self, y, q, v, x):
        return y.relu()


class Centred(Base):
    def mix(self, a, v):
        return super().mix(a, v - v.mean(3, keepdim=True))


class Twice(Base):
    def forward(self, x):
        q, k, v = self.project(x)
        a = self.norm(self.logits(q, k))
        return self.mix(a, self.windows(self.mix(a, self.windows(v))))


class Blurred(Base):
    def project(self, x):
        q, k, v = super().project(x)
        return F.avg_pool2d(q, 3, 1, 1), k, v


class Depthwise(Base):
    def make(self):
        super().make()
        self.dw = nn.Conv2d(self.o, self.o, 3, padding=1, groups=self.o, bias=False)

    def project(self, x):
        q, k, v = super().project(x)
        return q, self.dw(k), v


class WholeImage(Base):
    def forward(self, x):
        q, k, v = (t.unflatten(1, (self.n, -1)).flatten(3) for t in self.project(x))
        a = torch.einsum("bndp,bnds->bnps", q, k).softmax(-1)
        return torch.einsum("bnps,bnds->bndp", a, v).flatten(1, 2).unflatten(2, x.shape[2:])


class HaloOfBlock(nn.Module):
    """Every query of a block sees the whole block and its halo."""

    def __init__(self, dim, heads, halo_size, block=4):
        super().__init__()
        self.n, self.r, self.s = heads, halo_size, block
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=False)

    def forward(self, x):
        b, c, h, w = x.shape
        s, e = self.s, self.s + 2 * self.r
        q, k, v = self.qkv(x).chunk(3, 1)
        q = F.unfold(q, s, stride=s).view(b, self.n, -1, s * s, h // s * (w // s))
        k, v = (F.unfold(t, e, stride=s, padding=self.r).view(b, self.n, -1, e * e, q.shape[-1])
                for t in (k, v))
        a = torch.einsum("bndpl,bndsl->bnpsl", q, k).softmax(3)
        y = torch.einsum("bnpsl,bndsl->bndpl", a, v).reshape(b, c * s * s, -1)
        return F.fold(y, (h, w), s, stride=s)


class TablesOverlap(Base):
    """Row and column embeddings share two channels of the depth."""

    def make(self):
        super().make()
        self.tables(self.d // 2 + 1)

    def logits(self, q, k):
        row, col = self.rel_h.T[:, :, None], self.rel_w.T[:, None]
        half = self.d // 2 - 1
        shared = row[half:] + col[:2]
        r = torch.cat([row[:half].expand(-1, -1, self.k), shared,
                       col[2:].expand(-1, self.k, -1)])
        return super().logits(q, k) + self.relative(q, r)


class HalvesByParity(Base):
    """Even channels meet the row, odd ones the column."""

    def make(self):
        super().make()
        self.tables(self.d // 2)

    def logits(self, q, k):
        r = self.embedding().unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)
        return super().logits(q, k) + self.relative(q, r)


class KeyMeetsTable(Base):
    """The embedding meets the key, not the query."""

    def make(self):
        super().make()
        self.tables(self.d // 2)

    def logits(self, q, k):
        r = self.embedding().flatten(1)[None, None, :, :, None, None]
        return super().logits(q, k) + (self.windows(k) * r).sum(2)


class Noise(Base):
    def after(self, y, q, v, x):
        return y + torch.rand(())


class MixedHeads(Base):
    def make(self):
        super().make()
        self.talk = nn.Parameter(torch.eye(self.n) + 0.1 * torch.randn(self.n, self.n))

    def logits(self, q, k):
        return torch.einsum("mn,bnshw->bmshw", self.talk, super().logits(q, k))


class NarrowColumns(Base):
    def norm(self, s):
        s = s.unflatten(2, (self.k, self.k)).clone()
        s[:, :, :, 0] = s[:, :, :, -1] = -torch.inf
        return s.flatten(2, 3).softmax(2)


VERDICTS = dict.fromkeys((
    Cosine, Rectified, Holed, KeyElsewhere, Gated, Residual, Multiplied, HeadTemperatures, TopFour,
    Gaussian, Offset, Capped, Distance, Maximum, Activated, Centred, Twice, Blurred, Depthwise,
    WholeImage, HaloOfBlock, KeyMeetsTable, TablesOverlap, HalvesByParity, Noise, MixedHeads,
    NarrowColumns), "unknown")
