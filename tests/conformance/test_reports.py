"""Reports in every form: the same findings, whole, valid, and safe with hostile text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from sasakit import reference
from sasakit.conformance.inspection import inspect_case
from sasakit.conformance.report import Deviation, Diagnosis, Report
from sasakit.conformance.reports.evidence import gather_evidence
from sasakit.conformance.reports.html import html_page
from sasakit.conformance.reports.json_report import json_text, report_schema
from sasakit.conformance.reports.junit import junit_xml
from sasakit.conformance.reports.markup import element, escape, join
from sasakit.conformance.reports.pictures import LEGEND, level, short
from sasakit.conformance.reports.snippet import snippet
from sasakit.conformance.reports.summary import CHAPTERS, chapters_of, reports_of, visible
from sasakit.conformance.reports.terminal import WIDTH, terminal_report
from sasakit.conformance.runner import NOT_OFFERED, Failure, Verdict
from sasakit.conformance.target import BackendTarget

from .broken_targets import HOSTILE, broken, raising

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SPEC = Path(__file__).parents[2] / "SPEC.md"
DIAGNOSIS = Diagnosis(
    "deviations", {"extent": 3, "scale": float("inf"), "kinds": ("a", "b")},
    [Deviation("padding-excluded", "PAD-1", f"Neighbours outside are left out. {HOSTILE}")],
    [("w_query", "to_q.weight"), ("w_key", HOSTILE)], ["another reading"], None, None,
    ["to_out.bias is never read"])
FAILURE = Failure("p", "float32", "far off", "PAD-1/p/float32/0", "local_attention()")


def everything():
    """A report of each kind, and the targets that can be asked again."""
    found = [broken("padding-excluded", "PAD-1", "PAD-2", "REL-2"),
             broken("shortcut-pooled", "NET-10"), broken("broadcast-silently", "INV-2"),
             broken("stem-floor-size", "STEM-7"), broken("offset-transposed", "REL-3"), raising()]
    reports = [report for _, verdicts in found for report in reports_of(verdicts, 0.5)]
    reports[0].diagnosis = DIAGNOSIS
    reports.append(Report("gone", "not judged",
                          reason=f"Traceback:\n  line\nValueError: {HOSTILE}"))
    reports.append(Report("partial", "deviates", [
        Verdict("partial", "WIN-1", 4, float("nan")), Verdict("partial", "WIN-2"),
        Verdict("partial", "PAD-1", 3, failures=[FAILURE]),
        Verdict("partial", "MIX-1", reason=NOT_OFFERED),
        Verdict("partial", "MIX-2", reason="It hung.")]))
    return reports, {target.name: target for target, _ in found}


def test_chapters_are_those_of_the_specification():
    text = SPEC.read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        if heading := re.match(r"## (\d+ .+)", line):
            chapter = heading[1]
        elif clause := re.match(r"### ([A-Z]+)-\d+ ", line):
            found[clause[1]] = chapter
    assert found == CHAPTERS


def test_chapters_with_failures_come_first_and_failures_within_them():
    verdicts = [Verdict("t", "WIN-1", 1), Verdict("t", "PAD-1", 1), Verdict("t", "PAD-2", 1,
                failures=[FAILURE]), Verdict("t", "REL-1", reason=NOT_OFFERED)]
    assert [(chapter.title, [v.clause for v in chapter.verdicts])
            for chapter in chapters_of(verdicts)] == [
        ("2 Padding", ["PAD-2", "PAD-1"]), ("1 Window", ["WIN-1"]),
        ("3 Relative logits", ["REL-1"])]


@pytest.mark.parametrize(("verdicts", "outcome", "reason"), [
    ([Verdict("t", "WIN-1", 1)], "conforms", None),
    ([Verdict("t", "WIN-1", 1), Verdict("t", "WIN-2", reason=NOT_OFFERED)], "conforms", None),
    ([Verdict("t", "WIN-1", 1), Verdict("t", "WIN-2")], "deviates", None),
    ([Verdict("t", "WIN-1", 1, failures=[FAILURE])], "deviates", None),
    ([Verdict("t", "WIN-1", reason="It hung.")], "not judged", "It hung."),
    ([Verdict("t", "WIN-1", reason=NOT_OFFERED)], "not judged", NOT_OFFERED),
])
def test_an_outcome_follows_from_the_verdicts(verdicts, outcome, reason):
    [report] = reports_of(verdicts)
    assert (report.outcome, report.reason) == (outcome, reason)


def test_the_terminal_says_the_outcome_first_and_fits():
    reports, _ = everything()
    text = terminal_report(reports[:1])
    lines = text.splitlines()
    assert re.match(r"padding-excluded: violates PAD-1 of SPEC\.md \S+ \(padding-excluded\)\. "
                    r"\(0\.5 s\)$", lines[0])
    places = [text.index(part) for part in (
        "With exactly these changes", "padding-excluded (PAD-1): Neighbours outside",
        "w_query  to_q.weight", "2 Padding: 1 of 2 fail",
        "  FAIL  PAD-1   Outside the image, zero", "  pass  PAD-2", "  pass  3 Relative logits",
        "Smallest counterexample", "sasakit verify padding-excluded --case PAD-1/")]
    assert places == sorted(places)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", terminal_report(reports))
    loose = [line for line in terminal_report(reports).splitlines()
             if len(line) > WIDTH and "sasakit verify" not in line and " " in line.strip()]
    assert loose == []


def test_json_is_valid_and_whole():
    reports, _ = everything()
    document = json.loads(json_text(reports, profile="quick", seed=3), parse_constant=pytest.fail)
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    assert (document["passed"], document["seed"]) == (False, 3)
    assert [t["target"] for t in document["targets"]] == [r.target for r in reports]
    diagnosis = document["targets"][0]["diagnosis"]
    assert diagnosis["options"] == {"extent": 3, "scale": "inf", "kinds": ["a", "b"]}
    assert diagnosis["mapping"][1] == {"role": "w_key", "parameter": HOSTILE}
    own = {v["clause"]: v for v in document["verdicts"] if v["target"] == "partial"}
    assert [(v["verdict"], v["rho"], v["reason"]) for v in own.values()] == [
        ("pass", "nan", None), ("fail", 0.0, None), ("fail", 0.0, None),
        ("not judged", 0.0, NOT_OFFERED), ("not judged", 0.0, "It hung.")]
    assert len(document["verdicts"]) == sum(len(report.verdicts) for report in reports)


# What the schema that CI servers share allows, in its order.
ATTRIBUTES = {"testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
              "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
              "testcase": {"classname", "name", "time"}, "failure": {"message", "type"},
              "error": {"message", "type"}, "skipped": {"message"}}


def test_junit_is_valid_and_counts():
    reports, _ = everything()
    root = ElementTree.fromstring(junit_xml(reports))
    assert root.tag == "testsuites"
    for each in root.iter():
        assert set(each.attrib) <= ATTRIBUTES[each.tag]
    assert [suite.get("name") for suite in root] == [visible(report.target) for report in reports]
    for suite in [root, *root]:
        for count, kind in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"),
                            ("skipped", "skipped")):
            assert int(suite.get(count)) == len(list(suite.iter(kind)))
    kinds = {case.get("name"): [(child.tag, child.get("message")) for child in case]
             for case in root[-1]}
    assert kinds == {
        "WIN-1 Odd windows": [], "PAD-1 Outside the image, zero": [("failure", "far off")],
        "WIN-2 Even windows": [("failure", "No case could be judged: none was refused as the "
                                           "clause asks.")],
        "MIX-1 Weights": [("skipped", NOT_OFFERED)],
        "MIX-2 Position in the pooling window": [("error", "It hung.")]}
    [gone] = root[-2]
    assert gone.find("error").get("message") == f"ValueError: {visible(HOSTILE)}"


class Outline(HTMLParser):
    """Tags that are open, headings, and everything that could load or run."""

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.loads, self.scripts, self.ids, self.links = \
            [], [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "data")
                       and not value.startswith(("#", "data:,"))]
        self.links += [value[1:] for name, value in attrs
                       if name == "href" and value.startswith("#")]
        self.loads += [name for name in given if name.startswith("on")]
        self.ids += [given["id"]] if "id" in given else []
        if tag == "svg":
            assert given["role"] == "img"
            assert given["aria-label"]
        if tag == "script":
            self.scripts.append(given)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(page):
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_page_is_whole_and_loads_nothing():
    reports, targets = everything()
    page = html_page(reports, gather_evidence(reports, targets))
    found = outline(page)
    assert (found.loads, found.scripts) == ([], [{}])
    assert found.headings[0] == 1
    assert all(after <= before + 1 for before, after
               in zip(found.headings, found.headings[1:], strict=False))
    assert len(found.ids) == len(set(found.ids))
    assert set(found.links) <= set(found.ids)
    for part in ("<svg", "Over the image", "Over the window", "random cases fail",
                 "What is wrong", "Reproduce it in Python", "Which parameter plays which role",
                 "MUST", "viewport", "prefers-color-scheme", "It hung.", "could not be judged"):
        assert part in page


def test_hostile_text_stays_text():
    reports, targets = everything()
    page = html_page(reports, gather_evidence(reports, targets))
    assert "<script>alert" not in page
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800]", page)
    page.encode("utf-8")


def test_a_page_without_evidence_still_says_what_failed():
    reports, _ = everything()
    page = html_page(reports)
    outline(page)
    assert "<svg" not in page
    assert "far off" in page
    assert html_page(reports) == page


def test_markup_escapes_all_but_markup():
    inner = element("b", "<x>", title='"', hidden=True, id=None)
    assert inner == '<b title="&quot;" hidden>&lt;x&gt;</b>'
    assert join(inner, "&") == f"{inner}&amp;"
    assert escape("\x1b\ud800\ufffe\ttab\n") == "\\x1b\\ud800\\ufffe\ttab\n"
    assert element("br") == "<br>"


def test_colours_and_numbers_of_cells():
    rhos = [0.0, 1.0, 5.0, 1e2, 1e5, 1e8, 1e11, 1e15, float("inf"), float("nan")]
    assert [level(rho) for rho in rhos] == [0, 0, 1, 2, 3, 4, 5, 6, 7, 7]
    assert len(LEGEND) == 8
    assert [short(rho) for rho in rhos] == ["0", "1", "5", "e2", "e5", "e8", "e11", "e15", "∞", "∞"]


@pytest.mark.parametrize(("deviation", "clause"), [
    ("padding-excluded", "PAD-1"), ("heads-interleaved", "ATT-1"),
    ("softmax-unshifted", "NUM-3"),
    ("mixture-unnormalized", "MIX-1"), ("pool-counts-padding", "NET-11"),
    ("nan-swallowed", "NUM-4")])
def test_a_snippet_runs_and_shows_the_expected_number(deviation, clause, capsys):
    target, [verdict] = broken(deviation, clause)
    seen = inspect_case(verdict.failures[0].case, target)
    source = snippet(seen, "reference")
    exec(compile(source, "snippet", "exec"), {})
    given, expected = capsys.readouterr().out.splitlines()
    assert "replay" not in source
    assert expected.split()[1] == given.split()[1]


def test_a_snippet_replays_what_is_no_single_call(capsys):
    target, [verdict] = broken("shortcut-pooled", "NET-10")
    seen = inspect_case(verdict.failures[0].case, target)
    for name in ("reference", HOSTILE):
        exec(compile(snippet(seen, name), "snippet", "exec"), {})
        assert capsys.readouterr().out == "It holds.\n"


def test_evidence_of_what_cannot_be_asked_again_is_left_out():
    reports, _ = everything()
    stale = Report("reference", "deviates", [Verdict("reference", "PAD-1", 1, failures=[FAILURE])])
    found = gather_evidence([*reports, stale], {"reference": BackendTarget("reference", reference)})
    assert found == {}
