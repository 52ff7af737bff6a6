"""One case looked at closely: which outputs are wrong, and under which conditions."""

import numpy as np
import pytest

from sasakit import reference
from sasakit.conformance.case import Case
from sasakit.conformance.inspection import inspect_case
from sasakit.conformance.judge import element_rho, same_bits, watched
from sasakit.conformance.runner import run_verification
from sasakit.conformance.survey import conditions, survey_property
from sasakit.conformance.target import BackendTarget
from sasakit.conformance.where_wrong import spell_places, where_wrong
from sasakit.reference import AttentionOptions

from .broken_targets import broken, mutant, raising

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
AXES = ("batch", "height", "width", "heads", "depth")
SHAPE = (2, 3, 4, 2, 4)
BORDER = np.array([[True] * 4, [True, False, False, True], [True] * 4])


def wrong_at(*place):
    rho = np.zeros(SHAPE)
    rho[place] = 5
    return rho


@pytest.mark.parametrize(("place", "text"), [
    ((...,), "every output"),
    ((slice(None), BORDER), "160 of 192 outputs: only pixels whose window leaves the image"),
    ((slice(None), ~BORDER), "32 of 192 outputs: only pixels whose whole window lies in the image"),
    ((..., 1, slice(None)), "96 of 192 outputs: only head 1 of 2"),
    ((..., slice(2, 4)), "96 of 192 outputs: only channels 2 and 3 of 4"),
    ((..., slice(0, 4, 2)), "96 of 192 outputs: only even channels of 4"),
    ((..., slice(1, 4)), "144 of 192 outputs: only channels 1 to 3 of 4"),
    ((0,), "96 of 192 outputs: only batch item 0 of 2"),
    ((slice(None), slice(None), 3, 0),
     "24 of 192 outputs: only pixels whose window leaves the image, only the last column, "
     "only head 0 of 2"),
    ((0, 1, 2, 0, 3), "1 of 192 outputs: only pixels whose whole window lies in the image, only "
                      "pixel (1, 2), only batch item 0 of 2, only head 0 of 2, "
                      "only channel 3 of 4"),
])
def test_says_which_outputs_are_wrong(place, text):
    assert where_wrong(wrong_at(*place), AXES, leaves=BORDER) == text


def test_says_what_is_judged_where_that_is_not_all():
    looked = BORDER[None, :, :, None, None]
    assert where_wrong(wrong_at(...), AXES, looked, BORDER) == \
        "every judged output; only pixels whose window leaves the image are judged"


def test_nothing_and_everywhere_have_words_too():
    scattered = np.zeros(SHAPE)
    scattered.reshape(-1)[::2] = 9
    scattered[0, 0, 0] = [[0, 9, 9, 9], [9, 9, 9, 9]]
    assert where_wrong(np.zeros(SHAPE), AXES) == "no output is wrong by its value"
    assert where_wrong(np.full(SHAPE, np.nan), AXES) == "every output"
    assert where_wrong(scattered, AXES) == "99 of 192 outputs, spread over every axis"


def test_places_read_as_words():
    assert [spell_places(p) for p in ([3], [1, 3], [1, 2, 3], [0, 2, 3])] == \
        ["3", "1 and 3", "1 to 3", "0, 2 and 3"]


def smallest(deviation, clause):
    target, [verdict] = broken(deviation, clause)
    return verdict.failures[0], target


def test_a_failure_is_seen_again_with_its_numbers():
    failure, target = smallest("padding-excluded", "PAD-1")
    seen = inspect_case(failure.case, target)
    assert seen.failure == failure
    assert seen.name == "local_attention"
    assert seen.where.endswith("only pixels whose window leaves the image are judged")
    given, due, within, rho = seen.numbers.at_worst()
    assert (abs(given - due) / within, rho > 1) == (rho, True)
    assert rho == seen.numbers.rho.max()
    assert seen.window.extent >= 2


def test_a_layers_channels_are_seen_by_head():
    failure, target = smallest("heads-interleaved", "ATT-1")
    seen = inspect_case(failure.case, target)
    assert seen.numbers.axes == AXES
    assert seen.numbers.rho.shape[3] == seen.case.options.heads


def test_a_network_stops_at_its_first_layer_that_differs():
    failure, target = smallest("shortcut-pooled", "NET-10")
    seen = inspect_case(failure.case, target)
    assert (seen.name, seen.agreed) == ("stage2.block1", ("stage2.block1.spatial",))
    assert seen.numbers.axes == ("batch", "height", "width", "channels")


def test_another_shape_is_told_by_its_axis():
    failure, target = smallest("stem-floor-size", "STEM-7")
    seen = inspect_case(failure.case, target)
    assert seen.numbers is None
    assert seen.where.startswith("the shape: ")
    assert " instead of " in seen.where


def test_nan_is_counted():
    failure, target = smallest("softmax-unshifted", "NUM-3")
    seen = inspect_case(failure.case, target)
    assert seen.where.endswith("are NaN or infinite where numbers are due")
    assert np.isinf(seen.numbers.rho).any()


@pytest.mark.parametrize(("deviation", "clause"), [
    ("broadcast-silently", "INV-2"), ("silent-upcast", "NUM-1"), ("stages-reversed", "NET-4")])
def test_what_is_no_comparison_has_no_numbers(deviation, clause):
    target = mutant(deviation, clause, dtypes=("float32",))
    [verdict] = run_verification([target], clauses=[clause])
    seen = inspect_case(verdict.failures[0].case, target)
    assert seen.failure is not None
    assert (seen.compared, seen.numbers) == (None, None)
    assert seen.where == "nothing was compared number by number"


def test_an_exception_is_a_failure_that_is_seen():
    target, [verdict] = raising()
    seen = inspect_case(verdict.failures[0].case, target)
    assert "RuntimeError" in seen.failure.reason
    assert seen.numbers is None


def test_what_holds_has_no_failure():
    failure, _ = smallest("padding-excluded", "PAD-1")
    seen = inspect_case(failure.case, BackendTarget("reference", reference))
    assert seen.failure is None
    assert seen.where == "no output is wrong by its value"


def test_an_unknown_id_is_refused():
    with pytest.raises(ValueError, match=r"^`case` must be an id"):
        inspect_case("nonsense", BackendTarget("reference", reference))


def test_a_survey_finds_the_condition_and_a_telling_case():
    failure, target = smallest("scaled-content", "ATT-3")
    survey = survey_property(failure.case, target)
    assert 0 < survey.failed < survey.asked
    assert survey.conditions == ("exactly those with scale_terms both",)
    assert survey.widest.failure is not None
    assert str(survey) == (f"{survey.failed} of {survey.asked} random cases fail: "
                           f"{survey.conditions[0]}")


def test_conditions_tell_sides_apart_and_need_enough_cases():
    def case(extent, padding):
        return Case("local_attention", {"query": np.zeros((1, 5, 6, 2, 2))},
                    AttentionOptions(extent=extent, padding=padding), "float64")
    even = [case(2, padding) for padding in ("zero", "exclude", "exclude")]
    odd = [case(3, padding) for padding in ("zero", "zero", "exclude")]
    assert conditions(even, odd) == ["exactly those with an even extent"]
    assert conditions(even, odd[:2]) == []


def test_watching_sees_comparisons_and_ends():
    with watched() as seen:
        same_bits("a", np.ones(2), np.ones(2))
    same_bits("b", np.ones(2), np.ones(2))
    assert [each.name for each in seen] == ["a"]
    assert element_rho(np.array([1.0, 2.0]), seen[0].want).tolist() == [0.0, np.inf]
