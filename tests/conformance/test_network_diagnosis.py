"""Whole networks that nobody adapted: their layers, their blocks and their ends are judged."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from modules import networks, stems
from torch import nn

from sasakit.conformance import diagnosis as package
from sasakit.conformance.clauses import all_clauses
from sasakit.conformance.diagnosis import network_diagnosis
from sasakit.conformance.diagnosis.diagnose import diagnose
from sasakit.conformance.diagnosis.instance import same
from sasakit.conformance.diagnosis.module_report import module_report
from sasakit.conformance.diagnosis.network_blocks import BlockFacts, judge_block
from sasakit.conformance.diagnosis.network_diagnosis import diagnose_network
from sasakit.conformance.diagnosis.network_flow import FUNCTIONS, Way
from sasakit.conformance.doors.module_door import makes_modules
from sasakit.conformance.doors.torch_module import TorchBuilder
from sasakit.conformance.doors.torch_network import TorchNetwork
from sasakit.conformance.isolation.target import IsolatedTarget
from sasakit.conformance.report import Diagnosis
from sasakit.reference.layers import average_pool, overlapping_max_pool

pytestmark = pytest.mark.usefixtures("one_thread")

# Wrong outside the attention layers, which are therefore taken for right.
BUILT_WRONG = {
    networks.FloorPooled: {("pool-floor-size", "NET-11")},
    networks.PoolAfterExpand: {("pool-after-expand", "NET-3")},
    networks.OddRefused: {("pool-after-expand", "NET-3"), ("odd-size-refused", "NET-11")},
    networks.ReluBeforeSum: {("relu-before-sum", "NET-2")},
    networks.Narrow: {("width-not-doubled", "NET-1")},
}


def test_a_right_network_conforms_under_its_options():
    diagnosis = diagnose_network(TorchNetwork(networks.AttentionResNet, {}))
    assert (diagnosis.found, diagnosis.deviations) == ("options", [])
    assert diagnosis.options == {"extent": 3, "heads": 2, "stem": "conv"}
    parameters = sum(p.numel() for p in networks.AttentionResNet().parameters())
    assert f"{parameters} parameters that are learned, as COST-6 counts" in diagnosis.findings


def test_strided_queries_are_named():
    diagnosis = diagnose_network(TorchNetwork(networks.StridedQueries, {}))
    assert diagnosis.found == "deviations"
    assert [(each.name, each.clause) for each in diagnosis.deviations] == [
        ("strided-queries", "NET-3")]


class FloorPool(networks.PooledAttention):
    def forward(self, x):
        y = networks.Attention.forward(self, x)
        return torch.nn.functional.avg_pool2d(y, 2)


@pytest.mark.parametrize(("module", "names"), [
    (networks.PooledAttention, []), (networks.StridedAttention, ["strided-queries"]),
    (FloorPool, ["pool-floor-size"]),
])
def test_a_layer_built_with_stride_two_is_pooled_or_strided(module, names):
    diagnosis = diagnose(TorchBuilder(module, {"stride": "2"}))
    assert diagnosis.found == ("deviations" if names else "options")
    assert [each.name for each in diagnosis.deviations] == names
    assert ("pool" in diagnosis.options) == (names != ["strided-queries"])


@pytest.fixture
def layers_are_right(monkeypatch):
    monkeypatch.setattr(network_diagnosis, "diagnose", lambda builder: Diagnosis("options"))


@pytest.mark.usefixtures("layers_are_right")
@pytest.mark.parametrize("module", BUILT_WRONG, ids=lambda module: module.__name__)
def test_networks_that_are_built_wrong_are_named(module):
    diagnosis = diagnose_network(TorchNetwork(module, {}))
    assert {(each.name, each.clause) for each in diagnosis.deviations} == BUILT_WRONG[module]


class WithStem(networks.AttentionResNet):
    def __init__(self):
        super().__init__(layers=(1,))
        self.conv1 = nn.Identity()
        self.bn1 = nn.Identity()
        self.first = nn.Sequential(stems.BareStem(3, 8, 4, 2), nn.BatchNorm2d(8),
                                   nn.MaxPool2d(4, 4, ceil_mode=True))

    def stem(self, x):
        return self.first(x)


class PlainFirst(networks.AttentionResNet):
    """3 x 3, as for small images."""

    def __init__(self):
        super().__init__(layers=(1,))
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)

    def stem(self, x):
        return self.bn1(self.conv1(x))


class Gated(networks.AttentionResNet):
    """Something that no clause knows: the blocks' outputs are squared."""

    def forward(self, x):
        return self.fc(self.stages(self.stem(x)).square().mean((2, 3)))


@pytest.mark.usefixtures("layers_are_right")
def test_an_attention_stem_is_judged_with_what_follows_it():
    diagnosis = diagnose_network(TorchNetwork(WithStem, {}))
    assert (diagnosis.found, diagnosis.deviations) == ("options", [])
    assert diagnosis.options == {"extent": 3, "heads": 2, "stem": "mixture", "stem_heads": 2}


@pytest.mark.usefixtures("layers_are_right")
def test_a_stem_that_is_none_is_named():
    diagnosis = diagnose_network(TorchNetwork(PlainFirst, {}))
    assert {each.name for each in diagnosis.deviations} == {"stem-mismatched"}


@pytest.mark.usefixtures("layers_are_right")
def test_what_cannot_be_followed_is_not_judged():
    diagnosis = diagnose_network(TorchNetwork(Gated, {}))
    assert (diagnosis.found, diagnosis.deviations) == ("not judged", [])
    assert "the way from the last block to the class scores" in diagnosis.stopped_at


def test_what_gives_images_is_no_network():
    assert diagnose_network(TorchNetwork(stems.FixedStem, {})) is None


def test_a_process_of_its_own_says_the_same(monkeypatch):
    monkeypatch.chdir(Path(__file__).parent)
    described = {"door": "python", "spec": "modules.networks:wrong_layer"}
    with IsolatedTarget("networks", described) as target:
        report = module_report(target)
    assert report.outcome == "deviates"
    assert {each.name for each in report.diagnosis.deviations} == {"softmax-per-channel"}


def attend(query, key, value):
    return query


@pytest.mark.parametrize(("found", "makes"), [
    (networks.wrong_layer, True), (attend, False), (networks.WrongLayer, False), (len, False),
])
def test_functions_that_make_modules_are_told_from_operations(found, makes):
    assert makes_modules(found, {}) == makes


MAIN = ("conv1", "norm", "relu", "attention", "norm", "relu", "conv1", "norm")
DOWN = ("conv1/2", "norm")
BLOCKS = [
    (MAIN, (), ("relu",), 1, set()),
    ((*MAIN[:4], "average", *MAIN[4:]), DOWN, ("relu",), 2, set()),
    ((*MAIN[:5], "average", *MAIN[5:]), DOWN, ("relu",), 2, set()),
    ((*MAIN[:4], "maximum", *MAIN[4:]), DOWN, ("relu",), 2, {"pool-maximum"}),
    ((*MAIN[:3], "average", *MAIN[3:]), DOWN, ("relu",), 2, {"pool-before-attention"}),
    ((*MAIN[:6], "average", *MAIN[6:]), DOWN, ("relu",), 2, {"pool-after-expand"}),
    ((*MAIN, "average"), DOWN, ("relu",), 2, {"pool-after-expand"}),
    (("conv1/2", *MAIN[1:]), DOWN, ("relu",), 2, {"stride-in-first"}),
    ((*MAIN[:4], "even", *MAIN[4:]), DOWN, ("relu",), 2, {"strided-queries"}),
    ((*MAIN[:3], "conv3/2", *MAIN[4:]), DOWN, ("relu",), 2, set()),
    ((*MAIN[:4], "average", *MAIN[4:]), ("average", "conv1", "norm"), ("relu",), 2,
     {"shortcut-pooled"}),
    ((*MAIN[:4], "average", *MAIN[4:]), ("odd", "conv1", "norm"), ("relu",), 2,
     {"shortcut-odd-pixels"}),
    ((*MAIN, "relu"), (), (), 1, {"relu-before-sum"}),
    (MAIN, (), (), 1, {"relu-missing"}),
    ((*MAIN[:5], *MAIN[6:]), (), ("relu",), 1, {"relu-missing"}),
    (("norm", "relu", "conv1", "norm", "relu", "attention", "norm", "relu", "conv1"), (), (), 1,
     {"preactivation"}),
]


@pytest.mark.parametrize(("main", "shortcut", "after", "stride", "names"), BLOCKS)
def test_a_block_is_named_by_the_ways_through_it(main, shortcut, after, stride, names):
    facts = BlockFacts("block", None if "conv3/2" in main else "a", (8, 8, 32), stride)
    judge_block(facts, Way(after, (Way(shortcut), Way(main))))
    assert facts.problem is None
    assert {each.name for each in facts.deviations} == names


@pytest.mark.parametrize("main", [
    (*MAIN[:3], "norm", *MAIN[3:]), ("relu", *MAIN), MAIN[:-1], (*MAIN[:4], "conv1", *MAIN[4:]),
])
def test_a_block_in_another_order_has_no_name(main):
    facts = BlockFacts("block", "a", (8, 8, 32), 1)
    judge_block(facts, Way(("relu",), (Way(main), Way())))
    assert facts.deviations == []
    assert facts.problem is not None


@pytest.mark.parametrize(("word", "function"), [("average", average_pool),
                                                ("maximum 3", overlapping_max_pool)])
def test_functions_between_modules_are_the_references(word, function):
    x = np.random.default_rng(0).standard_normal((2, 5, 7, 3))
    found = FUNCTIONS[word](x.transpose(0, 3, 1, 2))
    assert same(found.transpose(0, 2, 3, 1), function(x))


def test_every_name_is_one_that_its_clause_rules_out():
    folder = Path(package.__file__).parent
    pairs = set()
    for path in folder.glob("network_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            inside = getattr(node, "elts", None) or getattr(node, "args", None)
            if isinstance(inside, list):
                words = [getattr(each, "value", None) for each in inside]
                pairs |= {(a, b) for a, b in pairwise(words)
                          if isinstance(b, str) and re.fullmatch(r"[A-Z]+-\d+", b)}
    assert len(pairs) == 19
    assert {(name, clause) for name, clause in pairs
            if name not in all_clauses()[clause].rejects} == set()
