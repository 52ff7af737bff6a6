"""Layers whose embedding is not the equation's, with exactly the deviations of each."""

import torch
from torch import nn

from .plain import Plain


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


class SingleOnly(Plain):
    """Runs in float32 alone, for a constant of that type; scaled tables that descend."""

    def make(self):
        super().make()
        self.tables(self.d // 2)

    def logits(self, q, k):
        turn = torch.eye(self.k, dtype=torch.float32).flip(0)
        y, x = (torch.einsum("kc,kj->cj", t, turn) for t in (self.rel_h, self.rel_w))
        r = torch.cat([y[:, :, None].expand(-1, -1, self.k), x[:, None].expand(-1, self.k, -1)])
        return (super().logits(q, k) + self.relative(q, r)) * self.d ** -0.5


VERDICTS = {
    ConstantEmbedding: {"embedding-constant"},
    UnusedEmbedding: {"embedding-ignored"},
    RandomEmbedding: {"embedding-random"},
    SummedEmbedding: {"full-width-sum"},
    RelativeScaled: {"scaled-relative"},
    InsideOnly: {"padding-logit-zero"},
    FlippedBuffers: {"offset-descending"},
    LongTables: {"unused-table-rows"},
    AxisBiases: {"logit-bias"},
    SingleOnly: {"offset-descending"},
}
