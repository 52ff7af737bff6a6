"""The judge refuses what it must: shapes, NaN, infinity, and anything outside the budget."""

import numpy as np
import pytest

from sasakit.conformance.judge import Disagreement, expected, measure, same_bits
from sasakit.conformance.profiles import (
    DTYPES,
    gamma,
    least_error,
    plain_profile,
    round_to,
    unit_roundoff,
)

FLOAT32 = plain_profile("float32")


def want(value, error=0.0):
    value = np.asarray(value, float)
    return expected(value, np.full(value.shape, error), FLOAT32)


def test_the_budget_of_one_rounding_is_a_half_ulp_and_eta():
    budget = want([1.0]).budget[0]
    assert budget == 2.0 ** -24 + 2.0 ** -150


def test_float64_has_twice_the_budget():
    one, twice = (expected(np.ones(1), np.zeros(1), plain_profile(name)).budget[0]
                  for name in ("float32", "float64"))
    assert one == 2.0 ** -24 + 2.0 ** -150
    assert twice == 2.0 ** -52 + 2 * 2.0 ** -1074


def test_rho_is_the_worst_distance_in_budgets():
    assert measure("x", np.array([1.0, 2.25]), want([1.0, 2.0], 0.5)) == \
        0.25 / want([1.0, 2.0], 0.5).budget[1]


@pytest.mark.parametrize(("actual", "text"), [
    ([1.0, 2.0], "shape"), ([np.nan], "finite in one"), ([np.inf], "finite in one"),
    ([1.0 + 2.0 ** -23], r"rho 2"), ([-1.0], "expected 1.0"),
])
def test_refuses(actual, text):
    with pytest.raises(Disagreement, match=text):
        measure("x", np.array(actual), want([1.0]))


def test_what_must_not_be_finite_may_be_either_kind():
    infinite = want([np.inf, np.nan])
    assert measure("x", np.array([np.nan, -np.inf]), infinite) == 0.0
    with pytest.raises(Disagreement, match="finite in one"):
        measure("x", np.array([0.0, np.nan]), infinite)


def test_looks_only_where_it_is_told():
    actual = np.array([5.0, 1.0])
    assert measure("x", actual, want([1.0, 1.0]), np.array([False, True])) == 0.0
    with pytest.raises(Disagreement):
        measure("x", actual, want([1.0, 1.0]), np.array([True, False]))


def test_names_the_place_and_the_distance():
    with pytest.raises(Disagreement, match=r"^x: 3\.0 at \(1,\); expected 2\.0 within .*; rho "):
        measure("x", np.array([1.0, 3.0]), want([1.0, 2.0]))


def test_a_case_without_a_budget_is_no_case():
    with pytest.raises(ValueError, match="finite budget"):
        measure("x", np.array([1.0]), want([1.0], np.inf))


def test_the_same_bits():
    same_bits("x", np.array([0.0, np.nan]), np.array([0.0, np.nan]))
    for other in (np.array([-0.0, np.nan]), np.array([0.0])):
        with pytest.raises(Disagreement):
            same_bits("x", np.array([0.0, np.nan]), other)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_units_are_those_of_numpy(dtype):
    info = np.finfo(dtype)
    assert unit_roundoff(dtype) == info.eps / 2
    assert least_error(dtype, flushes=True) == info.tiny
    assert least_error(dtype, flushes=False) == float(info.smallest_subnormal) / 2


def test_bfloat16_rounds_to_the_nearest_even():
    x = np.array([1.0, 1 + 2.0 ** -8, 1 + 3 * 2.0 ** -8, 1 + 2.0 ** -8 + 2.0 ** -20, -3.0])
    assert round_to(x, "bfloat16").tolist() == [1.0, 1.0, 1 + 2.0 ** -6, 1 + 2.0 ** -7, -3.0]
    assert np.isnan(round_to(np.array([np.nan]), "bfloat16"))[0]


def test_rounding_is_idempotent_in_every_type():
    x = np.random.default_rng(0).standard_normal(100)
    for dtype in DTYPES:
        once = round_to(x, dtype)
        assert (round_to(once, dtype) == once).all()
        assert (np.abs(once - x) <= unit_roundoff(dtype) * np.abs(x)).all()


def test_gamma_is_the_textbooks():
    assert gamma(4, 2.0 ** -4) == (4 / 16) / (1 - 4 / 16)
