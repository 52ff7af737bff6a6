"""Modules in the styles of public repositories: the verdict that was worked out by hand."""

import re
from itertools import product

import numpy as np
import pytest
from modules import (
    plain_positions,
    plain_projections,
    plain_windows,
    published_more,
    published_right,
    published_wrong,
    unheard,
)

from sasakit.conformance.diagnosis.builds import build_twice, subjects_of
from sasakit.conformance.diagnosis.counterexample import content_counterexample
from sasakit.conformance.diagnosis.diagnose import diagnose
from sasakit.conformance.diagnosis.fit import named_scales
from sasakit.conformance.diagnosis.stages import fit_values
from sasakit.conformance.diagnosis.subject import sort_rows
from sasakit.conformance.doors.torch_module import TorchBuilder
from sasakit.reference import AttentionOptions, attention_layer

pytestmark = pytest.mark.usefixtures("one_thread")

RIGHT = published_right.VERDICTS | published_more.VERDICTS
WRONG = (published_wrong.VERDICTS | plain_projections.VERDICTS | plain_positions.VERDICTS
         | plain_windows.VERDICTS)
# Nine styles of writing one layer, five right and four wrong.
NAMED = {
    "einops-like reshape": published_right.EinopsAttention,
    "grouped 1x1": published_right.GroupedProjections,
    "separate projections by head": published_right.SeparateHeads,
    "channels-last dense layers": published_right.KerasStyleAttention,
    "fused qkv": published_more.FusedChunk,
    "unfold": published_wrong.AttentionConv,
    "k * k shifts": published_wrong.RollShifts,
    "unfold after projection with bias": published_wrong.UnfoldAfterBias,
    "halo blocks": published_wrong.HaloBackwards,
}


@pytest.mark.parametrize("module", RIGHT, ids=lambda module: module.__name__)
def test_right_ones_conform_under_exactly_their_options(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert (diagnosis.found, diagnosis.deviations) == ("options", [])
    assert diagnosis.options == RIGHT[module]


@pytest.mark.parametrize("module", WRONG, ids=lambda module: module.__name__)
def test_wrong_ones_are_named_by_exactly_their_deviations(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert diagnosis.found == "deviations"
    assert {each.name for each in diagnosis.deviations} == WRONG[module]


@pytest.mark.parametrize("module", unheard.VERDICTS, ids=lambda module: module.__name__)
def test_what_has_no_name_is_given_none_but_a_counterexample(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert (diagnosis.found, diagnosis.deviations, diagnosis.options) == ("unknown", [], {})
    assert "counterexample: " in diagnosis.findings[-1]


def test_the_named_styles_have_verdicts():
    right = [module in RIGHT for module in NAMED.values()]
    wrong = [module in WRONG for module in NAMED.values()]
    assert (sum(right), sum(wrong)) == (5, 4)
    assert np.logical_xor(right, wrong).all()


@pytest.mark.parametrize("module", [unheard.Cosine, unheard.Capped, unheard.KeyElsewhere])
def test_a_counterexample_is_true_when_recomputed(module):
    [subject, _] = subjects_of(*build_twice(TorchBuilder(module)), 0)
    assert sort_rows(subject) is None
    [fit] = fit_values(subject)
    subject.rng = np.random.default_rng(7)
    text = content_counterexample(subject, fit)
    subject.rng = np.random.default_rng(7)
    x, rows = subject.image(), subject.random_rows()
    index, got, expected = re.search(r"output \((.*)\) is (\S+), where .* gives (\S+)$",
                                     text).groups()
    at = tuple(int(number) for number in index.split(","))
    assert f"{subject.run(x, rows)[at]:.6g}" == got
    roles = (rows[subject.others[:24]].T, rows[subject.others[24:]].T)
    by_the_equation = {
        f"{_by_reference(x, query, key, rows[subject.values].T, scale)[at]:.6g}"
        for (query, key), scale in product((roles, roles[::-1]), named_scales(subject).values())}
    assert expected in by_the_equation
    assert got not in by_the_equation


def _by_reference(x, query, key, value, scale):
    options = AttentionOptions(extent=5, heads=3, position="none", scale=scale)
    return attention_layer(x, {"w_query": query, "w_key": key, "w_value": value}, options=options)


def test_tables_that_nothing_explains_are_mapped():
    diagnosis = diagnose(TorchBuilder(unheard.HalvesByParity))
    assert diagnosis.findings[:2] == [
        "with keys and all other entries zero, rel_h[0, 0] moves the logits of head 0..2 in window "
        "rows 0 and columns 0..4, through query channels 0, 8, 16",
        "with keys and all other entries zero, rel_w[0, 0] moves the logits of head 0..2 in window "
        "rows 0..4 and columns 0, through query channels 1, 9, 17"]
