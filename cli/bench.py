"""sasakit bench: our kernels against the machine's ceilings and against everybody's own."""

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import json_option, print_json

if TYPE_CHECKING:
    from .bench_rounds import Contest

# What both commands say at the end of their help.
KEYS = """\b
Keys of --json:
  format, spec_version, benchmark (layer or network), command, notes
  machine   cpu (name, instruction_set, float32_lanes), cores, threads, threading_layer,
            system, python, packages (name to version), environment (what may change the speed)
  ceilings  multiply_add (threads, gflops), copy_gbytes
  cases     case, batch, threads, shape (sizes by name), curve (whether it is only a point of
            one), rounds, disturbed (those in which other processes ran, left out unless all
            were; null where this cannot be seen),
            contestants (name, against, milliseconds, ratio, flops, bytes, gflops,
            share_of_peak, note), missing (name, reason)
  figures   name, unit (bytes, seconds), value, reason (why value is null)
  targets   row, case, kind (ratio, share: at least the target; seconds: at most), target,
            measured, met, against (the fastest peer), without (peers that are missing),
            reason (why measured or met is null)

Exit status: 0, whoever is missing and whatever is not met; 2
for an error in the command line."""


@click.group()
def bench() -> None:
    """Time the kernels, beside what the machine can do and what others reach on it.

    Everybody is timed in one process with as many threads, in turns, every round in another order;
    medians are shown. Rounds in which other processes ran are left out, and counted. Who cannot be
    timed here is named, with the reason. A table of targets says what was reached.

    \b
    Examples:
      sasakit bench layer
      sasakit bench network --batch 8
      sasakit bench layer --pictures build/pictures
    """


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands take."""
    for option in (
        json_option,
        click.option("--pictures", type=click.Path(file_okay=False, path_type=Path),
                     metavar="DIR", help="Also write pictures there, as .png: everybody under "
                     "the machine's ceilings; for layers, cost against extent and size too, "
                     "which takes minutes more."),
        click.option("--quick", is_flag=True,
                     help="At most 45 seconds on 2 quiet cores, once everything was compiled: "
                          "fewer rounds, and nobody who is slow to build or to run."),
        click.option("--rounds", type=click.IntRange(min=1), default=30, show_default=True,
                     help="How many rounds, as far as a minute for each case allows."),
        click.option("--threads", type=int, help="Threads of everybody; all that Numba has here "
                                                 "when not given."),
        click.option("--batch", type=click.IntRange(min=1),
                     help="Images at once; those of the table when not given."),
    ):
        command = option(command)
    return command


@bench.command(epilog=KEYS)
@_options
def layer(batch: int | None, threads: int | None, rounds: int, quick: bool,
          pictures: Path | None, as_json: bool) -> None:
    """Time attention layers at the shapes of ResNet-50.

    8 heads, extent 7, float32; channels from 64 to 512.

    \b
    sasakit layer                  projections and attention, channels-last arrays, weights packed
    sasakit layer, channels first  the same as a drop-in, converting there and back
    sasakit core                   attention of queries, keys and values, as a layer's projections
                                   leave them
    sasakit core, called alone     the same of plain arrays, arranging them first
    torch conv3x3                  the convolution of the same width, channels-last memory
    torch conv3x3, packed          the same, its weights laid out once, as compiled models do
    torch layer, core, unfold      as most people write them: windows gathered, in two ways
    torch layer, core, shifts      a loop over the slots of the window
    torch layer, core, tiles       tiles of pixels against all they reach, as matrix products
    torch layer, core, compiled    without copies or loops, and with torch.compile, which needs
                                   a C++ compiler

    FLOPs are multiply-adds, counted as 2: the projections, q . k, the weighted sum, and q . r by
    way of its two tables. A ratio is a time divided by ours, above 1 where ours is faster.

    Memory is what one call holds at most beyond its input, weights and output: the high-water mark
    of a process of its own. A start is a process of its own too, from its beginning to a result.

    \b
    Examples:
      sasakit bench layer
      sasakit bench layer --batch 8 --threads 1 --rounds 101
      sasakit bench layer --quick --json
    """
    from .bench_layer import layer_contests
    _measure("layer", lambda threads: layer_contests(batch, threads, quick, pictures is not None),
             threads, rounds, quick, pictures, as_json)


@bench.command(epilog=KEYS)
@_options
def network(batch: int | None, threads: int | None, rounds: int, quick: bool,
            pictures: Path | None, as_json: bool) -> None:
    """Time ResNet-50 with attention against convolutions.

    Images of 224 x 224, float32.

    \b
    sasakit                  attention in all stages, random weights, packed once
    sasakit, attention stem  the same, its first layers attention with a mixture of values
    torch, ...               the convolutional network: module by module, compiled, as a frozen
                             graph; in channels-last and channels-first memory, the faster counts
    onnxruntime, openvino    the same network, exported
    ..., attention           our own network in these engines

    FLOPs are counted by chapter 9 of SPEC.md; the convolutional network has more. A ratio is a
    time divided by ours, above 1 where ours is faster.

    \b
    Examples:
      sasakit bench network
      sasakit bench network --batch 8
      sasakit bench network --quick --json
    """
    from .bench_network import network_contests
    _measure("network", lambda count: network_contests(batch, count, quick), threads, rounds,
             quick, pictures, as_json)


def _measure(what: str, contests: Callable[[int], Iterator["Contest"]], threads: int | None,
             rounds: int, quick: bool, pictures: Path | None, as_json: bool) -> None:
    """Measure everybody, and print it.

    contests  what there is to time, from the number of threads; made one after another
    """
    from . import bench_figures, bench_machine, bench_pictures, bench_report, bench_rounds
    if pictures is not None:
        bench_pictures.check_pictures(pictures)
    count = bench_machine.most_threads() if threads is None else threads
    timed: list[Contest] = []
    with bench_machine.thread_count(count):
        ceilings = bench_machine.measure_ceilings(count)
        for contest in contests(count):
            click.echo(f"{contest.name}: {len(contest.contestants)} to time", err=True)
            contest.times = bench_rounds.take_turns(contest.contestants, rounds,
                                                    limit=contest.limit)
            timed.append(contest)
        ceilings = bench_machine.highest(ceilings, bench_machine.measure_ceilings(count))
    click.echo("memory and starts", err=True)
    figures = bench_figures.measure_figures(what, count, quick)
    document = bench_report.document(what, _command(), bench_machine.describe_machine(count),
                                     ceilings, timed, figures)
    print_json(document) if as_json else bench_report.print_document(document)
    if pictures is not None:
        bench_pictures.write_pictures(document, pictures)


def _command() -> str:
    return shlex.join(["sasakit", *sys.argv[1:]])
