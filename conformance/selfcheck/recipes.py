"""Recipes of layers made at random: any style of writing, any known reading of the equation."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..diagnosis.choices import Choices, named_deviations

NAMES = (("to_q", "to_k", "to_v"), ("query_conv", "key_conv", "value_conv"), ("a", "b", "c"),
         ("W_Q", "W_K", "W_V"), ("proj1", "proj2", "proj3"), ("theta", "phi", "g"))
TABLES = (("rel_h", "rel_w"), ("t1", "t2"), ("row_table", "col_table"), ("emb_a", "emb_b"))
ARGUMENTS = (("in_channels", "out_channels", "kernel_size", "heads"),
             ("dim_in", "dim_out", "window_size", "num_heads"),
             ("inplanes", "planes", "k", "groups"), ("cin", "cout", "extent", "n_heads"))
PROJECTIONS = ("conv", "linear", "raw", "fused", "fused conv", "fused by head", "key and value",
               "by head", "grouped")
TABLE_AXES = ("entries first", "channels first", "expanded", "image")


@dataclass
class Recipe:
    """One module to make: what it computes, and how it is written.

    choices         the reading of the equation
    scale           of q . k, and of q . r where the embedding joins it: "1", "depth", "width"
    relative_scale  of q . r
    layout          "first" or "last": where the channels stand
    projection      one of PROJECTIONS
    order           in which the projections are made
    table_axes      one of TABLE_AXES
    long_tables     whether tables have 2 extent - 1 entries, of which extent are read
    """

    choices: Choices
    scale: str = "1"
    relative_scale: str = "1"
    layout: str = "first"
    projection: str = "conv"
    order: tuple[int, ...] = (0, 1, 2)
    names: tuple[str, ...] = NAMES[0]
    tables: tuple[str, str] = TABLES[0]
    arguments: tuple[str, ...] = ARGUMENTS[0]
    table_axes: str = "entries first"
    swap_tables: bool = False
    long_tables: bool = False
    bias: bool = False
    out: bool = False

    def names_of_deviations(self) -> set[str]:
        """What must be named, all of it and nothing else."""
        found = {each.name for each in named_deviations(self.choices, 5)}
        found |= {"projection-biased"} if self.bias else set()
        found |= {"output-projection"} if self.out else set()
        found |= {"unused-table-rows"} if self.long_tables else set()
        if self.relative_scale not in (self.scale, "1"):
            found.add("scaled-relative")
        return found


DEVIATIONS: tuple[Mapping[str, Any], ...] = (
    {"padding": "edge"}, {"padding": "reflect"}, {"padding": "wrap"}, {"heads": "interleaved"},
    {"heads": "one"}, {"heads": "channel"}, {"softmax": "row"}, {"softmax": "column"},
    {"row": "descending"}, {"column": "descending"}, {"term": "value"}, {"term": "both"},
    {"inside_only": True}, {"arrangement": "full_sum"}, {"arrangement": "full_sum_layer"},
    {"order": "interleaved"}, {"dilation": 2}, {"bias": True}, {"out": True}, {"long": True},
    {"arrangement": "grid"},
)


def random_recipe(seed: int, deviations: int, *, tables: bool = False) -> Recipe:
    """A recipe with so many deviations, drawn at random; `tables` asks for one that has some."""
    rng = random.Random(seed)
    kinds = ("none", "shared", "per_head", "layer_halves", "shared")
    arrangement = rng.choice(kinds[1:] if tables else kinds)
    choices = Choices(padding=rng.choice(("zero", "zero", "exclude", "shift")),
                      arrangement=arrangement)
    recipe = Recipe(choices, layout=rng.choice(("first", "last")),
                    projection=rng.choice(PROJECTIONS), names=rng.choice(NAMES),
                    tables=rng.choice(TABLES), arguments=rng.choice(ARGUMENTS),
                    table_axes=rng.choice(TABLE_AXES),
                    scale=rng.choice(("1", "1", "depth", "width")))
    recipe.order = tuple(rng.sample(range(3), 3))
    if arrangement != "none":
        recipe.swap_tables = rng.random() < 0.3
        recipe.relative_scale = rng.choice((recipe.scale, "1"))
        if rng.random() < 0.3:
            recipe.choices = recipe.choices.but(first_half="column")
    for change in rng.sample(DEVIATIONS, len(DEVIATIONS)):
        if deviations == 0:
            break
        if _fits(change, recipe):
            recipe = applied(change, recipe)
            deviations -= 1
    return recipe


def _fits(change: Mapping[str, Any], recipe: Recipe) -> bool:
    [name] = change
    choices = recipe.choices
    default = Choices.__dataclass_fields__[name].default if hasattr(choices, name) else None
    if getattr(choices, name, None) not in (None, default) \
            and name not in ("arrangement", "padding"):
        return False
    needs_tables = {"row", "column", "term", "inside_only", "arrangement", "long"}
    if name in needs_tables and choices.arrangement == "none":
        return False
    if name == "arrangement" and choices.arrangement not in ("shared", "per_head", "layer_halves"):
        return False
    if name == "padding" and choices.padding != "zero":
        return False
    if name == "inside_only" and (choices.padding != "zero" or choices.term != "logit"
                                  or choices.dilation != 1):
        return False
    if name == "term" and choices.inside_only:
        return False
    if name == "dilation" and choices.padding == "shift":
        return False
    if name == "bias" and recipe.projection == "raw":
        return False
    # Along a row of the window all slots have one row embedding: a softmax over it cancels that.
    after = choices.but(**change) if hasattr(choices, name) else choices
    if getattr(after, after.softmax, None) == "descending":
        return False
    return not (name == "padding" and choices.inside_only)


def applied(change: Mapping[str, Any], recipe: Recipe) -> Recipe:
    """The recipe with one deviation of DEVIATIONS more."""
    [name] = change
    if name == "bias":
        return replace(recipe, bias=True)
    if name == "out":
        return replace(recipe, out=True)
    if name == "long":
        return replace(recipe, long_tables=recipe.choices.padding != "shift")
    choices = recipe.choices.but(**change)
    if name == "arrangement":
        choices = choices.but(first_half="row")
    return replace(recipe, choices=choices,
                   swap_tables=recipe.swap_tables and choices.arrangement != "grid")
