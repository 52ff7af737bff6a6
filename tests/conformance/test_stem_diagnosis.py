"""Stems that nobody adapted: what they compute is named, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from modules import right, stems

from sasakit import reference
from sasakit.conformance.clauses import all_clauses
from sasakit.conformance.diagnosis.instance import Sizes, same
from sasakit.conformance.diagnosis.stem_choices import (
    FINISHES,
    StemChoices,
    attention_readings,
    named_stem_deviations,
)
from sasakit.conformance.diagnosis.stem_diagnosis import diagnose_stem
from sasakit.conformance.diagnosis.stem_variant import StemWeights, variant_stem
from sasakit.conformance.doors.torch_network import OpenBuilder
from sasakit.reference import NetworkSpec, StemOptions
from sasakit.reference.contract.parameters import stem_parameters

pytestmark = pytest.mark.usefixtures("one_thread")

RIGHT = {
    stems.BlockStem: {"stem": "mixture"},
    stems.ConvValueStem: {"stem": "conv_value"},
    stems.PlainStem: {"stem": "plain"},
    stems.FixedStem: {"stem": "mixture", "stem_heads": 4, "stem_window": 4},
}
WRONG = {
    stems.PublicStem: {"stem-sliding-window", "position-sliding", "softmax-per-channel"},
    stems.OverPositions: {"mixture-over-positions"},
    stems.Tied: {"embeddings-tied"},
    stems.SharedValues: {"mixture-first-only"},
    stems.InImage: {"position-in-image"},
    stems.ScaledStem: {"stem-scaled"},
    stems.PoolFirst: {"stem-pool-first"},
    stems.WithRelu: {"stem-relu", "stem-pool-average", "stem-floor-size"},
    stems.Unfolded: {"stem-size-refused"},
    stems.RelativeStem: {"stem-relative-term"},
    stems.Biased: {"projection-biased"},
}


@pytest.mark.parametrize("module", RIGHT, ids=lambda module: module.__name__)
def test_right_stems_conform_under_their_options(module):
    diagnosis = diagnose_stem(OpenBuilder(module))
    assert (diagnosis.found, diagnosis.deviations) == ("options", [])
    assert diagnosis.options == RIGHT[module]
    assert diagnosis.ambiguous == []


@pytest.mark.parametrize("module", WRONG, ids=lambda module: module.__name__)
def test_wrong_stems_are_named(module):
    diagnosis = diagnose_stem(OpenBuilder(module))
    assert diagnosis.found == "deviations"
    assert {each.name for each in diagnosis.deviations} == WRONG[module]


@pytest.mark.parametrize(("module", "stage"), [
    (stems.UnheardStem, "as a stem: content: values and window match"),
    (stems.UnheardMixture, "as a stem: values: no known window"),
])
def test_what_is_in_no_list_is_unknown_with_a_counterexample(module, stage):
    diagnosis = diagnose_stem(OpenBuilder(module))
    assert (diagnosis.found, diagnosis.deviations) == ("unknown", [])
    assert diagnosis.stopped_at.startswith(stage)
    assert diagnosis.findings[0].startswith("counterexample: 21 channels in, 24 out, 3 heads")


class NormalizedLayer(right.UnfoldAttention):
    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__(in_channels, out_channels, kernel_size, heads)
        self.norm = torch.nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return self.norm(super().forward(x))


class BlockLayer(stems.PlainStem):
    def finish(self, y):
        return y


@pytest.mark.parametrize("module", [right.UnfoldAttention, NormalizedLayer, BlockLayer])
def test_a_layer_is_no_stem(module):
    assert diagnose_stem(OpenBuilder(module)) is None


def test_the_mapping_names_the_modules_own_parameters():
    diagnosis = diagnose_stem(OpenBuilder(stems.SlidingHeads))
    assert dict(diagnosis.mapping)["nu"] == "emb_mix"
    assert {dict(diagnosis.mapping)[role] for role in ("emb_row", "emb_col")} == {"emb_a", "emb_b"}
    assert dict(diagnosis.mapping)["w_value"] == " + ".join(
        f"value_conv.{n}.weight" for n in range(4))


@pytest.mark.parametrize("kind", ["plain", "conv_value", "mixture"])
def test_variants_are_the_reference_where_they_meet(kind):
    rng = np.random.default_rng(0)
    spec = NetworkSpec(stem=kind, width=16, stem_heads=2, stem_window=4)
    given = {name: rng.standard_normal(shape) for name, shape in stem_parameters(spec).items()}
    given["norm_variance"] = np.abs(given["norm_variance"]) + 0.5
    values = {"plain": "plain", "conv_value": "convolution", "mixture": "mixture"}[kind]
    value = given["w_value"] if kind == "conv_value" else \
        given["w_value"].reshape(-1, 3, 16).swapaxes(1, 2)
    weights = StemWeights(given["w_query"].T, given["w_key"].T, value,
                          row=given.get("emb_row"), col=given.get("emb_col"),
                          nu=given.get("nu"),
                          norm={name: w for name, w in given.items() if name.startswith("norm")})
    images = rng.standard_normal((2, 9, 7, 3))
    expected = reference.stem(images, given, options=StemOptions(kind=kind, heads=2, window=4))
    actual = variant_stem(images, weights, Sizes(3, 16, 2, 4), StemChoices(values=values))
    assert same(actual, expected)


def test_every_deviation_is_one_that_a_clause_rules_out():
    plain = StemChoices()
    every = [replace(each, finish=finish) for values in ("plain", "convolution")
             for each in attention_readings(values) for finish in FINISHES]
    every += [plain.but(normalized=n) for n in ("positions", "raw", "exp", "sigmoid")]
    every += [plain.but(place=p) for p in ("sliding", "image")]
    every += [plain.but(tables=t) for t in ("rows", "columns", "tied")]
    every += [plain.but(form=f) for f in ("interleaved", "one", "channel")]
    every += [plain.but(cut=c) for c in ("floor", "padded")]
    every += [plain.but(scale="1/depth", relative="by slot", pad_input=True)]
    named = {(each.name, each.clause) for choices in every
             for each in named_stem_deviations(choices)}
    assert len(named) == 24
    assert {(name, clause) for name, clause in named
            if name not in all_clauses()[clause].rejects} == set()
