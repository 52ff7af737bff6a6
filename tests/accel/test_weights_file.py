"""Weights in a file: what is written is read, and anything else is refused whole (INV-7)."""

import io
import json
import os
import pickle
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save, save_file

from sasakit.accel import read_weights, write_weights
from sasakit.reference import SPEC_VERSION, NetworkSpec, random_weights

SPEC = NetworkSpec(depth=5, blocks=(1,), width=8, heads=2, extent=3, stages=(1,), classes=3,
                   stem="mixture", padding="exclude")


@pytest.fixture
def weights():
    return random_weights(SPEC, seed=0, dtype=np.float32)


@pytest.fixture
def path(tmp_path, weights):
    write_weights(tmp_path / "net.safetensors", SPEC, weights, labels="abc")
    return tmp_path / "net.safetensors"


def header_of(path):
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def rewritten(path, **changes):
    """The same file with other metadata; None takes an entry away."""
    header, _ = header_of(path)
    metadata = {key: value for key, value in {**header["__metadata__"], **changes}.items()
                if value is not None}
    save_file(load_file(path), path, metadata)


def refusal(path):
    """The text of the refusal, or None where the file is read."""
    try:
        read_weights(path)
    except ValueError as error:
        return str(error)
    return None


def network_with(**changes):
    from dataclasses import asdict
    return json.dumps({**asdict(SPEC), **changes})


def test_what_is_written_is_read(path, weights):
    read = read_weights(path)
    assert (read.spec, read.metadata) == (SPEC, {"labels": "abc"})
    assert list(read.weights) == list(weights)
    for name, w in weights.items():
        assert read.weights[name].dtype == w.dtype
        assert read.weights[name].tobytes() == w.tobytes()


def test_the_file_says_what_it_is(path):
    metadata = header_of(path)[0]["__metadata__"]
    assert metadata["format"] == "sasakit"
    assert metadata["spec_version"] == SPEC_VERSION
    assert json.loads(metadata["network"])["padding"] == "exclude"


def test_the_same_network_gives_the_same_bytes(path, weights, tmp_path):
    write_weights(tmp_path / "again", SPEC, weights, labels="abc")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 100, -1])
def test_a_truncated_file_is_refused(path, cut):
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"^`weights` must be a whole safetensors file; got "):
        read_weights(path)


def test_bytes_too_many_are_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"^`weights` must be a whole safetensors file; got "):
        read_weights(path)


@pytest.mark.parametrize("seed", range(20))
def test_a_corrupted_header_is_refused_or_means_the_same(path, weights, seed):
    """One byte of the header changed: never anything but a clear refusal, or text that is free."""
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    at = int(rng.integers(8 + int.from_bytes(content[:8], "little")))
    content[at] ^= int(rng.integers(1, 256))
    path.write_bytes(content)
    outcome = refusal(path)
    if outcome is None:
        assert list(read_weights(path).weights) == list(weights)
    else:
        assert re.match(r"^`weights` must .*; got ", outcome)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def as_pickle():
    return pickle.dumps(Evil())


def as_torch():
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(2)}, buffer)
    return buffer.getvalue()


def as_npz():
    buffer = io.BytesIO()
    np.savez(buffer, w=np.ones(2))
    return buffer.getvalue()


@pytest.mark.parametrize("make", [as_pickle, as_torch, as_npz, lambda: b"\xff" * 64,
                                  lambda: b"hello", lambda: (2**60).to_bytes(8, "little") + b"{}"])
def test_other_files_are_refused_and_never_run(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(make())
    with pytest.raises(ValueError, match=r"^`weights` must be a whole safetensors file; got .f"):
        read_weights("file")
    assert os.listdir(tmp_path) == ["file"]


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(save({"w": np.ones(2)}))
    with pytest.raises(ValueError, match=r"^`weights` must be a file that sasakit wrote; got "):
        read_weights(tmp_path / "file")


@pytest.mark.parametrize(("changes", "text"), [
    ({"format": "other"}, "be a file that sasakit wrote"),
    ({"network": None}, "be a file that sasakit wrote"),
    ({"spec_version": "1.0"}, "follow SPEC.md 0 or older"),
    ({"spec_version": "new"}, "say their version of SPEC.md"),
    ({"network": "{"}, "name a network that can be"),
    ({"network": "[]"}, "name a network that can be"),
    ({"network": network_with(padding="same")}, "name a network that can be"),
    ({"network": network_with(width="8")}, "name a network that can be"),
    ({"network": network_with(unheard_of=1)}, "name a network that can be"),
    ({"network": network_with(width=10**30)}, "name a network that can be|fit their network"),
    ({"network": network_with(depth=3 * 10**9 + 2, blocks=[10**9])}, "fit their network"),
    ({"network": network_with(classes=4)}, "fit their network"),
    ({"network": network_with(stages=[])}, "fit their network"),
    ({"network": " " * 5000}, "name a network that can be"),
])
def test_files_that_do_not_fit_are_refused(path, changes, text):
    rewritten(path, **changes)
    with pytest.raises(ValueError, match=rf"^`weights` must ({text}); got "):
        read_weights(path)


def test_weights_of_another_type_are_refused(path):
    header, _ = header_of(path)
    arrays = {name: w.astype(np.int32) for name, w in load_file(path).items()}
    save_file(arrays, path, header["__metadata__"])
    with pytest.raises(ValueError, match=r"^`weights` must be float16 or float32 or float64; got "):
        read_weights(path)


def test_weights_that_are_not_finite_are_refused_both_ways(path, weights, tmp_path):
    weights["classifier.bias"][0] = np.nan
    with pytest.raises(ValueError, match=r"^`weights` must be finite; got NaN or infinity in "):
        write_weights(tmp_path / "new", SPEC, weights)
    assert not (tmp_path / "new").exists()
    header, _ = header_of(path)
    save_file(weights, path, header["__metadata__"])
    with pytest.raises(ValueError, match=r"^`weights` must be finite; got "):
        read_weights(path)


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_weights(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"^`weights` must be a file; got .*which is a directory"):
        read_weights(tmp_path)


@pytest.mark.parametrize(("metadata", "error"), [
    ({"format": "x"}, ValueError), ({"network": "x"}, ValueError), ({"labels": 3}, TypeError)])
def test_metadata_must_be_text_of_its_own(weights, tmp_path, metadata, error):
    with pytest.raises(error):
        write_weights(tmp_path / "new", SPEC, weights, **metadata)
    assert os.listdir(tmp_path) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, weights, monkeypatch):
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_weights(path, SPEC, {name: w + 1 for name, w in weights.items()})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
