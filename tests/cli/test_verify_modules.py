"""`sasakit verify` on torch modules that nobody adapted."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sasakit.cli.main import main

MODULES = Path(__file__).parent.parent / "conformance" / "modules"


def verify(*arguments):
    return CliRunner().invoke(main, ["verify", *arguments])


def test_a_wrong_module_is_named_on_the_first_screen():
    result = verify(f"{MODULES}/wrong.py:PerChannelSoftmax", "--clauses", "WIN-1,ATT-4")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "violates ATT-4, WIN-3 of SPEC.md" in " ".join(lines[:2])
    assert any(line.startswith("  - softmax-per-channel (ATT-4): every channel has its own")
               for line in lines[:8])
    assert any(line.startswith("  FAIL  ATT-4") for line in lines)
    assert "  none  WIN-1: rests on content only" in lines


def test_a_right_module_conforms_under_its_options():
    result = verify(f"{MODULES}/right.py:FusedMaskedAttention", "--json", "--clauses", "PAD")
    document = json.loads(result.stdout)
    [target] = document["targets"]
    assert result.exit_code == 0
    assert [(each["clause"], each["verdict"]) for each in document["verdicts"]] == [
        ("PAD-2", "pass")]
    assert target["outcome"] == "conforms"
    assert target["diagnosis"]["options"] == {
        "padding": "exclude", "position": "none", "scale": "1/sqrt(depth)"}


def test_an_unknown_mistake_has_a_counterexample():
    result = verify(f"{MODULES}/wrong.py:Unheard")
    assert result.exit_code == 1
    assert "in no way that is known" in " ".join(result.stdout.split())
    assert "counterexample: 21 channels in, 24 out, 3 heads, extent 5" in " ".join(
        result.stdout.split())


ODD = """
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self, phi, alpha, beta, gamma, delta, epsilon):
        super().__init__()

class Configured(nn.Module):
    def __init__(self, cfg):
        super().__init__()

class Crashing(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__()
        self.w = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        import os
        os._exit(0)

class Named(nn.Module):
    def __init__(self, nu, mu):
        super().__init__()
        self.value = nn.Conv2d(nu, mu, 1, bias=False)

    def forward(self, x):
        return self.value(x)
"""


@pytest.mark.parametrize(("name", "text"), [
    ("Odd", "its constructor has too many arguments of unknown names; say them with --arg"),
    ("Configured", "its constructor takes `cfg`, an object that only its author knows; say it in"),
    ("Crashing", "exit"),
])
def test_what_cannot_be_built_or_run_is_not_judged(name, text, tmp_path):
    (tmp_path / "odd.py").write_text(ODD)
    result = verify(f"{tmp_path}/odd.py:{name}")
    assert result.exit_code == 2
    assert text in " ".join(result.stdout.split())


def test_arguments_are_said_by_name(tmp_path):
    (tmp_path / "odd.py").write_text(ODD)
    result = verify(f"{tmp_path}/odd.py:Named", "--arg", "nu={channels_in}", "--arg",
                    "mu={channels_out}", "--json")
    [target] = json.loads(result.stdout)["targets"]
    assert target["diagnosis"]["found"] == "unknown"
    assert target["diagnosis"]["stopped_at"].startswith("values: ")


@pytest.mark.parametrize(("arguments", "text"), [
    (["numba", "--arg", "a=1"], "`--arg` must come with a target of foreign Python code"),
    (["x.py:A", "--arg", "a"], "`--arg` must be NAME=VALUE; got 'a'."),
])
def test_arguments_that_say_nothing_are_refused(arguments, text):
    result = verify(*arguments)
    assert result.exit_code == 2
    assert text in result.stderr
