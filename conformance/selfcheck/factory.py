"""Torch modules made from recipes. They compute slot by slot on shifted images, which is not how
the kit's own variants do it. Imported only where modules are made.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from .recipes import Recipe

PAD_MODES = {"edge": "replicate", "reflect": "reflect", "wrap": "circular"}


def _same(layer: "Made", *given: Any) -> Any:
    return given[0] if len(given) == 1 else given


@dataclass(frozen=True)
class Change:
    """What a module does besides its recipe: one step of it replaced.

    Every step is given the layer, then the step's results: the images of projections
    (batch, height, width, channels_out); the key, value and embedding of one slot and its place;
    logits and probabilities (rows, cols, batch, height, width, maps), probabilities with their
    logits; the output with query and value. It returns the same results.
    """

    projected: Callable[..., Any] = _same
    slot: Callable[..., Any] = lambda layer, key, value, e, i, j: (key, value, e)
    logits: Callable[..., Any] = _same
    weights: Callable[..., Any] = lambda layer, p, s: p
    output: Callable[..., Any] = lambda layer, y, q, v: y


def module_class(recipe: Recipe, change: Change | None = None) -> Callable[..., nn.Module]:
    """What makes a torch module that computes the recipe, its arguments named as it says."""

    def make(**given: int) -> nn.Module:
        return Made(recipe, change or Change(), *(given[name] for name in recipe.arguments))

    kind = inspect.Parameter.KEYWORD_ONLY
    make.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in recipe.arguments])
    return make


class Made(nn.Module):
    """One layer of a recipe at one size."""

    def __init__(self, recipe: Recipe, change: Change, channels_in: int, channels_out: int,
                 extent: int, heads: int) -> None:
        super().__init__()
        self.r, self.change = recipe, change
        self.k, self.n, self.d = extent, heads, channels_out // heads
        self.cin, self.cout = channels_in, channels_out
        self._make_projections()
        self._make_tables()
        if recipe.out:
            self.out = nn.Linear(channels_out, channels_out, bias=False)

    def _make_projections(self) -> None:
        r, cin, cout = self.r, self.cin, self.cout
        self.fused: nn.Module
        names = [r.names[part] for part in r.order]
        if r.projection in ("fused", "fused by head"):
            self.fused = nn.Linear(cin, 3 * cout, bias=r.bias)
        elif r.projection == "fused conv":
            self.fused = nn.Conv2d(cin, 3 * cout, 1, bias=r.bias)
        elif r.projection == "key and value":
            setattr(self, r.names[0], nn.Linear(cin, cout, bias=r.bias))
            self.both = nn.Linear(cin, 2 * cout, bias=r.bias)
        for name in names if r.projection not in ("fused", "fused by head", "fused conv",
                                                  "key and value") else []:
            made: nn.Module | nn.Parameter
            if r.projection == "by head":
                made = nn.ModuleList([nn.Linear(cin, self.d, bias=r.bias) for _ in range(self.n)])
            elif r.projection == "raw":
                made = nn.Parameter(torch.randn(cin, cout))
            elif r.projection == "linear":
                made = nn.Linear(cin, cout, bias=r.bias)
            else:
                groups = self.n if r.projection == "grouped" else 1
                made = nn.Conv2d(cin, cout, 1, groups=groups, bias=r.bias)
            setattr(self, name, made)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter)

    @property
    def entries(self) -> int:
        """Entries of a table."""
        longer = self.r.choices.padding == "shift" or self.r.long_tables
        return 2 * self.k - 1 if longer else self.k

    def _make_tables(self) -> None:
        r, c = self.r, self.r.choices
        if c.arrangement == "none":
            return
        if c.arrangement == "grid":
            self.grid = nn.Parameter(torch.randn(self.entries, self.entries, self.d))
            return
        width = {"shared": self.d // 2, "per_head": self.d // 2, "layer_halves": self.cout // 2,
                 "full_sum": self.d, "full_sum_layer": self.cout}[c.arrangement]
        heads = (self.n,) if c.arrangement == "per_head" else ()
        for at, name in enumerate(r.tables):
            table = torch.randn(*heads, self.entries, width)
            if r.table_axes in ("channels first", "image"):
                table = table.transpose(-1, -2).contiguous()
            if r.table_axes == "expanded":
                table = table[..., None]
            elif r.table_axes == "image":
                table = table[..., :, None] if at == 0 else table[..., None, :]
            setattr(self, name, nn.Parameter(table))

    def table(self, name: str) -> Tensor:
        """One table, (..., entries, channels)."""
        table: Tensor = getattr(self, name)
        if self.r.table_axes == "image":
            table = table.flatten(-2)
        if self.r.table_axes in ("channels first", "image"):
            return table.transpose(-1, -2)
        return table[..., 0] if self.r.table_axes == "expanded" else table

    def project(self, x: Tensor) -> list[Tensor]:
        """Queries, keys and values, (batch, height, width, channels_out), of channels first."""
        r, last = self.r, x.permute(0, 2, 3, 1)
        if r.projection in ("fused", "fused conv", "fused by head"):
            wide = self.fused(x).permute(0, 2, 3, 1) if r.projection == "fused conv" \
                else self.fused(last)
            if r.projection == "fused by head":
                wide = torch.unflatten(wide, -1, (self.n, 3, self.d)).transpose(-2, -3)
                wide = wide.flatten(-3)
            chunks = wide.chunk(3, -1)
            return [chunks[r.order.index(part)] for part in range(3)]
        if r.projection == "key and value":
            first, second = self.both(last).chunk(2, -1)
            pair = [first, second] if r.order.index(1) < r.order.index(2) else [second, first]
            return [getattr(self, r.names[0])(last), *pair]
        return [self._projected(getattr(self, name), x, last) for name in r.names]

    def _projected(self, owner: Any, x: Tensor, last: Tensor) -> Tensor:
        if isinstance(owner, nn.ModuleList):
            return torch.cat([one(last) for one in owner], -1)
        if isinstance(owner, nn.Parameter):
            return last @ owner
        if isinstance(owner, nn.Conv2d):
            return torch.permute(owner(x), (0, 2, 3, 1))
        y: Tensor = owner(last)
        return y

    def embedding(self, i: int, j: int, off: tuple[Tensor, Tensor]) -> Tensor:
        """(..., channels_out) of the slot (i, j), whose true offsets along both axes are `off`."""
        c, r = self.r.choices, self.r
        rows, cols = torch.tensor([i]), torch.tensor([j])
        if c.padding == "shift":
            rows, cols = off[0] + self.k - 1, off[1] + self.k - 1
        elif r.long_tables:
            rows, cols = (at - (self.k - 1) // 2 + self.k - 1 for at in (rows, cols))
        if c.row == "descending":
            rows = self.entries - 1 - rows
        if c.column == "descending":
            cols = self.entries - 1 - cols
        if c.arrangement == "grid":
            return self.grid[rows][:, cols].repeat(1, 1, self.n)
        names = r.tables[::-1] if r.swap_tables else r.tables
        down, across = (self.table(name) for name in names)
        if c.arrangement in ("full_sum", "full_sum_layer"):
            wide = down[rows][:, None] + across[cols][None]
            return wide if c.arrangement == "full_sum_layer" else wide.repeat(1, 1, self.n)
        shape = (*down.shape[:-2], len(rows), len(cols), -1)
        a = down[..., rows, :][..., :, None, :].expand(shape)
        b = across[..., cols, :][..., None, :, :].expand_as(a)
        wide = torch.cat((a, b) if c.first_half == "row" else (b, a), -1)
        if c.arrangement == "shared":
            return wide.repeat(1, 1, self.n)
        return wide if c.arrangement == "layer_halves" else wide.permute(1, 2, 0, 3).flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        """The layer of images, channels where the recipe has them."""
        c, r = self.r.choices, self.r
        x = x if r.layout == "first" else x.permute(0, 3, 1, 2)
        q, k, v = self.change.projected(self, *self.project(x))
        logits, seen = self.window(q, k, v)
        s = self.change.logits(self, torch.unflatten(logits, 0, (self.k, self.k)))
        axes = {"window": (0, 1), "row": (1,), "column": (0,)}[c.softmax]
        top = s.amax(axes, keepdim=True).clamp(min=-1e300)
        p = (s - top).exp()
        p = p / p.sum(axes, keepdim=True).clamp(min=1e-300)
        p = self.change.weights(self, p, s)
        y = self.change.output(self, (self.spread(p.flatten(0, 1)) * seen).sum(0), q, v)
        if c.order == "interleaved":
            y = torch.unflatten(y, -1, (self.n, self.d)).transpose(-1, -2).flatten(-2)
        y = self.out(y) if r.out else y
        return y.permute(0, 3, 1, 2) if r.layout == "first" else y

    def window(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (slots, ..., maps) and what every query sees of the values (slots, ..., D)."""
        logits, seen = [], []
        for slot in range(self.k ** 2):
            term, value = self.meet(q, k, v, slot // self.k, slot % self.k)
            logits.append(term)
            seen.append(value.expand(v.shape))
        return torch.stack(logits), torch.stack(seen)

    def meet(self, q: Tensor, k: Tensor, v: Tensor, i: int, j: int) -> tuple[Tensor, Tensor]:
        """The logit of the slot (i, j), and the value that is seen there."""
        c, r = self.r.choices, self.r
        factor = {"1": 1.0, "depth": self.d ** -0.5, "width": self.cout ** -0.5}
        key, off = self.shifted(k, i, j)
        value, _ = self.shifted(v, i, j)
        inside = self.shifted(torch.ones_like(v[:1, :, :, :1]), i, j, zero=True)[0]
        e = torch.zeros(()) if c.arrangement == "none" else self.embedding(i, j, off)
        key, value, e = self.change.slot(self, key, value, e, i, j)
        term = self.groups(q * key) * factor[r.scale]
        if c.arrangement != "none":
            if c.term in ("logit", "both"):
                name = r.relative_scale if c.term == "logit" else r.scale
                joined = self.groups(q * e) * factor[name]
                term = term + (joined * inside if c.inside_only else joined)
            if c.term in ("value", "both"):
                value = value + e
        if c.padding == "exclude":
            term = term.masked_fill(inside == 0, float("-inf"))
        return term, value

    def shifted(self, t: Tensor, i: int, j: int,
                zero: bool = False) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What stands at slot (i, j) of every window, and the offsets of rows and cols."""
        c, h, w = self.r.choices, t.shape[1], t.shape[2]
        before, step = (self.k - 1) // 2, c.dilation
        if c.padding == "shift":
            top = (torch.arange(h) - before).clamp(0, h - self.k) + i
            left = (torch.arange(w) - before).clamp(0, w - self.k) + j
            return t[:, top][:, :, left], (top - torch.arange(h), left - torch.arange(w))
        p = before * step
        image = t.permute(0, 3, 1, 2)
        mode = None if zero else PAD_MODES.get(c.padding)
        image = F.pad(image, [p] * 4) if mode is None else F.pad(image, [p] * 4, mode=mode)
        cut = image[:, :, i * step:i * step + h, j * step:j * step + w].permute(0, 2, 3, 1)
        return cut, (torch.tensor([0]), torch.tensor([0]))

    def groups(self, products: Tensor) -> Tensor:
        """Sums of (..., D) over each head's channels."""
        form = self.r.choices.heads
        if form == "channel":
            return products
        if form == "one":
            return products.sum(-1, keepdim=True)
        shape = (self.n, self.d) if form == "contiguous" else (self.d, self.n)
        split = products.reshape(*products.shape[:-1], *shape)
        return split.sum(-1 if form == "contiguous" else -2)

    def spread(self, p: Tensor) -> Tensor:
        """(..., D) from one probability for each head."""
        form = self.r.choices.heads
        if form in ("channel", "one"):
            return p
        if form == "contiguous":
            return p.repeat_interleave(self.d, -1)
        return p.repeat(*[1] * (p.ndim - 1), self.d)
