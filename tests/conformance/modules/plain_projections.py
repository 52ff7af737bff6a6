"""Layers whose projections are not the equation's, with exactly the deviations of each."""

import torch
from torch import nn

from .plain import Plain


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


class QueryIsKey(Plain):
    """One convolution for queries and keys."""

    def make(self):
        self.qk, self.v = (nn.Conv2d(self.c, self.o, 1, bias=False) for _ in range(2))

    def project(self, x):
        y = self.qk(x)
        return y, y, self.v(x)


class QueryIsValue(Plain):
    """One convolution for queries and values."""

    def make(self):
        self.qv, self.kk = (nn.Conv2d(self.c, self.o, 1, bias=False) for _ in range(2))

    def project(self, x):
        y = self.qv(x)
        return y, self.kk(x), y


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


VERDICTS = {
    SpatialProjections: {"projection-convolution"},
    OneProjection: {"projection-shared"},
    KeyIsValue: {"projection-shared"},
    QueryIsKey: {"projection-shared"},
    QueryIsValue: {"projection-shared"},
    HalfGrouped: {"projection-block-diagonal"},
    TwoGroups: {"projection-grouped"},
    ProjectedOut: {"output-projection"},
    RawBiases: {"projection-biased"},
}
