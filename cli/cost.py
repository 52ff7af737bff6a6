"""sasakit cost: parameters and FLOPs of a network, and the paper's tables counted again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
from click.core import ParameterSource

from sasakit.reference import SPEC_VERSION, Cost, NetworkSpec, count_cost
from sasakit.reference.contract.architecture import BLOCKS
from sasakit.reference.contract.options import POSITIONS, STEM_KINDS

from .output import json_option, print_json, print_table
from .paper_tables import PAPER_ROWS

MODELS = {f"resnet{depth}": depth for depth in BLOCKS}


def _read_stages(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return () if value == "none" else tuple(int(stage) for stage in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not numbers between commas, as 3,4, or none.",
                                 ctx, param) from None


def _read_size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    height, cross, width = value.partition("x")
    try:
        return int(height), int(width if cross else height)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a size, as 224 or 224x192.",
                                 ctx, param) from None


@click.command()
@click.option("--model", type=click.Choice(list(MODELS)), default="resnet50", show_default=True,
              help="Which network of the family.")
@click.option("--stem", type=click.Choice(STEM_KINDS), default="conv", show_default=True,
              help="The first layers: a convolution, or one of the three attention stems.")
@click.option("--extent", type=int, default=7, show_default=True,
              help="Rows and columns of the attention window.")
@click.option("--stages", default="1,2,3,4", show_default=True, callback=_read_stages,
              metavar="STAGES",
              help="Stages that are attention, between commas, or none; the rest convolve.")
@click.option("--heads", type=int, default=8, show_default=True,
              help="Heads of every attention layer.")
@click.option("--position", type=click.Choice(POSITIONS), default="relative", show_default=True,
              help="What the logits know of positions.")
@click.option("--content/--no-content", default=True, show_default=True,
              help="Whether the logits have q . k.")
@click.option("--classes", type=int, default=1000, show_default=True,
              help="Outputs of the classifier.")
@click.option("--size", default="224", show_default=True, callback=_read_size,
              metavar="HEIGHT[xWIDTH]",
              help="Size of the image, 224 or 224x192.")
@click.option("--paper", is_flag=True,
              help="Count every network of the paper's tables instead of one of yours.")
@json_option
@click.pass_context
def cost(ctx: click.Context, /, model: str, size: tuple[int, int], paper: bool, as_json: bool,
         **choices: Any) -> None:
    """Count the parameters and FLOPs of one network on one image.

    The counting convention is chapter 9 of SPEC.md; a multiply-add is 2 FLOPs. With --paper, every
    cost cell that the paper prints (Tables 1, 3, 4, 5, 6 and 7) stands beside ours. A MISS is shown
    as a miss and is no error.

    \b
    Examples:
      sasakit cost
      sasakit cost --model resnet26 --stem mixture
      sasakit cost --stages 3,4 --extent 9 --size 320x256
      sasakit cost --stages none --json
      sasakit cost --paper

    \b
    Keys of --json:
      spec_version, model, height, width, parameters, flops
      spec    every option of the network, by name
      parts   name, parameters, flops of the stem, each stage, the classifier
    \b
    Keys of --paper --json:
      spec_version, matches, cells_total
      cells   table, row, column, quantity (gflops or parameters_millions),
              paper, ours (to the paper's digits), exact, match

    Exit status: 0, misses included; 2 for an error in the command line or a network that cannot be.
    """
    if paper:
        _refuse_beside_paper(ctx)
        cells = paper_cells()
        _print_paper_json(cells) if as_json else _print_paper(cells)
        return
    spec = NetworkSpec(depth=MODELS[model], **choices)
    counted = count_cost(spec, *size)
    (_print_cost_json if as_json else _print_cost)(model, spec, size, counted)


def _refuse_beside_paper(ctx: click.Context) -> None:
    given = [param.opts[0] for param in ctx.command.params
             if param.name not in ("paper", "as_json") and param.name is not None
             and ctx.get_parameter_source(param.name) is not ParameterSource.DEFAULT]
    if given:
        raise click.UsageError(f"--paper counts the paper's own networks; leave out "
                               f"{', '.join(given)}.")


def _print_cost(model: str, spec: NetworkSpec, size: tuple[int, int], counted: Cost) -> None:
    stages = " ".join(map(str, spec.stages)) or "none"
    click.echo(f"{model}, stem {spec.stem}, attention in stages {stages}, "
               f"image {size[0]} x {size[1]}\n")
    sums = [(part.name, part.parameters, part.flops) for part in counted.parts]
    sums.append(("total", counted.parameters, counted.flops))
    print_table([("part", "parameters", "GFLOPs"),
                 *((name, f"{parameters:,}", f"{flops / 1e9:.3f}")
                   for name, parameters, flops in sums)], "<>>")


def _print_cost_json(model: str, spec: NetworkSpec, size: tuple[int, int],
                     counted: Cost) -> None:
    print_json({"spec_version": SPEC_VERSION, "model": model, "spec": asdict(spec),
                "height": size[0], "width": size[1], "parameters": counted.parameters,
                "flops": counted.flops, "parts": [asdict(part) for part in counted.parts]})


@dataclass(frozen=True)
class Cell:
    """One number of one table, the paper's text beside ours to as many digits."""

    table: str
    row: str
    column: str
    quantity: str
    paper: str
    exact: float

    @property
    def ours(self) -> str:
        """Our number, printed to the paper's digits."""
        return f"{self.exact:.{len(self.paper.partition('.')[2])}f}"

    @property
    def match(self) -> bool:
        """Whether both print the same."""
        return self.ours == self.paper


def paper_cells() -> list[Cell]:
    """Every cost cell of the paper's tables, counted, in the paper's order."""
    cells = []
    for row in PAPER_ROWS:
        counted = count_cost(row.spec)
        pairs = [("gflops", row.gflops, counted.flops / 1e9)]
        if row.parameters_millions is not None:
            pairs.append(("parameters_millions", row.parameters_millions,
                          counted.parameters / 1e6))
        cells += [Cell(row.table, row.row, row.column, *pair) for pair in pairs]
    return cells


def _print_paper(cells: Sequence[Cell]) -> None:
    units = {"gflops": "GFLOPs", "parameters_millions": "M parameters"}
    print_table([("table", "network", "variant", "quantity", "paper", "ours", "exact", ""),
                 *((cell.table, cell.row, cell.column, units[cell.quantity], cell.paper, cell.ours,
                    f"{cell.exact:.4f}", "match" if cell.match else "MISS") for cell in cells)],
                "<<<<>>><")
    click.echo(f"\n{sum(cell.match for cell in cells)} of {len(cells)} cells print as in the "
               "paper.")


def _print_paper_json(cells: Sequence[Cell]) -> None:
    print_json({
        "spec_version": SPEC_VERSION,
        "cells": [{"table": cell.table, "row": cell.row, "column": cell.column,
                   "quantity": cell.quantity, "paper": float(cell.paper),
                   "ours": float(cell.ours), "exact": round(cell.exact, 4), "match": cell.match}
                  for cell in cells],
        "matches": sum(cell.match for cell in cells),
        "cells_total": len(cells),
    })
