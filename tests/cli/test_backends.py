"""sasakit backends: every state a backend can be in, as text and as JSON."""

import json
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sasakit.cli import backends as command
from sasakit.cli.main import main

CPU = {"name": "znver3", "instruction_set": "avx2", "float32_lanes": 8}


@pytest.fixture
def broken_torch(monkeypatch):
    """Numba works, torch is installed and cannot be imported, nothing else is known."""
    def resolve(name):
        if name in ("torch", "auto"):
            raise OSError("libtorch.so: cannot open\nshared object file")
        return SimpleNamespace(name=name)
    monkeypatch.setattr(command, "resolve_backend", resolve)
    monkeypatch.setattr(command, "installed_backends", lambda: ("reference", "numba", "torch"))
    monkeypatch.setattr(command, "_numba", lambda: {
        "threads": 4, "threading_layer": "tbb", "device": "cpu"})
    monkeypatch.setattr(command, "describe_cpu", lambda: CPU)
    monkeypatch.setattr(command.importlib.metadata, "version", lambda package: "1.2")
    monkeypatch.setenv("SASAKIT_BACKEND", "numba")


def run(*args):
    return CliRunner().invoke(main, ("backends", *args))


@pytest.mark.usefixtures("broken_torch")
def test_text_with_a_broken_torch():
    done = run()
    assert done.exit_code == 0
    assert done.output == """\
backend    state   runs on               packages
reference  ready                         numpy 1.2
numba      ready   cpu, 4 threads (tbb)  numba 1.2, llvmlite 1.2, tbb 1.2
torch      broken                        torch 1.2, triton 1.2

torch is broken: OSError: libtorch.so: cannot open shared object file
The processor, znver3, has avx2: 8 float32 numbers at once.
SASAKIT_BACKEND asks for numba.
auto fails: OSError: libtorch.so: cannot open shared object file
"""


@pytest.mark.usefixtures("broken_torch")
def test_json_with_a_broken_torch():
    document = json.loads(run("--json").stdout)
    assert list(document) == ["spec_version", "auto", "auto_error", "environment", "cpu",
                              "backends"]
    assert document["cpu"] == CPU
    assert document["environment"] == "numba"
    assert document["backends"][1:] == [
        {"name": "numba", "installed": True, "usable": True, "error": None,
         "packages": {"numba": "1.2", "llvmlite": "1.2", "tbb": "1.2"},
         "threads": 4, "threading_layer": "tbb", "device": "cpu"},
        {"name": "torch", "installed": True, "usable": False,
         "error": "OSError: libtorch.so: cannot open shared object file",
         "packages": {"torch": "1.2", "triton": "1.2"},
         "threads": None, "threading_layer": None, "device": None}]


def test_without_torch_nothing_of_it_is_asked(monkeypatch):
    monkeypatch.setattr(command, "installed_backends", lambda: ("reference",))
    monkeypatch.setattr(command, "resolve_backend", lambda name: SimpleNamespace(name="reference"))
    monkeypatch.delenv("SASAKIT_BACKEND", raising=False)
    lines = run().output.splitlines()
    assert lines[3].split()[:3] == ["torch", "not", "installed"]
    assert lines[-1] == "auto picks reference."


@pytest.mark.parametrize(("features", "widest", "lanes"), [
    ({"avx512f": True, "avx2": True, "sse2": True}, "avx512f", 16),
    ({"avx512f": False, "avx2": True}, "avx2", 8),
    ({"neon": True}, "neon", 4),
    ({}, None, None),
])
def test_the_widest_vectors(monkeypatch, features, widest, lanes):
    binding = SimpleNamespace(get_host_cpu_name=lambda: "cpu",
                              get_host_cpu_features=lambda: features)
    monkeypatch.setitem(sys.modules, "llvmlite.binding", binding)
    assert command.describe_cpu() == {"name": "cpu", "instruction_set": widest,
                                      "float32_lanes": lanes}


def test_a_processor_that_is_not_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    assert command.describe_cpu() == {"name": None, "instruction_set": None,
                                      "float32_lanes": None}
