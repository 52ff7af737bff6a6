"""SPEC.md itself: its form, its worked numbers, the list that is shipped, and who judges it."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from spec_examples import as_written, examples

from sasakit.conformance import mutant_list
from sasakit.conformance.clauses import all_clauses
from sasakit.conformance.runner import judged_clauses
from sasakit.conformance.selfcheck.matrix import JUDGED_ELSEWHERE
from sasakit.conformance.spec_text import example_numbers, parse_spec
from sasakit.reference import SPEC_VERSION

ROOT = Path(__file__).parent.parent
SPEC = (ROOT / "SPEC.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def recomputed():
    return examples()


@pytest.mark.parametrize("clause", parse_spec(SPEC), ids=lambda clause: clause.id)
def test_worked_numbers_are_right(clause, recomputed):
    written, values = example_numbers(clause), recomputed[clause.id]
    assert len(written) == len(values)
    assert [text for text, value in zip(written, values, strict=True)
            if not as_written(text, value)] == [], list(values)


def test_every_example_belongs_to_a_clause(recomputed):
    assert list(recomputed) == [clause.id for clause in parse_spec(SPEC)]


def test_the_shipped_list_is_the_specification():
    shipped = [asdict(clause) for clause in all_clauses().values()]
    fresh = [asdict(clause) for clause in parse_spec(SPEC)]
    assert json.dumps(shipped) == json.dumps(fresh), "run: make clauses"


def test_the_version_is_the_packages():
    assert re.search(r"^Version (\d+\.\d+)\.", SPEC, re.MULTILINE)[1] == SPEC_VERSION


def test_ids_count_up_within_a_chapter():
    chapters = {}
    for clause in parse_spec(SPEC):
        chapter, number = clause.id.split("-")
        chapters.setdefault(chapter, []).append(int(number))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in chapters.values())


def test_every_clause_is_judged():
    assert set(judged_clauses(gradients=True)) | set(JUDGED_ELSEWHERE) == set(all_clauses())
    for file in JUDGED_ELSEWHERE.values():
        assert (ROOT / "tests" / file).exists()


def test_every_judged_clause_has_a_mutant():
    assert {mutant.clause for mutant in mutant_list.MUTANTS} == set(
        judged_clauses(gradients=True))


def test_every_clause_is_named_by_code_or_test():
    files = [path for folder in ("reference", "conformance", "tests")
             for path in (ROOT / folder).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert [clause for clause in all_clauses() if clause not in text] == []


def test_a_clause_without_a_must_is_refused():
    broken = "### WIN-1 Title\nIt may be so.\nExample: `1`.\nRejects: nothing.   Since: 0.1.\n"
    with pytest.raises(ValueError, match=r"^`WIN-1` must have one MUST"):
        parse_spec(broken)
