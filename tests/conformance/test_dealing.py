"""Hypothesis draws what is dealt, whatever else is loaded, and shrinks it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_elsewhere import broken

from sasakit.conformance.dealing import BACKEND, BASE, dealt
from sasakit.conformance.draw import SEEDS, shuffled
from sasakit.conformance.runner import parse_id, run_verification
from sasakit.conformance.search import Search
from sasakit.conformance.verdict import Verdict

# Says what Hypothesis draws by itself below BASE, and all cases of a search that shrinks one.
PROGRAM = """
import sys
if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv[1])
    import numbers_of_its_own
from dataclasses import replace
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from made_elsewhere import broken
from sasakit.conformance.dealing import BASE
from sasakit.conformance.runner import run_verification
from sasakit.conformance.target import BackendTarget

@seed(0)
@settings(max_examples=1000, database=None)
@given(st.lists(st.integers(0, BASE - 1), min_size=2, max_size=2))
def say(drawn):
    print(drawn)

say()

class Telling(BackendTarget):
    def call(self, case, arrays):
        print(repr(case))
        return super().call(case, arrays)

target = Telling("telling", broken("window-off-centre").backend, ("float64",))
for verdict in run_verification([target], clauses=["WIN", "PAD", "ATT"], shrink_seconds=30):
    print(replace(verdict, seconds=0))
"""


def said(*arguments):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=True,
                          capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout


def test_the_cases_are_the_same_whatever_is_loaded(tmp_path):
    # Of a module with more than 1024 numbers Hypothesis would take none.
    (tmp_path / "numbers_of_its_own.py").write_text(f"NUMBERS = {[*range(1000)]}\n")
    alone = said()
    assert "case='WIN-1/" in alone
    assert said(str(tmp_path)) == alone


@pytest.mark.parametrize("most", [1, BASE - 1, BASE, BASE**2 - 1, BASE**2, SEEDS - 1])
def test_hypothesis_draws_what_is_picked(most):
    rng = np.random.default_rng(most)
    picked = [most, *rng.integers(most, size=8, endpoint=True).tolist()]
    left, drawn = iter(picked), []

    @settings(max_examples=1 + len(picked), backend=BACKEND, database=None)
    @given(st.data())
    def draw(data):
        drawn.append(choose(data.draw, "number", most))

    with dealt(lambda label, most: next(left)) as choose:
        draw()
    assert drawn == [0, *picked]


def test_few_cases_meet_every_option():
    met = []

    @settings(max_examples=11, backend=BACKEND, database=None)
    @given(st.data())
    def draw(data):
        met.append([choose(data.draw, label, 9) for label in ("first", "second")])

    with dealt(shuffled(np.random.default_rng(0))) as choose:
        draw()
    for options in zip(*met[1:], strict=True):
        assert sorted(options) == list(range(10))


def test_a_case_that_waited_is_made_smaller():
    target = broken("window-off-centre")
    [verdict] = run_verification([target], clauses=["WIN-1"], seed=1, shrink_seconds=0)
    prop, dtype, recipe = parse_id(verdict.failures[0].case)
    search = Search(prop, dtype, target, Verdict(target.name, prop.clause))
    search.judge_waiting([tuple(recipe)])
    [failure] = search.verdict.failures
    assert 0 <= sum(parse_id(failure.case)[2]) < sum(recipe)
