"""sasakit classify: rows, errors among images, JSON, and what stops it."""

import io
import json
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sasakit.accel.weights_file import write_weights
from sasakit.cli import classify as command
from sasakit.cli.inference import probabilities
from sasakit.cli.main import main
from sasakit.reference import NetworkSpec, random_weights

from .networks import tiny_weights

SPEED = r"\d+\.\d images/s"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with images, one of them broken, and the tiny network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SASAKIT_BACKEND", raising=False)
    for name in ("one.png", "two.jpg", "-3.png"):
        Image.new("L", (40, 40), 255).save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"no image")
    tiny_weights(tmp_path / "tiny.safetensors")
    return tmp_path


def run(*args, backend="reference"):
    chosen = () if backend is None else ("--backend", backend)
    options = ("--weights", "tiny.safetensors", *chosen)
    return CliRunner().invoke(main, ("classify", *options, *args))


@pytest.mark.usefixtures("here")
def test_text():
    done = run("one.png", "two.jpg")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert re.fullmatch(
        r"one\.png  bee  50\.0%  ant  25\.0%  cat  25\.0%\n"
        r"two\.jpg  bee  50\.0%  ant  25\.0%  cat  25\.0%\n"
        rf"2 images, {SPEED}, backend reference\n", done.stdout)


@pytest.mark.usefixtures("here")
def test_one_bad_image_does_not_stop_the_others():
    done = run("--top", "1", "--batch", "2", "one.png", "bad.png", "missing.png", "two.jpg")
    assert done.exit_code == 1
    assert done.stderr == ("Error: `image` must be a PNG or JPEG image; got 'bad.png'.\n"
                           "Error: `image` must be a file that exists; got 'missing.png'.\n")
    assert re.fullmatch(r"one\.png  bee  50\.0%\ntwo\.jpg  bee  50\.0%\n"
                        rf"2 images, {SPEED}, backend reference\n", done.stdout)


@pytest.mark.usefixtures("here")
def test_only_bad_images():
    done = run("bad.png", ".")
    assert done.exit_code == 1
    assert done.stdout == "0 images, 0.0 images/s, backend reference\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")
def test_file_names_cannot_break_the_rows(here):
    for name in ("new\nline.png", "\x1b[31m.png"):
        Image.new("L", (28, 28)).save(here / name)
    lines = run("--top", "1", "new\nline.png", "\x1b[31m.png").stdout.splitlines()
    assert lines[:2] == ["'new\\nline.png'  bee  50.0%", "'\\x1b[31m.png'   bee  50.0%"]


@pytest.mark.usefixtures("here")
def test_json_keeps_the_order_and_has_the_errors():
    done = run("--json", "--batch", "1", "--top", "2", "bad.png", "one.png", "--", "-3.png")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert list(document) == ["spec_version", "backend", "weights", "images_classified", "seconds",
                              "images_per_second", "images"]
    assert (document["backend"], document["weights"]) == ("reference", "tiny.safetensors")
    assert document["images_classified"] == 2
    assert document["images_per_second"] == 2 / document["seconds"]
    assert document["images"][0] == {
        "file": "bad.png", "error": "`image` must be a PNG or JPEG image; got 'bad.png'."}
    assert [row["file"] for row in document["images"][1:]] == ["one.png", "-3.png"]
    for row in document["images"][1:]:
        assert [best["label"] for best in row["classes"]] == ["bee", "ant"]
        assert [round(best["probability"], 6) for best in row["classes"]] == [0.5, 0.25]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_other_backends_say_the_same(backend):
    done = run("one.png", backend=backend)
    assert done.exit_code == 0
    assert re.fullmatch(r"one\.png  bee  50\.0%  ant  25\.0%  cat  25\.0%\n"
                        rf"1 image, {SPEED}, backend {backend}\n", done.stdout)


@pytest.mark.usefixtures("here")
def test_the_environment_picks_the_backend(monkeypatch):
    monkeypatch.setenv("SASAKIT_BACKEND", "reference")
    assert run("one.png", backend=None).stdout.endswith("backend reference\n")
    monkeypatch.setenv("SASAKIT_BACKEND", "abacus")
    done = run("one.png", backend=None)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: `backend` must be one of reference, numba, torch, auto; "
                                  "got 'abacus'. Installed here: reference")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("args", "error"), [
    ([], "Missing argument 'IMAGE...'."),
    (["--top", "0", "one.png"], "Invalid value for '--top': 0 is not in the range x>=1."),
    (["--batch", "-1", "one.png"], "Invalid value for '--batch': -1 is not in the range x>=1."),
    (["--weights", "gone.safetensors", "one.png"],
     "gone.safetensors: No such file or directory."),
    (["--weights", "bad.png", "one.png"], "`weights` must be a whole safetensors file;"),
    (["-3.png"], "No such option"),
])
def test_refused(args, error):
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"Error: {error}")


@pytest.mark.parametrize(("metadata", "text"), [
    ({"labels": [1, 2]},
     "`weights` must say labels in their metadata, a JSON list of 3; got '[1, 2]'."),
    ({"labels": "ant"},
     "`weights` must say labels in their metadata, a JSON list of 3; got '\"ant\"'."),
    ({"image_size": "0"},
     "`weights` must say image_size in their metadata, a whole number; got '0'."),
])
def test_metadata_that_cannot_be_read(here, metadata, text):
    tiny_weights(here / "tiny.safetensors", **metadata)
    done = run("one.png")
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"Error: {text}\n")


def test_colour_networks_take_any_size_and_number_their_classes(here):
    spec = NetworkSpec(depth=5, blocks=(1,), stages=(), width=8, classes=2)
    weights = random_weights(spec, seed=0, dtype="float32")
    weights["classifier.w"] *= 0
    write_weights(here / "tiny.safetensors", spec, weights, image_size="16")
    done = run("one.png")
    assert done.stdout.startswith("one.png  0  50.0%  1  50.0%\n1 image, ")


def test_probabilities():
    assert (probabilities(np.array([[1000.0, 1000.0], [0.0, -np.log(3)]]))
            == [[0.5, 0.5], [0.75, 0.25]]).all()
    with pytest.raises(ValueError, match="weights") as refused:
        probabilities(np.array([0.0, np.nan]))
    assert str(refused.value) == "`weights` must give finite logits; got NaN or infinity."


def test_progress_is_shown_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True
    terminal = Terminal()
    monkeypatch.setattr(command, "sys", SimpleNamespace(stderr=terminal))
    with command._progress(4) as bar:
        bar.update(4)
    assert "Classifying" in terminal.getvalue()
    assert "100%" in terminal.getvalue()
