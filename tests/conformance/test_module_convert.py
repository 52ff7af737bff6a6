"""Converted weights: the equation with them is the module, or nothing is written."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from modules import right, wrong
from modules.in_process import diagnosed
from safetensors import safe_open

from sasakit.cli.main import main
from sasakit.conformance.case import Case, expect
from sasakit.conformance.diagnosis import module_report
from sasakit.conformance.diagnosis.choices import Choices
from sasakit.conformance.diagnosis.convert import converted
from sasakit.conformance.diagnosis.instance import ModuleError, Sizes
from sasakit.conformance.diagnosis.placement import Placement
from sasakit.conformance.diagnosis.saved_weights import sizes_of, write_converted
from sasakit.conformance.judge import Disagreement, Expected, measure
from sasakit.conformance.profiles import plain_profile
from sasakit.conformance.report import Report
from sasakit.conformance.selfcheck.factory import module_class
from sasakit.conformance.selfcheck.recipes import Recipe
from sasakit.reference import AttentionOptions

pytestmark = pytest.mark.usefixtures("one_thread")


def made(scale="1", relative_scale="1", long_tables=False, **choices):
    return module_class(Recipe(Choices(**{"arrangement": "shared", **choices}), scale=scale,
                               relative_scale=relative_scale, long_tables=long_tables))


def read(path):
    """Weights, options and order of output channels of a file."""
    with safe_open(path, "np") as file:
        said = file.metadata()
        weights = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
    assert said["format"] == "sasakit attention_layer"
    return weights, AttentionOptions(**json.loads(said["options"])), json.loads(
        said["output_order"])


def judged(path, x, y):
    """Rho of a module's output against the equation with the weights of a file."""
    weights, options, order = read(path)
    profile = plain_profile("float64")
    want = expect(Case("attention_layer", {"x": x, **weights}, options, "float64"), profile)
    pick = slice(None) if order is None else order
    return measure("module", y, Expected(want.value[..., pick], want.budget[..., pick]))


CONVERTIBLE = {
    "long tables that descend": {"long_tables": True, "column": "descending",
                                 "padding": "exclude"},
    "two factors": {"scale": "depth", "relative_scale": "width"},
    "interleaved": {"heads": "interleaved"},
    "one map": {"heads": "one", "arrangement": "per_head", "first_half": "column"},
    "per channel": {"heads": "channel", "arrangement": "none"},
}


@pytest.mark.parametrize("name", CONVERTIBLE)
def test_the_equation_with_converted_weights_is_the_module(name, tmp_path):
    builder, diagnosis = diagnosed(made(**CONVERTIBLE[name]))
    explanation, sizes = diagnosis.explanation, Sizes(7, 12, 3, 3)
    instance = builder.build(sizes)
    found = converted(Placement(explanation, instance, sizes), explanation, instance.get(),
                      diagnosis.deviations)
    assert "; ".join(found.changes) == (diagnosis.convertible or "")
    write_converted(tmp_path / "it", found, diagnosis.mapping, name)
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 7))
    y = instance.run(x)
    judged(tmp_path / "it", x, y)
    with pytest.raises(Disagreement):
        judged(tmp_path / "it", x, y[..., ::-1])


@pytest.mark.parametrize(("module", "text"), [
    (wrong.EmbeddingOnValue, "no change of the weights undoes embedding-on-value (POS-3): the "
                             "embedding is added to the value, not to the logit"),
    (wrong.PerChannelSoftmax, "no change of the weights undoes softmax-per-channel (ATT-4): not "
                              "every head has as many channels that meet rows as columns"),
])
def test_what_weights_cannot_undo_is_named_and_nothing_is_written(module, text, monkeypatch,
                                                                  tmp_path):
    builder, diagnosis = diagnosed(module)
    monkeypatch.setattr(module_report, "IsolatedBuilder", lambda target: builder)
    examined = module_report.Examined(Report("it", "deviates", diagnosis=diagnosis),
                                      deviations=diagnosis.deviations)
    assert diagnosis.convertible is None
    with pytest.raises(ModuleError) as raised:
        module_report.convert_module(examined, SimpleNamespace(name="it"), tmp_path / "it", {},
                                     saved=False)
    assert str(raised.value) == text
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_read_off_the_tensors():
    builder, diagnosis = diagnosed(right.UnfoldAttention)
    sizes = Sizes(6, 16, 4, 3)
    parameters = builder.build(sizes).get()
    assert sizes_of(diagnosis.explanation, parameters, {}) == sizes
    builder, diagnosis = diagnosed(right.ChannelsLastDense)
    parameters = builder.build(sizes).get()
    with pytest.raises(ModuleError, match="fit several sizes; say heads with --arg"):
        sizes_of(diagnosis.explanation, parameters, {})
    assert sizes_of(diagnosis.explanation, parameters, {"heads": 4}) == sizes


def verify(*arguments):
    return CliRunner().invoke(main, ["verify", *arguments, "--clauses", "PAD-1"])


def test_a_state_dict_becomes_a_file_of_the_equations_weights(tmp_path):
    torch.manual_seed(3)
    module = right.ChannelsLastDense(6, 16, 3, 4)
    torch.save(module.state_dict(), tmp_path / "own.pt")
    result = verify(f"{right.__file__}:ChannelsLastDense", "--weights", str(tmp_path / "own.pt"),
                    "--arg", "heads=4", "--convert", str(tmp_path / "converted"))
    assert result.exit_code == 0, result.output
    assert "Wrote" in result.stdout
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 6))
    y = module.double()(torch.from_numpy(x)).detach().numpy()
    judged(tmp_path / "converted", x, y)


def test_what_cannot_be_converted_is_judged_all_the_same(tmp_path):
    result = verify(f"{wrong.__file__}:PerChannelSoftmax", "--convert", str(tmp_path / "it"),
                    "--json")
    assert json.loads(result.stdout)["targets"][0]["outcome"] == "deviates"
    assert result.stderr.startswith("Error: `--convert` must have weights that can be converted; ")
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])


@pytest.mark.parametrize(("arguments", "text"), [
    (["numba", "--convert", "it"], "`--convert` must come with one torch module; got 0."),
    (["numba", "--map", "w_query=a"], "`--map` must come with one torch module; got 0."),
    (["x.py:A", "--map", "w_query"], "`--map` must be ROLE=PARAMETER; got 'w_query'."),
])
def test_options_for_no_module_are_refused(arguments, text):
    result = verify(*arguments)
    assert result.exit_code == 2
    assert text in result.stderr
