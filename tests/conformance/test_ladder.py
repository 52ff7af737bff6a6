"""The ladder: where cases stand, and that one early mistake is told once, where it begins."""

import pytest

from sasakit import reference
from sasakit.conformance.builders import attention_cases, layer_cases, network_cases, stem_cases
from sasakit.conformance.draw import Draw
from sasakit.conformance.ladder import NEEDS, ORDER, rung_of, standing, uses
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import mutated_backend
from sasakit.conformance.reports.summary import failed_first, reports_of
from sasakit.conformance.runner import judged_clauses, run_verification
from sasakit.conformance.target import BackendTarget
from sasakit.reference import AttentionOptions

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def case_of(cases, at=0, **given):
    return cases(Draw(lambda label, most: min(at, most)), "float64", **given)


def climbed(deviation, clauses, profile="quick"):
    """Verdicts by clause on the reference with one mistake, in one dtype."""
    mutant = next(each for each in MUTANTS if each.deviation == deviation)
    target = BackendTarget(deviation, mutated_backend(mutant), ("float64",))
    return run_verification([target], clauses=clauses, ladder=True, profile=profile)


def test_every_clause_stands_on_a_rung_and_needs_lower_ones_alone():
    assert {rung_of(clause) for clause in judged_clauses(gradients=True)} == set(NEEDS)
    assert [(rung, need) for rung, needs in NEEDS.items() for need in needs
            if ORDER[need] >= ORDER[rung]] == []


@pytest.mark.parametrize(("case", "found"), [
    (case_of(attention_cases, 2, position="none", look="interior", extent=3, zero=("query",)),
     {"window", "heads"}),
    (case_of(attention_cases, position="none", look="interior", extent=3, regimes=("normal",)),
     {"window", "content only"}),
    (case_of(attention_cases, content=False, look="interior", extent=3,
             regimes=("normal",)),
     {"window", "relative only"}),
    (case_of(attention_cases, operation="relative_logits", extent=2),
     {"relative only", "even extents"}),
    (case_of(attention_cases, extent=3, regimes=("normal",)),
     {"window", "content only", "relative only", "interior", "borders"}),
    (case_of(attention_cases, position="none", padding="exclude", extent=3,
             regimes=("normal",)),
     {"window", "content only", "options"}),
    (case_of(layer_cases, position="none", extent=1), {"extent 1"}),
    (case_of(layer_cases, 1, position="none", extent=1), {"extent 1", "heads"}),
    (case_of(stem_cases, kinds=("mixture",)), {"stems", "content only", "stem mixture"}),
    (case_of(network_cases, stages=((),), stem=("conv",)), {"network", "stems"}),
])
def test_a_case_uses_what_it_has(case, found):
    assert uses(case) == found


@pytest.mark.parametrize("padding", ["zero", "exclude"])
def test_a_target_stands_on_its_own_options(padding):
    own = AttentionOptions(padding=padding, scale=0.5)
    corner = case_of(attention_cases, position="none", padding=padding, scale=0.5, extent=3,
                     regimes=("normal",))
    assert uses(corner, own) == {"window", "content only", "borders"}
    assert "options" in uses(corner)
    assert [rung_of(clause, own) for clause in ("PAD-1", "PAD-2", "PAD-3")] == [
        "borders" if named == padding else "options" for named in ("zero", "exclude", "shift")]


def test_a_case_rests_on_the_rungs_of_others():
    case = case_of(attention_cases, position="none", look="interior", extent=2,
                   regimes=("normal",))
    place = standing("ATT-4", case)
    assert place.stage == "even extents"
    assert place.rests_on == {"even extents", "window", "extent 1"}
    assert standing("WIN-2", case).rests_on == {"content only", "window", "extent 1"}
    assert standing("NUM-7", case).rests_on == set()


def test_what_conforms_is_judged_as_without_a_ladder():
    target = BackendTarget("reference", reference, ("float64",))
    asked = ["WIN-2", "PAD-1", "ATT-4", "NET-11"]
    with_ladder, without = ([(v.clause, v.cases, v.rho, v.passed) for v in run_verification(
        [target], clauses=asked, profile="brief", ladder=ladder)] for ladder in (True, False))
    assert with_ladder == without
    assert all(passed for *_, passed in without)


def test_one_early_mistake_is_told_once():
    verdicts = climbed("even-window-before", ["WIN-2", "REL-3", "ATT-4"])
    assert [verdict.clause for verdict in verdicts if verdict.failures] == ["WIN-2"]
    left = {verdict.clause: verdict.rests_on for verdict in verdicts if verdict.rests_on}
    assert set(left.values()) == {"even extents"}
    assert "ATT-4" in left
    [softmax] = [verdict for verdict in verdicts if verdict.clause == "ATT-4"]
    assert softmax.reason == (f"rests on even extents, which failed in WIN-2; {softmax.cases} of "
                              f"its cases do not, and hold.")
    assert not softmax.passed
    [report] = reports_of(verdicts)
    assert (report.outcome, report.reason) == ("deviates", None)
    assert failed_first(report) == ("even extents", "WIN-2")


def test_what_rests_on_nothing_is_judged_and_what_failed_first_is_named():
    verdicts = climbed("window-off-centre", ["WIN", "PAD-1", "POS-1", "ATT-4"])
    assert [verdict.clause for verdict in verdicts if verdict.failures] == ["WIN-1"]
    assert {v.clause for v in verdicts if v.passed} == {"WIN-3"}
    assert {v.rests_on for v in verdicts if v.clause in ("PAD-1", "POS-1", "ATT-4")} == {"window"}


def test_a_smaller_counterexample_takes_back_what_rests_on_it():
    [network, small] = climbed("classifier-pool-maximum", ["NET-7", "NET-11"], "brief")
    assert network.failures
    assert (small.failures, small.rests_on) == ([], "network")
