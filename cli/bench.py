"""sasakit bench: our kernels against the machine's ceilings and against everybody's own."""

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import json_option, print_json

if TYPE_CHECKING:
    from .bench_rounds import Contest

# Seconds of turns with --quick: a layer's, of which there are four, and a network's.
QUICK_LAYER, QUICK_NETWORK = 6.0, 15.0


@click.group()
def bench() -> None:
    """Time the kernels, beside what the machine can do and what others reach on it.

    Everybody is timed in one process with as many threads, in turns, every round in another order;
    medians are shown. Who cannot be timed here is named, with the reason.

    \b
    Examples:
      sasakit bench layer
      sasakit bench network --batch 8
      sasakit bench layer --quick --picture roofline.png
    """


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands take."""
    for option in (
        json_option,
        click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="Also draw everybody under the machine's ceilings, into a .png."),
        click.option("--quick", is_flag=True,
                     help="At most 45 seconds on 2 quiet cores, once the kernels are compiled: "
                          "fewer rounds, and nobody who compiles long."),
        click.option("--rounds", type=click.IntRange(min=1), default=30, show_default=True,
                     help="How many rounds."),
        click.option("--threads", type=int, help="Threads of everybody; all that Numba has here "
                                                 "when not given."),
        click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True,
                     help="Images at once."),
    ):
        command = option(command)
    return command


@bench.command()
@_options
def layer(batch: int, threads: int | None, rounds: int, quick: bool, picture: Path | None,
          as_json: bool) -> None:
    """Time attention layers at the shapes of ResNet-50.

    8 heads, extent 7, float32; channels from 64 to 512.

    \b
    sasakit layer                  projections and attention, channels-last arrays, weights packed
    sasakit layer, channels first  the same as a drop-in, converting there and back
    sasakit core                   attention of queries, keys and values that are there already
    torch conv3x3                  the convolution of the same width, channels-last memory
    torch layer, core, unfold      as most people write them: windows gathered, in two ways
    torch layer, core, shifts      a loop over the slots of the window
    torch layer, core, compiled    without copies or loops, and with torch.compile

    FLOPs are multiply-adds, counted as 2: the projections, q . k, the weighted sum, and q . r by
    way of its two tables. A ratio is a time divided by ours, above 1 where ours is faster.

    \b
    Examples:
      sasakit bench layer
      sasakit bench layer --batch 8 --threads 1 --rounds 101
      sasakit bench layer --quick --json

    \b
    Keys of --json:
      format, spec_version, benchmark (layer or network), command, batch, notes
      machine   cpu (name, instruction_set, float32_lanes), cores, threads, threading_layer,
                system, python, packages (name to version), environment (what may change the speed)
      ceilings  multiply_add (threads, gflops), copy_gbytes
      cases     case, rounds (that were run),
                contestants (name, against, milliseconds, ratio, flops, bytes, gflops,
                share_of_peak), missing (name, reason)

    Exit status: 0, whoever is missing; 2 for an error in the command line.
    """
    from .bench_layer import layer_contests
    _measure("layer", lambda threads: layer_contests(batch, quick), batch, threads, rounds,
             QUICK_LAYER if quick else None, picture, as_json)


@bench.command()
@_options
@click.option("--stem", type=click.Choice(["conv", "mixture"]), default="conv", show_default=True,
              help="First layers of ours: a convolution, or attention too.")
def network(batch: int, threads: int | None, rounds: int, quick: bool, picture: Path | None,
            as_json: bool, stem: str) -> None:
    """Time ResNet-50 with attention against convolutions.

    Images of 224 x 224, float32.

    \b
    sasakit      attention in all stages, random weights, packed once
    torch, ...   the convolutional network: module by module, as a frozen graph, compiled
    onnxruntime, openvino   the same network, exported

    FLOPs are counted by chapter 9 of SPEC.md; the convolutional network has more. A ratio is a
    time divided by ours, above 1 where ours is faster.

    \b
    Examples:
      sasakit bench network
      sasakit bench network --stem mixture --batch 8
      sasakit bench network --quick --json

    Keys of --json: those of sasakit bench layer.

    Exit status: 0, whoever is missing; 2 for an error in the command line.
    """
    from .bench_network import network_contests
    _measure("network", lambda count: network_contests(stem, batch, count, quick), batch, threads,
             rounds, QUICK_NETWORK if quick else None, picture, as_json)


def _measure(what: str, contests: Callable[[int], Iterator["Contest"]], batch: int,
             threads: int | None, rounds: int, limit: float | None, picture: Path | None,
             as_json: bool) -> None:
    """Measure everybody, and print it.

    contests  what there is to time, from the number of threads; made one after another
    limit     seconds of turns in one contest, None where rounds alone count
    """
    from . import bench_machine, bench_picture, bench_report, bench_rounds
    if picture is not None:
        bench_picture.check_picture(picture)
    count = bench_machine.most_threads() if threads is None else threads
    cases: list[dict[str, Any]] = []
    with bench_machine.thread_count(count):
        before = bench_machine.measure_ceilings(count)
        for contest in contests(count):
            click.echo(f"{contest.name}: {len(contest.contestants)} to time", err=True)
            times = bench_rounds.take_turns(contest.contestants, rounds, limit=limit)
            cases.append(bench_report.case_document(contest, times))
        ceilings = bench_machine.highest(before, bench_machine.measure_ceilings(count))
    document = bench_report.document(what, _command(), batch,
                                     bench_machine.describe_machine(count), ceilings, cases)
    print_json(document) if as_json else bench_report.print_document(document)
    if picture is not None:
        bench_picture.draw_roofline(document, picture)


def _command() -> str:
    return shlex.join(["sasakit", *sys.argv[1:]])
