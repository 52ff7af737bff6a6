"""sasakit train: learn the weights of the network that `classify` and `demo` use."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sasakit.accel.weights_file import write_weights
from sasakit.reference.contract.version import SPEC_VERSION

from .output import json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from .training import Epoch, TrainingResult

NEEDED = ("torch", "safetensors", "mlxtend")
OUTPUT = "digits.safetensors"


@click.group()
def train() -> None:
    """Train a network and write its weights into a file.

    \b
    Example:
      sasakit train digits --output mine.safetensors
    """


@train.command()
@click.option("--epochs", type=click.IntRange(min=1), default=40, show_default=True,
              help="Passes over the 4000 training digits.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of the initial weights, the order and the distortions.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True,
              help="CPU threads; the network is too small to gain from many.")
@click.option("--output", metavar="FILE", default=OUTPUT, show_default=True,
              type=click.Path(path_type=Path), help="Where the weights go, .safetensors.")
@click.option("--force", is_flag=True, help="Replace the file if there is one already.")
@json_option
def digits(epochs: int, seed: int, threads: int, output: Path, force: bool,
           as_json: bool) -> None:
    """Train the digits network, all attention, on 4000 digits; measure it on 1000 held out.

    The file appears whole, at the end; an interrupted training leaves nothing. On a CPU the same
    seed, epochs and threads give the same weights. Progress goes to stderr: the loss, and the share
    of the distorted training digits that were right in that epoch.

    \b
    Examples:
      sasakit train digits
      sasakit train digits --epochs 5 --output quick.safetensors
      sasakit train digits --seed 1 --force --json

    \b
    Keys of --json:
      spec_version, output, epochs, seed, parameters, seconds,
      held_out, correct, accuracy (of the digits held out)
      history  one for each epoch: epoch, loss, accuracy (of the training digits)

    \b
    Exit status:
      0    trained and written
      2    an error in the command line, or something that is needed is not installed
      130  interrupted by Ctrl-C
    """
    check_output(output, force)
    check_installed()
    from .training import train_digits
    history: list[dict[str, Any]] = []
    with _progress(epochs) as show:
        def note(epoch: "Epoch") -> None:
            history.append({"epoch": epoch.number, "loss": epoch.loss, "accuracy": epoch.accuracy})
            show(epoch)
        result = train_digits(epochs, seed, threads, note)
    # Looked at again, since minutes have passed.
    check_output(output, force)
    write_weights(output, result.spec, result.weights, **result.metadata())
    if as_json:
        print_json(_document(output, result) | {"history": history})
    else:
        click.echo(f"{click.format_filename(output)}: {result.parameters} parameters, "
                   f"{result.seconds:.0f} s; {result.correct} of {result.held_out} held-out digits "
                   f"are right, {result.accuracy:.1%}.")


def _document(output: Path, result: "TrainingResult") -> dict[str, Any]:
    return {"spec_version": SPEC_VERSION, "output": click.format_filename(output),
            "epochs": result.epochs, "seed": result.seed, "parameters": result.parameters,
            "seconds": result.seconds, "held_out": result.held_out, "correct": result.correct,
            "accuracy": result.accuracy}


def check_output(output: Path, force: bool) -> None:
    """Refuse, before minutes are spent, what could not be written. Raises ValueError."""
    name = repr(click.format_filename(output))
    if output.is_dir():
        raise ValueError(f"`output` must be a file; got the directory {name}.")
    if not output.parent.is_dir():
        raise ValueError(f"`output` must lie in a directory that exists; got {name}.")
    if output.exists() and not force:
        raise ValueError(f"`output` must not exist already unless --force is given; got {name}.")


def check_installed() -> None:
    """Raises ImportError, naming the first package that training lacks."""
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"Training needs {package}: pip install 'sasakit[digits]'")


@contextmanager
def _progress(epochs: int) -> "Iterator[Callable[[Epoch], None]]":
    """A bar on a terminal, otherwise a line for each epoch; both on stderr."""
    if not sys.stderr.isatty():
        yield lambda epoch: click.echo(f"epoch {epoch.number}/{epochs}: {_words(epoch)}", err=True)
        return
    with click.progressbar(length=epochs, label="Training", file=sys.stderr, show_pos=True,
                           item_show_func=_words) as bar:
        yield lambda epoch: bar.update(1, epoch)


def _words(epoch: "Epoch | None") -> str:
    return "" if epoch is None else f"loss {epoch.loss:.3f}, {epoch.accuracy:.1%} right"
