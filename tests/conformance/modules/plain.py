"""The layer that the short modules of these files change in one place."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class Plain(nn.Module):
    """q, k and v by convolutions, windows by unfold, zeros around."""

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
