"""Layers made at random: any style of writing, any known reading of the equation.

`Recipe` says both; the module computes it slot by slot on shifted images, in torch, which is not
how the kit's own variants do it.
"""

import random
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from sasakit.conformance.diagnosis.choices import Choices

PAD_MODES = {"edge": "replicate", "reflect": "reflect", "wrap": "circular"}
NAMES = (("to_q", "to_k", "to_v"), ("query_conv", "key_conv", "value_conv"), ("a", "b", "c"),
         ("W_Q", "W_K", "W_V"), ("proj1", "proj2", "proj3"))
TABLES = (("rel_h", "rel_w"), ("t1", "t2"), ("row_table", "col_table"), ("emb_a", "emb_b"))


@dataclass
class Recipe:
    """One module to make: what it computes, and how it is written."""

    choices: Choices
    scale: str = "1"
    relative_scale: str = "1"
    layout: str = "first"
    projection: str = "conv"
    order: tuple[int, ...] = (0, 1, 2)
    names: tuple[str, ...] = NAMES[0]
    tables: tuple[str, str] = TABLES[0]
    table_axes: str = "entries first"
    swap_tables: bool = False
    long_tables: bool = False
    bias: bool = False
    out: bool = False
    extra: dict[str, bool] = field(default_factory=dict)

    def names_of_deviations(self):
        from sasakit.conformance.diagnosis.choices import named_deviations
        found = {each.name for each in named_deviations(self.choices, 5)}
        found |= {"projection-biased"} if self.bias else set()
        found |= {"output-projection"} if self.out else set()
        found |= {"unused-table-rows"} if self.long_tables else set()
        if self.relative_scale != self.scale and self.relative_scale != "1":
            found.add("scaled-relative")
        return found


DEVIATIONS = (
    {"padding": "edge"}, {"padding": "reflect"}, {"padding": "wrap"}, {"heads": "interleaved"},
    {"heads": "one"}, {"heads": "channel"}, {"softmax": "row"}, {"softmax": "column"},
    {"row": "descending"}, {"column": "descending"}, {"term": "value"}, {"term": "both"},
    {"inside_only": True}, {"arrangement": "full_sum"}, {"arrangement": "full_sum_layer"},
    {"order": "interleaved"}, {"dilation": 2}, {"bias": True}, {"out": True}, {"long": True},
    {"arrangement": "grid"},
)


def random_recipe(seed, deviations):
    """A recipe with so many deviations, drawn at random."""
    rng = random.Random(seed)
    arrangement = rng.choice(("none", "shared", "per_head", "layer_halves", "shared"))
    choices = Choices(padding=rng.choice(("zero", "zero", "exclude", "shift")),
                      arrangement=arrangement)
    recipe = Recipe(choices, layout=rng.choice(("first", "last")),
                    projection=rng.choice(("conv", "linear", "raw", "fused", "by head")),
                    names=rng.choice(NAMES), tables=rng.choice(TABLES),
                    table_axes=rng.choice(("entries first", "channels first", "expanded")),
                    scale=rng.choice(("1", "1", "depth", "width")))
    recipe.order = tuple(rng.sample(range(3), 3))
    if arrangement != "none":
        recipe.swap_tables = rng.random() < 0.3
        recipe.relative_scale = rng.choice((recipe.scale, "1"))
        if arrangement != "none" and rng.random() < 0.3:
            recipe.choices = recipe.choices.but(first_half="column")
    for change in rng.sample(DEVIATIONS, len(DEVIATIONS)):
        if deviations == 0:
            break
        if _fits(change, recipe):
            _apply(change, recipe)
            deviations -= 1
    return recipe


def _fits(change, recipe):
    [name] = change
    choices = recipe.choices
    if getattr(choices, name, None) not in (None, Choices.__dataclass_fields__[name].default
                                            if name in Choices.__dataclass_fields__ else None) \
            and name not in ("arrangement", "padding"):
        return False
    needs_tables = {"row", "column", "term", "inside_only", "arrangement", "long"}
    if name in needs_tables and choices.arrangement == "none":
        return False
    if name == "arrangement" and choices.arrangement not in ("shared", "per_head", "layer_halves"):
        return False
    if name == "padding" and choices.padding not in ("zero",):
        return False
    if name == "inside_only" and (choices.padding != "zero" or choices.term != "logit"
                                  or choices.dilation != 1):
        return False
    if name == "term" and choices.inside_only:
        return False
    if name == "dilation" and choices.padding == "shift":
        return False
    if choices.padding in ("edge", "reflect", "wrap", "shift") and name in ("inside_only",):
        return False
    # Along a row of the window all slots have one row embedding: a softmax over it cancels that.
    after = choices.but(**change) if hasattr(choices, name) else choices
    if getattr(after, after.softmax, None) == "descending":
        return False
    return not (name == "padding" and choices.inside_only)


def _apply(change, recipe):
    [name] = change
    if name == "bias":
        recipe.bias = True
    elif name == "out":
        recipe.out = True
    elif name == "long":
        recipe.long_tables = recipe.choices.padding != "shift"
    else:
        recipe.choices = recipe.choices.but(**change)
        if name == "arrangement":
            recipe.choices = recipe.choices.but(first_half="row")
        if recipe.choices.arrangement == "grid":
            recipe.swap_tables = False


def module_class(recipe):
    """A torch module class that computes the recipe."""

    class Made(nn.Module):
        def __init__(self, in_channels, out_channels, kernel_size, heads):
            super().__init__()
            self.r, self.k, self.n, self.d = recipe, kernel_size, heads, out_channels // heads
            self.cin, self.cout = in_channels, out_channels
            self._make_projections()
            self._make_tables()
            if recipe.out:
                self.out = nn.Linear(out_channels, out_channels, bias=False)

        def _make_projections(self):
            r, names = self.r, [self.r.names[n] for n in self.r.order]
            if r.projection == "fused":
                self.fused = nn.Linear(self.cin, 3 * self.cout, bias=r.bias)
            elif r.projection == "by head":
                for name in names:
                    setattr(self, name, nn.ModuleList([
                        nn.Linear(self.cin, self.d, bias=r.bias) for _ in range(self.n)]))
            elif r.projection == "raw" and not r.bias:
                for name in names:
                    setattr(self, name, nn.Parameter(torch.randn(self.cin, self.cout)))
            else:
                for name in names:
                    conv = r.projection == "conv"
                    make = nn.Conv2d(self.cin, self.cout, 1, bias=r.bias) if conv else \
                        nn.Linear(self.cin, self.cout, bias=r.bias)
                    setattr(self, name, make)
            for name, parameter in self.named_parameters():
                if name.endswith("bias"):
                    nn.init.normal_(parameter)

        def _make_tables(self):
            r, c = self.r, self.r.choices
            if c.arrangement == "none":
                return
            entries = 2 * self.k - 1 if c.padding == "shift" or r.long_tables else self.k
            if c.arrangement == "grid":
                self.grid = nn.Parameter(torch.randn(entries, entries, self.d))
                return
            width = {"shared": self.d // 2, "per_head": self.d // 2,
                     "layer_halves": self.cout // 2, "full_sum": self.d,
                     "full_sum_layer": self.cout}[c.arrangement]
            shape = (self.n, entries, width) if c.arrangement == "per_head" else (entries, width)
            for name in r.tables:
                table = torch.randn(shape)
                if r.table_axes == "channels first":
                    table = table.transpose(-1, -2).contiguous()
                elif r.table_axes == "expanded":
                    table = table[..., None]
                setattr(self, name, nn.Parameter(table))

        def project(self, x):
            r, parts = self.r, {}
            last = x.permute(0, 2, 3, 1)
            if r.projection == "fused":
                chunks = self.fused(last).chunk(3, -1)
                return [chunks[r.order.index(n)] for n in range(3)]
            for n, name in enumerate(r.names):
                owner = getattr(self, name)
                if isinstance(owner, nn.ModuleList):
                    parts[n] = torch.cat([one(last) for one in owner], -1)
                elif isinstance(owner, nn.Parameter):
                    parts[n] = last @ owner
                elif isinstance(owner, nn.Conv2d):
                    parts[n] = owner(x).permute(0, 2, 3, 1)
                else:
                    parts[n] = owner(last)
            return [parts[n] for n in range(3)]

        def embedding(self, i, j, off):
            """(..., D) for slot i, j whose true offsets are off (tensors of rows and cols)."""
            c, r = self.r.choices, self.r
            entries = 2 * self.k - 1 if c.padding == "shift" or r.long_tables else self.k
            if entries == self.k:
                rows, cols = torch.tensor([i]), torch.tensor([j])
            else:
                rows, cols = off[0] + self.k - 1, off[1] + self.k - 1
                if c.padding != "shift":
                    before = (self.k - 1) // 2
                    rows = torch.tensor([i - before + self.k - 1])
                    cols = torch.tensor([j - before + self.k - 1])
            if c.row == "descending":
                rows = entries - 1 - rows
            if c.column == "descending":
                cols = entries - 1 - cols
            if c.arrangement == "grid":
                return self.grid[rows][:, cols].repeat(1, 1, self.n)
            down, across = (self.table(name) for name in (r.tables[::-1] if r.swap_tables
                                                          else r.tables))
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

        def table(self, name):
            table = getattr(self, name)
            if self.r.table_axes == "channels first":
                return table.transpose(-1, -2)
            return table[..., 0] if self.r.table_axes == "expanded" else table

        def forward(self, x):
            c, r = self.r.choices, self.r
            x = x if r.layout == "first" else x.permute(0, 3, 1, 2)
            q, k, v = self.project(x)
            factor = {"1": 1.0, "depth": self.d ** -0.5, "width": self.cout ** -0.5}
            logits, seen = [], []
            ones = torch.ones_like(v[:1, :, :, :1])
            for i in range(self.k):
                for j in range(self.k):
                    key, off = self.shifted(k, i, j)
                    value, _ = self.shifted(v, i, j)
                    inside = self.shifted(ones, i, j, zero=True)[0]
                    term = self.groups(q * key) * factor[r.scale]
                    if c.arrangement != "none":
                        e = self.embedding(i, j, off)
                        if c.term in ("logit", "both"):
                            joined = self.groups(q * e) * factor[r.relative_scale if c.term ==
                                                                 "logit" else r.scale]
                            term = term + (joined * inside if c.inside_only else joined)
                        if c.term in ("value", "both"):
                            value = value + e
                    if c.padding == "exclude":
                        term = term.masked_fill(inside == 0, float("-inf"))
                    logits.append(term)
                    seen.append(value.expand(v.shape))
            s = torch.stack(logits).unflatten(0, (self.k, self.k))
            axes = {"window": (0, 1), "row": (1,), "column": (0,)}[c.softmax]
            top = s.amax(axes, keepdim=True).clamp(min=-1e300)
            p = (s - top).exp()
            p = p / p.sum(axes, keepdim=True).clamp(min=1e-300)
            y = (self.spread(p.flatten(0, 1)) * torch.stack(seen)).sum(0)
            if c.order == "interleaved":
                y = y.unflatten(-1, (self.n, self.d)).transpose(-1, -2).flatten(-2)
            if r.out:
                y = self.out(y)
            return y.permute(0, 3, 1, 2) if r.layout == "first" else y

        def shifted(self, t, i, j, zero=False):
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

        def groups(self, products):
            """Sums of (..., D) over each head's channels."""
            form = self.r.choices.heads
            if form == "channel":
                return products
            if form == "one":
                return products.sum(-1, keepdim=True)
            shape = (self.n, self.d) if form == "contiguous" else (self.d, self.n)
            return products.unflatten(-1, shape).sum(-1 if form == "contiguous" else -2)

        def spread(self, p):
            """(..., D) from one probability for each head."""
            form = self.r.choices.heads
            if form in ("channel", "one"):
                return p
            if form == "contiguous":
                return p.repeat_interleave(self.d, -1)
            return p.repeat(*[1] * (p.ndim - 1), self.d)

    return Made
