"""Figures that are no times of turns: memory of a layer, and starts of processes."""

import functools
import statistics
from collections.abc import Callable
from typing import Any

from . import bench_child
from .bench_layer import LEFT_OUT
from .bench_rounds import reason
from .bench_targets import COLD, MEMORY, UNFOLD_MEMORY, WARM

STARTS = 3
# What MEMORY_CASE and START_CASE name.
MEMORY_SIZES = {"size": 56, "channels": 64, "batch": 8}
START_SIZES = {"size": 56, "channels": 64, "batch": 1}


def measure_figures(what: str, threads: int, quick: bool) -> list[dict[str, Any]]:
    """Name, unit, value and reason of each, as --json shows them; what fails has no value."""
    start = functools.partial(bench_child.start_seconds, f"first-{what}",
                              START_SIZES | {"threads": threads})
    warm = _figure(WARM, "seconds", lambda: statistics.median(
        start(cold=False) for _ in range(1 if quick else STARTS)))
    cold = (_unknown(COLD, "seconds", LEFT_OUT) if quick
            else _figure(COLD, "seconds", lambda: start(cold=True)))
    memory = []
    if what == "layer":
        memory = [_figure(name, "bytes", functools.partial(
            bench_child.extra_memory, task, MEMORY_SIZES | {"threads": threads}))
            for name, task in ((MEMORY, "sasakit"), (UNFOLD_MEMORY, "unfold"))]
    return [*memory, warm, cold]


def _figure(name: str, unit: str, measure: Callable[[], float]) -> dict[str, Any]:
    try:
        return {"name": name, "unit": unit, "value": measure(), "reason": None}
    # A child fails in whatever way it likes; the rest is told all the same.
    except Exception as error:
        return _unknown(name, unit, reason(error))


def _unknown(name: str, unit: str, why: str) -> dict[str, Any]:
    return {"name": name, "unit": unit, "value": None, "reason": why}
