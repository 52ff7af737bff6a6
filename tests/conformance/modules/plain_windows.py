"""Layers whose window or softmax is not the equation's, with exactly the deviations of each."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .plain import Plain


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
    Dilated: {"window-dilated"},
    RowByRow: {"softmax-per-row"},
    FromTheCorner: {"window-off-centre"},
    OverHeads: {"softmax-over-heads"},
    WindowBias: {"padding-reflected", "logit-bias", "unused-table-rows"},
}
