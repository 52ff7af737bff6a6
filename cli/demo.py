"""sasakit demo: the guided tour. It classifies digits, compares the backends, and judges them."""

import importlib
from collections.abc import Sequence
from typing import Any

import click

from sasakit.reference import SPEC_VERSION

from .classify import print_rows
from .drawing import side_by_side
from .inference import open_weights
from .output import json_option, print_json, print_table
from .tour import Drawing, Tour

JUDGED = ("numba", "torch")


@click.command()
@click.argument("files", nargs=-1, metavar="[IMAGE]...")
@click.option("--count", type=click.IntRange(min=1, max=1000), default=10, show_default=True,
              help="How many held-out digits every backend answers.")
@json_option
@click.pass_context
def demo(ctx: click.Context, /, files: tuple[str, ...], count: int, as_json: bool) -> None:
    """The guided tour: digits, speed, every backend's answer, and the judge.

    A small network of attention layers reads 1000 handwritten digits that it was not trained on,
    with the Numba kernels, in batches. A few are drawn. Then the reference, Numba and torch answer
    the same digits; the question is only whether their classes are the same. Images of your own
    are classified too. At the end SPEC.md's clauses judge the fast backends, briefly.
    What is not installed is named, and the tour goes on without it.

    \b
    Examples:
      sasakit demo
      sasakit demo my-seven.png my-three.jpg
      sasakit demo --count 50
      sasakit demo --json

    \b
    Keys of --json (the judge has its own: sasakit verify --json):
      spec_version, missing (one line for each part that is not installed)
      network   parameters, flops
      held_out  backend, images, correct, accuracy, seconds, images_per_second
      answers   backend, missing, classes, same_classes, worst_difference
      images    as in sasakit classify --json

    \b
    Exit status:
      0  done, with what is installed
      1  backends disagree, an image could not be read, or the judge found a deviation
      2  an error in the command line
    """
    tour = Tour.start(open_weights(None))
    document = _walk(tour, files, count, quiet=as_json)
    if as_json:
        print_json(document)
    passed = as_json or _judge(ctx, [name for name in JUDGED if name in tour.classifiers])
    disagree = any(answer["same_classes"] is False for answer in document["answers"])
    if disagree or not passed or any("error" in row for row in document["images"]):
        ctx.exit(1)


def _walk(tour: Tour, files: Sequence[str], count: int, *, quiet: bool) -> dict[str, Any]:
    """What --json prints; each part is shown as soon as it is known, unless quiet."""
    document: dict[str, Any] = {"spec_version": SPEC_VERSION, "missing": tour.missing}
    for key, find, show in (
            ("network", tour.network, _show_network),
            ("held_out", tour.held_out, lambda found: _show_held_out(found, tour)),
            ("answers", lambda: tour.answers(count), _show_answers),
            ("images", lambda: tour.images(files), _show_images)):
        document[key] = find()
        if not quiet:
            show(document[key])
    return document


def _show_network(found: dict[str, Any]) -> None:
    click.echo("A network of attention layers that reads handwritten digits: "
               f"{found['parameters']:,} parameters,\n"
               f"{found['flops'] / 1e6:.1f} million FLOPs for an image of 28 x 28.\n")


def _show_held_out(found: dict[str, Any] | None, tour: Tour) -> None:
    if found is None:
        click.echo(f"The held-out digits cannot be read: {tour.missing['digits']}\n")
        return
    click.echo(f"Digits that it was not trained on, backend {found['backend']}: "
               f"{found['correct']} of {found['images']} right ({found['accuracy']:.1%}),\n"
               f"{found['images_per_second']:.0f} images/s.\n")
    _show_drawings(tour.drawings)


def _show_drawings(drawings: Sequence[Drawing]) -> None:
    captions = [f"says {drawing.says} ({drawing.probability:.1%}), is {drawing.label}"
                for drawing in drawings]
    for line in side_by_side([drawing.pixels for drawing in drawings], captions):
        click.echo(line)
    click.echo()


def _show_answers(found: Sequence[dict[str, Any]]) -> None:
    if not found:
        return
    digits = len(found[0]["classes"])
    click.echo(f"The same {digits} digits from every backend; what counts is the class:")
    rows = [("backend", "answers", "same classes", "worst logit difference")]
    for answer in found:
        if answer["missing"] is not None:
            rows.append((answer["backend"], "missing", "", ""))
            continue
        rows.append((answer["backend"], " ".join(answer["classes"]),
                     "yes" if answer["same_classes"] else "NO",
                     f"{answer['worst_difference']:.2g}"))
    print_table(rows, "<<<>")
    for answer in found:
        if answer["missing"] is not None:
            click.echo(f"{answer['backend']} is missing: {answer['missing']}")
    click.echo()


def _show_images(found: Sequence[dict[str, Any]]) -> None:
    if found:
        click.echo("Your images:")
        print_rows(found)
        click.echo()


def _judge(ctx: click.Context, targets: Sequence[str]) -> bool:
    """Whether the judge's brief run passes the fast backends; True where it cannot be asked."""
    if not targets:
        click.echo("The judge has nothing to judge: no fast backend works here.")
        return True
    try:
        verify = importlib.import_module("sasakit.cli.verify").verify
    except ImportError as error:
        click.echo(f"The judge is missing: {error}")
        return True
    click.echo(f"The judge, on {' and '.join(targets)}; sasakit verify --help has more:")
    try:
        ctx.invoke(verify, targets=tuple(targets), profile="brief")
    except click.exceptions.Exit as done:
        return done.exit_code == 0
    return True
