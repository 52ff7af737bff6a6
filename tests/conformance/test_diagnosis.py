"""Modules that nobody adapted: what they compute is named, and nothing else is."""

import pytest
import torch
from modules import right, wrong

from sasakit.conformance.diagnosis.choices import DEVIATIONS, Choices
from sasakit.conformance.diagnosis.diagnose import diagnose
from sasakit.conformance.doors.torch_module import TorchBuilder
from sasakit.conformance.selfcheck.factory import module_class
from sasakit.conformance.selfcheck.recipes import Recipe, random_recipe

pytestmark = pytest.mark.usefixtures("one_thread")

RIGHT = {
    right.UnfoldAttention: {},
    right.FusedMaskedAttention: {"padding": "exclude", "position": "none",
                                 "scale": "1/sqrt(depth)"},
    right.PerHeadLists: {"relative": "per_head"},
    right.ChannelsLastDense: {"relative": "layer_halves", "first_half": "column"},
    right.RelativeOnly: {"content": False},
}
WRONG = {
    wrong.PerChannelSoftmax: {"softmax-per-channel"},
    wrong.BiasedProjections: {"padding-before-projection", "heads-interleaved",
                              "projection-biased"},
    wrong.DescendingEdges: {"padding-edge", "offset-descending"},
    wrong.EmbeddingOnValue: {"one-map-for-all-heads", "embedding-on-value"},
}


@pytest.mark.parametrize("module", RIGHT, ids=lambda module: module.__name__)
def test_right_modules_conform_under_their_options(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert (diagnosis.found, diagnosis.deviations) == ("options", [])
    assert diagnosis.options == RIGHT[module]


@pytest.mark.parametrize("module", WRONG, ids=lambda module: module.__name__)
def test_wrong_modules_are_named(module):
    diagnosis = diagnose(TorchBuilder(module))
    assert diagnosis.found == "deviations"
    assert {each.name for each in diagnosis.deviations} == WRONG[module]


def test_the_mapping_names_the_modules_own_parameters():
    diagnosis = diagnose(TorchBuilder(right.ChannelsLastDense))
    assert diagnosis.mapping == [("w_query", "wq"), ("w_key", "wk"), ("w_value", "wv"),
                                 ("rel_row", "down"), ("rel_col", "across")]


def test_what_is_in_no_list_is_unknown_and_says_where():
    diagnosis = diagnose(TorchBuilder(wrong.Unheard))
    assert (diagnosis.found, diagnosis.deviations) == ("unknown", [])
    assert diagnosis.stopped_at.startswith("content: values, window and padding match")


@pytest.mark.parametrize("seed", range(12))
def test_random_modules_with_up_to_three_deviations(seed):
    recipe = random_recipe(seed, seed % 4)
    diagnosis = diagnose(TorchBuilder(module_class(recipe)))
    assert {each.name for each in diagnosis.deviations} == recipe.names_of_deviations()
    assert diagnosis.found == ("deviations" if diagnosis.deviations else "options")


# The deviations that `published_wrong` shows none of, each alone.
ALONE = {
    "padding-edge": {"padding": "edge"}, "heads-interleaved": {"heads": "interleaved"},
    "one-map-for-all-heads": {"heads": "one"}, "softmax-per-column": {"softmax": "column"},
    "embedding-on-value": {"term": "value"}, "full-table": {"arrangement": "grid"},
    "full-width-sum": {"arrangement": "full_sum_layer"},
    "output-interleaved": {"order": "interleaved"},
}


@pytest.mark.parametrize("name", ALONE)
def test_a_single_deviation_is_named(name):
    recipe = Recipe(Choices(arrangement="shared").but(**ALONE[name]))
    diagnosis = diagnose(TorchBuilder(module_class(recipe)))
    assert [each.name for each in diagnosis.deviations] == [name]


class Stateful(right.UnfoldAttention):
    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(x) + self.calls


class Noisy(right.UnfoldAttention):
    def forward(self, x):
        return super().forward(x) + torch.rand(())


class Mutating(right.UnfoldAttention):
    def forward(self, x):
        return super().forward(x.mul_(1))


class Normalized(right.UnfoldAttention):
    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__(in_channels, out_channels, kernel_size, heads)
        self.norm = torch.nn.BatchNorm2d(out_channels)


class Unbuildable(right.UnfoldAttention):
    def __init__(self, in_channels, out_channels, kernel_size, heads):
        raise KeyError("a file that is not there")


@pytest.mark.parametrize(("module", "found", "text"), [
    (Stateful, "unknown", "two calls with the same input differ"),
    (Noisy, "unknown", "two calls with the same input differ"),
    (Normalized, "not judged", "it contains a normalization"),
    (Unbuildable, "not judged", "a file that is not there"),
])
def test_what_cannot_be_fitted_says_why(module, found, text):
    diagnosis = diagnose(TorchBuilder(module))
    assert diagnosis.found == found
    assert text in diagnosis.stopped_at


def test_every_deviation_is_one_that_a_clause_rules_out():
    from sasakit.conformance.clauses import all_clauses
    missing = {(each.name, each.clause) for each in DEVIATIONS.values()
               if each.name not in all_clauses()[each.clause].rejects}
    assert missing == set()
