"""Operations behind the other doors: what they compute instead is named, and nothing else is."""

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import save_file

from sasakit import reference
from sasakit.conformance.case import call
from sasakit.conformance.clauses import all_clauses
from sasakit.conformance.diagnosis.dependence import hidden_state, stray_reach
from sasakit.conformance.diagnosis.instance import same
from sasakit.conformance.diagnosis.operations.cases import drawn_cases, staged_cases
from sasakit.conformance.diagnosis.operations.diagnose import diagnose_operations
from sasakit.conformance.diagnosis.operations.families import OPERATIONS, family_of
from sasakit.conformance.diagnosis.operations.recorded import diagnose_results
from sasakit.conformance.diagnosis.operations.report import add_diagnoses
from sasakit.conformance.doors.python_door import PythonTarget
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import Mutant, mutated_backend
from sasakit.conformance.offer import Offer, read_offer
from sasakit.conformance.reports.json_report import report_document, report_schema
from sasakit.conformance.reports.summary import reports_of
from sasakit.conformance.reports.terminal import terminal_report
from sasakit.conformance.runner import Failure, Verdict, run_verification
from sasakit.conformance.target import BackendTarget
from sasakit.conformance.vector_files import read_manifest, read_vector
from sasakit.conformance.vectors import check_vectors, export_vectors

# What a wrong formula meets on its way to a verdict is no error of the test.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
# Seconds; what is found must not depend on what else the machine does.
AMPLE = 300.0


def failing(operation):
    """A verdict that says no more than which operation failed."""
    return [Verdict("it", "ATT-1", failures=[
        Failure("a_property", "float64", "a reason", "none", f"{operation}(...)")])]


def names_of(diagnosis):
    return {each.name for each in diagnosis.deviations}


def diagnosed(backend, operation):
    target = BackendTarget("it", backend, ("float64",))
    return diagnose_operations(target, failing(operation), AMPLE)


def mutant(clause, deviation):
    return next(each for each in MUTANTS if (each.clause, each.deviation) == (clause, deviation))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_deviations_every_operation_is_the_reference(operation):
    family = family_of(operation)
    cases = [*staged_cases(operation, Offer(), "float64"),
             *drawn_cases(operation, Offer(), "float64", 6, 0)]
    for _, case in cases:
        assert same(family.evaluate(case, ()), call(reference, case, case.arrays))


@pytest.mark.parametrize("operation", [*OPERATIONS, "network"])
def test_every_deviation_is_one_that_its_clause_rules_out(operation):
    wrong = {(each.deviation.name, each.deviation.clause) for each in family_of(operation).twists
             if each.deviation.name not in all_clauses()[each.deviation.clause].rejects}
    assert wrong == set()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_deviation_changes_some_case(operation):
    family = family_of(operation)
    cases = [case for _, case in staged_cases(operation, Offer(), "float64")]
    plain = [family.evaluate(case, ()) for case in cases]
    for twist in family.twists:
        assert any(twist.acts(case) and not same(family.evaluate(case, [twist]), value)
                   for case, value in zip(cases, plain, strict=True)), twist.deviation


@pytest.mark.parametrize(("clause", "deviation", "operation"), [
    ("PAD-1", "padding-excluded", "local_attention"),
    ("PAD-3", "padding-zero", "local_attention"),
    ("REL-1", "embedding-ignored", "relative_logits"),
    ("REL-4", "tables-swapped-heads", "relative_logits"),
    ("ATT-2", "key-not-query", "local_attention"),
    ("ATT-8", "output-interleaved", "attention_layer"),
    ("MIX-1", "mixture-over-positions", "value_mixture"),
    ("MIX-2", "position-transposed", "value_mixture"),
    ("STEM-1", "stem-pool-padded-low", "stem"),
    ("STEM-5", "stem-kernel-flipped", "stem"),
    ("NET-11", "pool-counts-padding", "average_pool"),
    ("NET-2", "relu-before-sum", "network"),
    ("NET-3", "pool-before-attention", "network"),
])
def test_a_mistake_is_named(clause, deviation, operation):
    diagnosis = diagnosed(mutated_backend(mutant(clause, deviation)), operation)
    assert (diagnosis.found, diagnosis.ambiguous) == ("deviations", [])
    assert [(each.name, each.clause) for each in diagnosis.deviations] == [(deviation, clause)]


def test_the_factor_of_a_stem_is_a_deviation_of_the_stem():
    scaled = Mutant("STEM-2", "stem-scaled", "stems", "query[block], key[block])",
                    "query[block], key[block] * query.shape[-1] ** -0.5)")
    diagnosis = diagnosed(mutated_backend(scaled), "stem")
    assert [(each.name, each.clause) for each in diagnosis.deviations] == [
        ("stem-scaled", "STEM-2")]


@pytest.mark.parametrize(("deviation", "operation", "text"), [
    # A factor of no name; cases in which 1/sqrt(depth) is that factor would accuse it falsely.
    ("stem-scaled", "stem", "plain stem: content"),
    ("stem-relative-term", "stem", "plain stem: equal logits"),
    ("mixture-unheard-of", "value_mixture", "weights by rows alone"),
])
def test_what_is_in_no_list_is_unknown_and_says_where(deviation, operation, text):
    made = Mutant("MIX-1", deviation, "mixture", "emb_row[:, None] + emb_col",
                  "emb_row[:, None] * 1.5 + emb_col")
    backend = mutated_backend(next((each for each in MUTANTS if each.deviation == deviation),
                                     made))
    diagnosis = diagnosed(backend, operation)
    assert (diagnosis.found, diagnosis.deviations) == ("unknown", [])
    assert text in diagnosis.stopped_at
    assert any("where" in line and "is due" in line for line in diagnosis.findings)


def offered(function, dtypes=("float64",), **options):
    """Someone's local attention that takes a few options alone, as a target."""
    document = {"operations": ["local_attention"], "dtypes": list(dtypes), "options": {
        "extent": [3, 5], "padding": ["zero"], "relative": ["shared"], "position": ["relative"],
        "content": [True], "first_half": ["row"], "scale": [1.0], **options}}
    holder = type("Holder", (), {"local_attention": staticmethod(function)})()
    return PythonTarget("mine", holder, read_offer(document))


def someones(query, key, value, rel_row, rel_col, *, options):
    """Masked, scaled content, rows descending; written with nothing of the kit's."""
    _, height, width, _, depth = query.shape
    k, p, half = options.extent, options.extent // 2, depth // 2
    edge = ((0, 0), (p, p), (p, p), (0, 0), (0, 0))
    keys, values = np.pad(key, edge), np.pad(value, edge)
    there = np.pad(np.ones((height, width)), p)
    out = np.empty_like(value)
    for i in range(height):
        for j in range(width):
            q = query[:, i, j]
            s = np.einsum("bnd,brcnd->bnrc", q, keys[:, i:i + k, j:j + k]) / depth ** 0.5
            s = s + np.einsum("bnd,rd->bnr", q[..., :half], rel_row[::-1])[..., None]
            s = s + np.einsum("bnd,cd->bnc", q[..., half:], rel_col)[..., None, :]
            s = np.where(there[i:i + k, j:j + k] > 0, s, -np.inf)
            p_ = np.exp(s - s.max((2, 3), keepdims=True))
            p_ = p_ / p_.sum((2, 3), keepdims=True)
            out[:, i, j] = np.einsum("bnrc,brcnd->bnd", p_, values[:, i:i + k, j:j + k])
    return out


def test_three_deviations_at_once_are_named():
    diagnosis = diagnose_operations(offered(someones), seconds=AMPLE)
    assert diagnosis.found == "deviations"
    assert {(each.name, each.clause) for each in diagnosis.deviations} == {
        ("padding-excluded", "PAD-1"), ("scaled-content", "ATT-3"),
        ("offset-descending", "REL-3")}


def test_single_precision_is_judged_by_its_own_budget():
    target = offered(lambda *arrays, options: someones(*arrays, options=options).astype("float32"),
                     dtypes=["float32"])
    assert names_of(diagnose_operations(target, seconds=AMPLE)) == {
        "padding-excluded", "scaled-content", "offset-descending"}


def test_results_for_golden_vectors_are_diagnosed(tmp_path):
    backend, results = mutated_backend(mutant("MIX-1", "mixture-unnormalized")), tmp_path / "mine"
    export_vectors(tmp_path / "golden", clauses=["MIX"], profile="brief", dtypes=["float32"])
    results.mkdir()
    for entry in read_manifest(tmp_path / "golden")["cases"]:
        case = read_vector(tmp_path / "golden", entry).case
        arrays = {name: array.astype("float32") for name, array in case.arrays.items()}
        save_file({"result": call(backend, case, arrays)}, results / entry["file"])
    verdicts = check_vectors(tmp_path / "golden", results)
    diagnosis = diagnose_results(tmp_path / "golden", results, verdicts, AMPLE)
    assert [(each.name, each.clause) for each in diagnosis.deviations] == [
        ("mixture-unnormalized", "MIX-1")]


def test_reports_say_what_was_found_of_those_that_deviate():
    targets = [BackendTarget("theirs", mutated_backend(mutant("MIX-2", "position-in-image"))),
               BackendTarget("ours", reference)]
    reports = reports_of(run_verification(targets, clauses=["MIX"], profile="brief"))
    add_diagnoses(reports, targets)
    named = "position-in-image (MIX-2): the position is taken in the image"
    assert named in terminal_report(reports[:1])
    document = report_document(reports, profile="brief", seed=0)
    jsonschema.validate(document, report_schema())
    assert [each["diagnosis"] and each["diagnosis"]["found"] for each in document["targets"]] == [
        "deviations", None]


def test_what_cannot_be_told_apart_is_said():
    # Tables that are constant cancel in the softmax, as tables that are ignored do.
    def local_attention(*arrays, options):
        query, key, value, rel_row, rel_col = arrays
        return reference.local_attention(query, key, value, 0 * rel_row, 0 * rel_col,
                                         options=options)
    diagnosis = diagnose_operations(offered(local_attention), seconds=AMPLE)
    assert names_of(diagnosis) == {"embedding-ignored"}
    assert any("embedding-constant" in other for other in diagnosis.ambiguous)


class Counting:
    """Adds the number of the call."""

    calls = 0

    def __call__(self, *arrays, options):
        self.calls += 1
        return reference.local_attention(*arrays, options=options) + self.calls


def test_hidden_state_is_no_deviation_of_a_formula():
    diagnosis = diagnose_operations(offered(Counting()), seconds=AMPLE)
    assert diagnosis.found == "unknown"
    assert "local_attention: two calls with the same input differ" in diagnosis.findings


def test_probes_say_what_reaches_an_output_that_must_not():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 5, 2, 3))
    state = []
    assert stray_reach(lambda a: a["value"] + 0, {"value": x}, (0, 0), heads=True) == []
    mixed = stray_reach(lambda a: a["value"] + a["value"].mean(axis=3, keepdims=True),
                        {"value": x}, (0, 0), heads=True)
    assert mixed == ["the value of head 0 reaches outputs of other heads"]
    batch = stray_reach(lambda a: a["value"] + 0 * a["value"].sum(axis=0), {"value": x}, (0, 0))
    assert batch == ["a NaN in value of pixel (2, 2) reaches outputs of other batch items"]
    shifted = stray_reach(lambda a: np.roll(a["value"], 1, axis=1), {"value": x}, (0, 0))
    assert shifted == ["value of pixel (2, 2) reaches outputs of pixels that must not see it: "
                       "(3, 2)"]
    assert hidden_state(lambda a: a["value"] * 2, {"value": x}) == []

    def remembers(arrays):
        state.append(arrays["value"].sum())
        return arrays["value"] + (len(state) > 2)
    assert hidden_state(remembers, {"value": x}) == [
        "a call with other inputs in between changes the result"]
