"""sasakit classify: what is on the user's images, many at once."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from sasakit.accel.door import BACKENDS
from sasakit.reference import SPEC_VERSION

from .images import Pixels, read_image
from .inference import Classifier, load_classifier, open_weights, probabilities
from .output import json_option, print_json, print_table


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--weights", metavar="FILE",
              help="Weights of a network, .safetensors; by default the digits network.")
@click.option("--backend", type=click.Choice(BACKENDS),
              help="What computes; by default SASAKIT_BACKEND, otherwise auto.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True,
              help="How many classes to show for each image.")
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True,
              help="How many images go through the network at once.")
@json_option
@click.pass_context
def classify(ctx: click.Context, /, files: tuple[str, ...], weights: str | None,
             backend: str | None, top: int, batch: int, as_json: bool) -> None:
    """Say what is on images, PNG or JPEG, with a probability for each class.

    The digits network reads one handwritten digit per image, dark on bright or bright on dark, of
    any size. An image that cannot be read is reported and the others go on. The images/s are those
    of the network alone, without reading files and without compiling.

    \b
    Examples:
      sasakit classify digit.png
      sasakit classify --top 1 scans/*.jpg
      sasakit classify --backend torch --json *.png
      sasakit classify --weights mine.safetensors -- -odd-name.png

    \b
    Keys of --json:
      spec_version, backend, weights, images_classified, seconds, images_per_second
      images   one for each file, in order: file and
               classes (label, probability; the most probable first), or error

    \b
    Exit status:
      0  every image was classified
      1  at least one image could not be read
      2  an error in the command line, the weights or the backend
    """
    network = load_classifier(open_weights(weights), backend)
    network.warm_up()
    with _progress(len(files)) as bar:
        rows = []
        for row in classify_files(network, files, batch, top):
            rows.append(row)
            bar.update(1)
    _report(network, weights or "digits", rows, as_json)
    if any("error" in row for row in rows):
        ctx.exit(1)


def _report(network: Classifier, weights: str, rows: Sequence[dict[str, Any]],
            as_json: bool) -> None:
    good = sum("error" not in row for row in rows)
    speed = good / network.seconds if network.seconds else 0.0
    if as_json:
        print_json({"spec_version": SPEC_VERSION, "backend": network.backend.name,
                    "weights": weights, "images_classified": good, "seconds": network.seconds,
                    "images_per_second": speed, "images": rows})
        return
    print_rows(rows)
    click.echo(f"{good} {'image' if good == 1 else 'images'}, {speed:.1f} images/s, "
               f"backend {network.backend.name}")


def _progress(length: int) -> AbstractContextManager[Any]:
    if not sys.stderr.isatty():
        return nullcontext(_Silent())
    return click.progressbar(length=length, label="Classifying", file=sys.stderr)


class _Silent:
    def update(self, steps: int) -> None:
        """Show nothing: no one watches."""


def classify_files(network: Classifier, files: Sequence[str], batch: int,
                   top: int) -> Iterator[dict[str, Any]]:
    """One row for each file, in order: its most probable classes, or its error."""
    for start in range(0, len(files), batch):
        seen = [_try_image(network, file) for file in files[start:start + batch]]
        good = [pixels for pixels in seen if not isinstance(pixels, ValueError)]
        logits = iter(network.logits(network.preparation.normalize(good)) if good else ())
        for file, pixels in zip(files[start:start + batch], seen, strict=True):
            if isinstance(pixels, ValueError):
                yield {"file": file, "error": str(pixels)}
            else:
                yield {"file": file, "classes": _best(network, next(logits), top)}


def _try_image(network: Classifier, file: str) -> Pixels | ValueError:
    try:
        return read_image(file, network.preparation)
    except ValueError as error:
        return error


def _best(network: Classifier, logits: Any, top: int) -> list[dict[str, Any]]:
    chances = probabilities(logits)
    best = (-chances).argsort(kind="stable")[:top]
    return [{"label": network.labels[index], "probability": float(chances[index])}
            for index in best]


def print_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Rows of `classify_files` as text: classes on stdout, errors on stderr."""
    good = [row for row in rows if "error" not in row]
    if good:
        cells = [[_printable(row["file"]),
                  *(text for best in row["classes"]
                    for text in (best["label"], f"{best['probability']:.1%}"))] for row in good]
        print_table(cells, "<" + "<>" * len(good[0]["classes"]))
    for row in rows:
        if "error" in row:
            click.echo(f"Error: {row['error']}", err=True)


def _printable(file: str) -> str:
    """The file's name, quoted where it would break the line or command the terminal."""
    name = click.format_filename(file)
    return name if name.isprintable() else repr(name)
