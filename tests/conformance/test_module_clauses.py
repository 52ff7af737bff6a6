"""Modules that were explained, asked by the suites: their clauses, and where the two disagree."""

from types import SimpleNamespace

import numpy as np
import pytest
from modules import (
    plain_positions,
    plain_projections,
    published_more,
    published_right,
    right,
    wrong,
)
from modules.in_process import InProcess, diagnosed

from sasakit.conformance.diagnosis import module_report
from sasakit.conformance.diagnosis.contract_pass import contract_pass
from sasakit.conformance.diagnosis.instance import ModuleError, Sizes, same
from sasakit.conformance.diagnosis.module_suites import ModuleSuite, suite_case, suite_verdicts
from sasakit.conformance.diagnosis.placement import Placement
from sasakit.conformance.reports.summary import status_of

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = (Sizes(3, 4, 1, 1), Sizes(2, 4, 2, 3), Sizes(4, 8, 4, 3), Sizes(7, 12, 3, 1))


def suite_of(module):
    builder, diagnosis = diagnosed(module)
    return ModuleSuite(module.__name__, builder, diagnosis.explanation)


def statuses(suite, clauses):
    verdicts = suite_verdicts(suite, clauses=clauses, profile="brief")
    return {verdict.clause: status_of(verdict) for verdict in verdicts}, verdicts


@pytest.mark.parametrize("module", [right.UnfoldAttention, right.PerHeadLists,
                                    right.ChannelsLastDense, right.RelativeOnly])
def test_weights_have_a_place_where_lengths_tell_nothing(module):
    builder, diagnosis = diagnosed(module)
    for sizes in SMALL:
        placement = Placement(diagnosis.explanation, builder.build(sizes), sizes)
        weights = placement.random_weights()
        x = np.random.default_rng(0).standard_normal((2, 4, 5, sizes.channels_in))
        y = placement.run(x, weights)
        assert same(y, placement.predict(x, weights, placement.choices))
        swapped = weights | {"rel_row": weights["rel_col"], "rel_col": weights["rel_row"]}
        moved = not same(placement.run(x, swapped), y)
        assert moved == (sizes.extent > 1)


@pytest.mark.parametrize("module", [
    plain_positions.RandomEmbedding, plain_positions.SingleOnly, plain_projections.HalfGrouped,
    plain_projections.KeyIsValue, plain_projections.SpatialProjections,
    plain_projections.TwoGroups])
def test_a_module_that_the_weights_do_not_fit_is_asked_nothing(module):
    assert suite_of(right.UnfoldAttention).has_weights
    assert not suite_of(module).has_weights


def test_a_class_that_chooses_its_heads_is_asked_for_no_others():
    builder, diagnosis = diagnosed(published_more.FourHeadsInside)
    explanation = diagnosis.explanation
    assert Placement(explanation, builder.build(Sizes(5, 16, 4, 3)), Sizes(5, 16, 4, 3)).is_faithful
    with pytest.raises(ModuleError, match="its constructor has no argument for 2 heads"):
        Placement(explanation, builder.build(Sizes(5, 16, 2, 3)), Sizes(5, 16, 2, 3))
    assert contract_pass(builder, explanation).deviations == []


def test_images_that_a_module_does_not_take_are_no_case():
    suite = suite_of(published_right.HaloBlocks)
    assert [suite.takes_image(*sides) for sides in ((8, 4), (6, 8), (5, 7))] == [True, False, False]
    report = diagnosed(published_right.HaloBlocks)[1]
    assert "it was run on images whose sides are multiples of 4" in " ".join(report.findings)


def test_a_right_module_passes_what_it_is_asked():
    found, _ = statuses(suite_of(right.UnfoldAttention),
                        ["WIN-1", "PAD-1", "PAD-2", "REL-3", "ATT-1", "ATT-3", "NUM-5"])
    # Other paddings and factors, and empty batches, are nothing that it offers.
    assert found == dict.fromkeys(("WIN-1", "PAD-1", "REL-3", "ATT-1"), "pass")


def test_a_module_is_asked_under_its_own_options_and_factor():
    suite = suite_of(right.FusedMaskedAttention)
    seen = []
    call = suite.call
    suite.call = lambda case, arrays: seen.append(case) or call(case, arrays)
    found, _ = statuses(suite, ["PAD-1", "PAD-2", "ATT-4", "REL-1"])
    assert found == {"PAD-2": "pass", "ATT-4": "pass"}
    # The square module has room for three heads' worth of channels.
    assert {(case.options.padding, case.options.scale) for case in seen} == {
        ("exclude", case.arrays["query"].shape[4] ** -0.5) for case in seen}


def test_a_wrong_module_fails_its_clauses_and_no_others():
    suite = suite_of(wrong.DescendingEdges)
    found, verdicts = statuses(suite, ["WIN-1", "PAD-1", "REL-3", "POS-1"])
    assert found == {"WIN-1": "pass", "PAD-1": "fail", "REL-3": "fail", "POS-1": "pass"}
    [failure] = next(v.failures for v in verdicts if v.clause == "REL-3")
    [again] = suite_case(suite, failure.case)
    assert again.failures[0].reason == failure.reason


class WrongAtThree(right.UnfoldAttention):
    """The fit's extents are 5 and 7."""

    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__(in_channels, out_channels, kernel_size, heads)

    def forward(self, x):
        return super().forward(x) * (2 if self.k == 3 else 1)


def test_where_fit_and_suites_disagree_the_suites_win(monkeypatch):
    builder = InProcess(WrongAtThree)
    monkeypatch.setattr(module_report, "IsolatedBuilder", lambda target: builder)
    asked = module_report.Question(clauses=["WIN-1"])
    report = module_report.module_report(SimpleNamespace(name="wrong"), asked)
    [verdict] = report.verdicts
    assert (report.outcome, report.diagnosis.found) == ("deviates", "unknown")
    assert verdict.failures[0].case in report.diagnosis.stopped_at


def test_what_the_user_says_is_taken_and_checked(monkeypatch):
    builder = diagnosed(right.UnfoldAttention)[0]
    monkeypatch.setattr(module_report, "IsolatedBuilder", lambda target: builder)

    def examined(**said):
        return module_report.module_report(
            SimpleNamespace(name="it"), module_report.Question(["PAD-1"], said=said))
    assert examined(w_query="to_q.weight").outcome == "conforms"
    mistaken = examined(w_query="to_k.weight")
    assert mistaken.outcome == "not judged"
    assert "by what they do w_query is to_q.weight" in mistaken.reason
    with pytest.raises(ValueError, match=r"`--map` must name a parameter of rel_h, .*; got 'q'"):
        examined(w_query="q")
    with pytest.raises(ValueError, match=r"`--map` must name a role of w_query, .*; got 'query'"):
        examined(query="to_q.weight")
