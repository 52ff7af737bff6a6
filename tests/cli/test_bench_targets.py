"""The table of targets of sasakit bench: what is divided by what, and what is met."""

import pytest

from sasakit.cli import bench_figures, bench_layer, bench_network, bench_targets
from sasakit.cli.bench_rounds import Contest
from sasakit.cli.bench_targets import FigureTarget, Target, target_rows

CASE = {"case": "8x8", "rounds": 3, "disturbed": 1, "contestants": [
    {"name": "ours", "milliseconds": 2.0, "share_of_peak": 0.25},
    {"name": "a", "milliseconds": 6.0, "share_of_peak": 0.1},
    {"name": "b", "milliseconds": 3.0, "share_of_peak": 0.1}],
    "missing": [{"name": "c", "reason": "not installed: c"}]}
FIGURES = [{"name": "x", "value": 4.0, "reason": None},
           {"name": "y", "value": 10.0, "reason": None},
           {"name": "z", "value": None, "reason": "broken"}]


@pytest.fixture
def rows(monkeypatch):
    def measure(*targets, figures=()):
        monkeypatch.setitem(bench_targets.TARGETS, "layer", targets)
        monkeypatch.setitem(bench_targets.FIGURES, "layer", figures)
        return target_rows("layer", [CASE], FIGURES)

    return measure


def test_the_fastest_peer_counts_and_who_is_missing_is_named(rows):
    row, = rows(Target("all", "8x8", "ours", ("a", "b", "c"), 1.5))
    assert row == {"row": "all", "case": "8x8", "kind": "ratio", "target": 1.5, "measured": 1.5,
                   "met": True, "against": "b", "without": ["c"], "reason": None}


@pytest.mark.parametrize(("target", "measured", "met"), [
    (Target("a", "8x8", "ours", ("a",), 3.0), 3.0, True),
    (Target("a", "8x8", "ours", ("a",), 3.25), 3.0, False),
    (Target("a", "8x8", "ours", ("a",), None), 3.0, None),
    (Target("share", "8x8", "ours", (), 0.25), 0.25, True),
    (Target("share", "8x8", "ours", (), 0.5), 0.25, False),
])
def test_ratios_and_shares(rows, target, measured, met):
    row, = rows(target)
    assert (row["measured"], row["met"]) == (measured, met)


def test_a_case_that_was_disturbed_throughout_is_not_judged(rows, monkeypatch):
    monkeypatch.setitem(CASE, "disturbed", 3)
    row, = rows(Target("a", "8x8", "ours", ("a",), 1.0))
    assert (row["measured"], row["met"], row["against"], row["reason"]) == (
        3.0, None, "a", bench_targets.DISTURBED)


@pytest.mark.parametrize(("target", "reason"), [
    (Target("gone", "9x9", "ours", ("a",), 1.0), "this case was not measured"),
    (Target("absent", "8x8", "ours", ("c",), 1.0), "not installed: c"),
    (Target("unknown", "8x8", "ours", ("d",), 1.0), "not measured in this case"),
    (Target("not ours", "8x8", "theirs", ("a",), 1.0), "ours was not measured in this case"),
])
def test_what_was_not_measured_is_not_judged(rows, target, reason):
    row, = rows(target)
    assert (row["measured"], row["met"], row["against"], row["without"], row["reason"]) == (
        None, None, None, [], reason)


@pytest.mark.parametrize(("target", "measured", "met", "reason"), [
    (FigureTarget("memory", "8x8", "x", "y", 2.5), 2.5, True, None),
    (FigureTarget("memory", "8x8", "x", "y", 2.75), 2.5, False, None),
    (FigureTarget("memory", "8x8", "x", "z", 2.0), None, None, "broken"),
    (FigureTarget("start", "8x8", "x", None, 4.0), 4.0, True, None),
    (FigureTarget("start", "8x8", "x", None, 3.75), 4.0, False, None),
    (FigureTarget("start", "8x8", "w", None, 1.0), None, None, "not measured"),
])
def test_figures(rows, target, measured, met, reason):
    row, = rows(figures=(target,))
    assert (row["measured"], row["met"], row["reason"]) == (measured, met, reason)


def test_the_table_names_cases_and_contestants_that_there_are():
    layers = {bench_layer.case_name(shape, batch, bench_layer.OPTIONS)
              for shape, batch in bench_layer.TABLE}
    networks = {bench_network.case_name(1, 2), bench_network.case_name(8, 2),
                bench_network.case_name(1, 1)}
    peers = {f"torch {part}, {form}" for part in ("layer", "core") for form in bench_layer.FORMS}
    layer_names = {*peers, *bench_targets.CONVOLUTION, "sasakit layer",
                   "sasakit layer, channels first", "sasakit core"}
    network_names = {"sasakit", "sasakit, attention stem",
                     *bench_network.Peers(bench_network.SPEC, 1, 1, None, False).builds()}
    for what, cases, names in (("layer", layers, layer_names),
                               ("network", networks, network_names)):
        targets = bench_targets.TARGETS[what]
        assert {target.case for target in targets} <= cases
        assert {name for target in targets for name in (target.ours, *target.peers)} <= names
        assert {target.case for target in bench_targets.FIGURES[what]} <= cases


def test_figures_are_of_the_cases_that_the_table_names():
    for sizes, case in ((bench_figures.MEMORY_SIZES, bench_targets.MEMORY_CASE),
                        (bench_figures.START_SIZES, bench_targets.START_CASE)):
        shape = bench_layer.Shape(sizes["size"], sizes["channels"])
        assert bench_layer.case_name(shape, sizes["batch"], bench_layer.OPTIONS) == case


def test_contests_are_not_reported_before_they_are_timed():
    from sasakit.cli.bench_report import case_document
    with pytest.raises(ValueError, match="`contest` must have been timed; got 8x8\\."):
        case_document(Contest("8x8", 1, 1), {})
