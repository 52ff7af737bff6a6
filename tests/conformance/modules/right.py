"""Five layers that compute the equation under some options."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class UnfoldAttention(nn.Module):
    """Canonical: tensor.unfold, halves inside every head, one table for all heads."""

    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__()
        self.k, self.heads, self.depth = kernel_size, heads, out_channels // heads
        self.to_q = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.to_k = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.to_v = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.rel_h = nn.Parameter(torch.randn(self.depth // 2, kernel_size))
        self.rel_w = nn.Parameter(torch.randn(self.depth // 2, kernel_size))

    def forward(self, x):
        b, _, h, w = x.shape
        p = self.k // 2

        def windows(t):
            t = F.pad(t, [p, p, p, p]).unfold(2, self.k, 1).unfold(3, self.k, 1)
            return t.reshape(b, self.heads, self.depth, h, w, self.k, self.k)

        q = self.to_q(x).view(b, self.heads, self.depth, h, w, 1, 1)
        rows = self.rel_h[:, :, None].expand(-1, -1, self.k)
        cols = self.rel_w[:, None, :].expand(-1, self.k, -1)
        r = torch.cat([rows, cols])[None, None, :, None, None]
        logits = (q * (windows(self.to_k(x)) + r)).sum(2)
        a = logits.flatten(-2).softmax(-1).view_as(logits)
        return (a.unsqueeze(2) * windows(self.to_v(x))).sum((-1, -2)).reshape(b, -1, h, w)


class FusedMaskedAttention(nn.Module):
    """Excluded padding, 1/sqrt(d), no positions: one fused projection and F.unfold."""

    def __init__(self, dim, window_size=3, num_heads=4):
        super().__init__()
        self.k, self.n, self.d = window_size, num_heads, dim // num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).chunk(3, 1)

        def gather(t):
            return F.unfold(t, self.k, padding=self.k // 2).view(b, -1, self.k ** 2, h * w)

        inside = gather(torch.ones_like(q[:, :1])) > 0
        k, v = (gather(t).view(b, self.n, self.d, self.k ** 2, h * w) for t in (k, v))
        q = q.reshape(b, self.n, self.d, 1, h * w) * self.d ** -0.5
        s = (q * k).sum(2).masked_fill(~inside, float("-inf")).softmax(2)
        return torch.einsum("bnsp,bndsp->bndp", s, v).reshape(b, c, h, w)


class PerHeadLists(nn.Module):
    """Tables of each head, projections in lists by head."""

    def __init__(self, cin, cout, ksize, nheads):
        super().__init__()
        d = cout // nheads
        make = lambda: nn.ModuleList([nn.Conv2d(cin, d, 1, bias=False) for _ in range(nheads)])  # noqa: E731
        self.q, self.k, self.v = make(), make(), make()
        self.row_emb = nn.Parameter(torch.randn(nheads, ksize, d // 2))
        self.col_emb = nn.Parameter(torch.randn(nheads, ksize, d // 2))
        self.ksize = ksize

    def forward(self, x):
        h, w = x.shape[2:]
        out, ks = [], self.ksize
        for n, (fq, fk, fv) in enumerate(zip(self.q, self.k, self.v, strict=True)):
            q, k, v = fq(x), F.pad(fk(x), [ks // 2] * 4), F.pad(fv(x), [ks // 2] * 4)
            scores, values = [], []
            for i in range(ks):
                for j in range(ks):
                    r = torch.cat([self.row_emb[n, i], self.col_emb[n, j]])[None, :, None, None]
                    scores.append((q * (k[:, :, i:i + h, j:j + w] + r)).sum(1))
                    values.append(v[:, :, i:i + h, j:j + w])
            p = torch.stack(scores).softmax(0)
            out.append((p[:, :, None] * torch.stack(values)).sum(0))
        return torch.cat(out, 1)


class ChannelsLastDense(nn.Module):
    """Channels last, raw matrices, column half first, layer halves."""

    def __init__(self, channels_in, channels_out, extent, heads):
        super().__init__()
        self.extent, self.heads = extent, heads
        self.wq = nn.Parameter(torch.randn(channels_in, channels_out) / channels_in ** 0.5)
        self.wk = nn.Parameter(torch.randn(channels_in, channels_out) / channels_in ** 0.5)
        self.wv = nn.Parameter(torch.randn(channels_in, channels_out) / channels_in ** 0.5)
        self.across = nn.Parameter(torch.randn(extent, channels_out // 2))
        self.down = nn.Parameter(torch.randn(extent, channels_out // 2))

    def forward(self, x):
        b, h, w, _ = x.shape
        k, n, p = self.extent, self.heads, self.extent // 2
        q = (x @ self.wq).view(b, h, w, n, -1)
        pad = lambda t: F.pad(t, [0, 0, p, p, p, p])  # noqa: E731
        keys, values = pad(x @ self.wk), pad(x @ self.wv)
        logits, seen = [], []
        for i in range(k):
            for j in range(k):
                r = torch.cat([self.across[j], self.down[i]])
                key = (keys[:, i:i + h, j:j + w] + r).view(b, h, w, n, -1)
                logits.append((q * key).sum(-1))
                seen.append(values[:, i:i + h, j:j + w].view(b, h, w, n, -1))
        a = torch.stack(logits, -1).softmax(-1)
        return torch.einsum("bhwns,bhwnds->bhwnd", a, torch.stack(seen, -1)).reshape(b, h, w, -1)


class RelativeOnly(nn.Module):
    """No keys: the offset alone decides."""

    def __init__(self, in_planes, planes, kernel, groups):
        super().__init__()
        self.kernel, self.groups = kernel, groups
        self.query = nn.Conv2d(in_planes, planes, 1, bias=False)
        self.value = nn.Conv2d(in_planes, planes, 1, bias=False)
        self.emb = nn.Parameter(torch.randn(2, kernel, planes // groups // 2))

    def forward(self, x):
        b, _, h, w = x.shape
        k, p = self.kernel, self.kernel // 2
        q = self.query(x).view(b, self.groups, -1, h, w)
        first, second = q.chunk(2, 2)
        rows = torch.einsum("bndhw,kd->bnkhw", first, self.emb[0])
        cols = torch.einsum("bndhw,kd->bnkhw", second, self.emb[1])
        s = (rows[:, :, :, None] + cols[:, :, None]).flatten(2, 3).softmax(2)
        v = F.unfold(self.value(x), k, padding=p).view(b, self.groups, -1, k * k, h, w)
        return torch.einsum("bnshw,bndshw->bndhw", s, v).reshape(b, -1, h, w)
