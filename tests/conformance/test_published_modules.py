"""Modules in the styles of public repositories: the verdict that was worked out by hand."""

import numpy as np
import pytest
import torch
from modules import published_right, published_wrong, unheard

from sasakit.conformance.diagnosis.diagnose import diagnose
from sasakit.conformance.doors.torch_module import TorchBuilder

# Nine styles of writing one layer, five right and four wrong.
NAMED = {
    "einops-like reshape": published_right.EinopsAttention,
    "grouped 1x1": published_right.GroupedProjections,
    "separate projections by head": published_right.SeparateHeads,
    "channels-last dense layers": published_right.KerasStyleAttention,
    "fused qkv": published_right.FusedChunk,
    "unfold": published_wrong.AttentionConv,
    "k * k shifts": published_wrong.RollShifts,
    "unfold after projection with bias": published_wrong.UnfoldAfterBias,
    "halo blocks": published_wrong.HaloBackwards,
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("module", published_right.VERDICTS, ids=lambda module: module.__name__)
def test_right_ones_conform_under_exactly_their_options(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert (diagnosis.found, diagnosis.deviations) == ("options", [])
    assert diagnosis.options == published_right.VERDICTS[module]


@pytest.mark.parametrize("module", published_wrong.VERDICTS, ids=lambda module: module.__name__)
def test_wrong_ones_are_named_by_exactly_their_deviations(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert diagnosis.found == "deviations"
    assert {each.name for each in diagnosis.deviations} == published_wrong.VERDICTS[module]


@pytest.mark.parametrize("module", unheard.VERDICTS, ids=lambda module: module.__name__)
def test_what_has_no_name_is_given_none_but_a_counterexample(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert (diagnosis.found, diagnosis.deviations, diagnosis.options) == ("unknown", [], {})
    assert "counterexample: " in diagnosis.findings[-1]


def test_the_named_styles_have_verdicts():
    right = [module in published_right.VERDICTS for module in NAMED.values()]
    wrong = [module in published_wrong.VERDICTS for module in NAMED.values()]
    assert (sum(right), sum(wrong)) == (5, 4)
    assert np.logical_xor(right, wrong).all()
