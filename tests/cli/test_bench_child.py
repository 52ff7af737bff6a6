"""What processes of their own measure, memory and starts, and the figures that come of it."""

import numpy as np
import pytest

from sasakit.cli import bench_child, bench_figures, bench_layer


def test_a_child_says_how_it_failed():
    with pytest.raises(RuntimeError, match="KeyError: 'no-such-task'"):
        bench_child.ask("no-such-task", {"threads": 1})


def test_memory_is_not_measured_where_no_high_water_mark_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_child, "RESET", tmp_path / "absent")
    with pytest.raises(RuntimeError, match="keeps no high-water mark that can be reset"):
        bench_child.extra_memory("sasakit", {})


def test_a_start_lasts_from_the_beginning_to_the_result(monkeypatch):
    caches = []

    def ask(task, sizes, environment=None):
        caches.append(environment.get("NUMBA_CACHE_DIR"))
        return 12.0

    monkeypatch.setattr(bench_child, "ask", ask)
    monkeypatch.setattr(bench_child.time, "time", lambda: 4.5)
    seconds = [bench_child.start_seconds("first-layer", {}, cold=cold) for cold in (False, True)]
    assert seconds == [7.5, 7.5]
    assert caches[0] is None
    assert caches[1] is not None


def test_memory_is_the_high_water_mark_beyond_what_was_there_and_the_output(monkeypatch, tmp_path):
    status = tmp_path / "status"
    monkeypatch.setattr(bench_child, "STATUS", status)
    monkeypatch.setattr(bench_child, "RESET", tmp_path / "reset")
    made = []

    def make(sizes, size):
        made.append(size)
        status.write_text(f"VmHWM:\t   {900} kB\nVmRSS:\t   {500} kB\n")
        return lambda: np.zeros(1024, np.uint8)

    assert bench_child.measure_memory(make, {"size": 56}) == (900 - 500 - 1) * 1024
    assert made == [bench_child.SMALL, 56]
    assert (tmp_path / "reset").read_text() == "5"


def test_figures_that_fail_have_a_reason(monkeypatch):
    def ask(task, sizes, environment=None):
        if task == "unfold":
            raise RuntimeError("ModuleNotFoundError: No module named 'torch'")
        return 5.0

    monkeypatch.setattr(bench_child, "ask", ask)
    figures = bench_figures.measure_figures("layer", 1, True)
    assert [(figure["value"] is None, figure["reason"]) for figure in figures] == [
        (False, None), (True, "RuntimeError: ModuleNotFoundError: No module named 'torch'"),
        (False, None), (True, bench_layer.LEFT_OUT)]
    assert [figure["name"] for figure in bench_figures.measure_figures("network", 1, True)] == [
        "first result, warm cache", "first result, empty cache"]
