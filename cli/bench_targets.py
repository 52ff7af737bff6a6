"""What we want to reach, in one table, and which of it a measurement met.

The figures were set for two cores with AVX-512 (Zen 5, float32, two threads): with other vectors a
share of the peak and a ratio to a peer may well be out of reach, or easy. A row without a figure is
measured and not judged.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

WHERE = "Targets were set for machines with AVX-512: two cores of Zen 5, float32, two threads."

DISTURBED = "not judged: other processes ran in every round"

LAYER, DROP_IN = "sasakit layer", "sasakit layer, channels first"
CORE, CALLED_CORE = "sasakit core", "sasakit core, called alone"
CONVOLUTION = ("torch conv3x3", "torch conv3x3, packed")
UNFOLD_CORE = ("torch core, unfold, einsum", "torch core, unfold, matmul")
UNFOLD_LAYER = ("torch layer, unfold, einsum", "torch layer, unfold, matmul")
COMPILED_CORE, COMPILED_LAYER = ("torch core, compiled",), ("torch layer, compiled",)

NETWORK, ALL_ATTENTION = "sasakit", "sasakit, attention stem"
EAGER = ("torch, eager",)
COMPILED = ("torch, compiled", "torch, traced and frozen", "torch, traced, frozen, optimized")
ENGINES = ("onnxruntime", "openvino")
CONVOLUTIONAL = (*EAGER, *COMPILED, *ENGINES)
EXPORTED = ("onnxruntime, attention", "openvino, attention")


class Target(NamedTuple):
    """One row of the table.

    row      what is compared, for people
    case     of which case, by name
    ours     contestant
    peers    the fastest of them counts, its time divided by ours; empty: our share of the peak
    at_least  what is wanted; None where nothing is
    """

    row: str
    case: str
    ours: str
    peers: tuple[str, ...]
    at_least: float | None


# Map, channels and batch of each case; then conv3x3 / layer, and the core's share of the peak.
WANTED: tuple[tuple[str, float, float | None], ...] = (
    ("56x56, 64 channels, batch 1", 1.5, 0.60), ("28x28, 128 channels, batch 1", 2.2, 0.52),
    ("14x14, 256 channels, batch 1", 2.8, 0.52), ("7x7, 512 channels, batch 1", 4.2, 0.45),
    ("56x56, 64 channels, batch 8", 1.3, None))
SINGLE = WANTED[:4]

LAYER_TARGETS = (
    *(Target("conv3x3 of the same width / layer", case, LAYER, CONVOLUTION, ratio)
      for case, ratio, _ in WANTED),
    *(Target("core, share of the multiply-add peak", case, CORE, (), share)
      for case, _, share in WANTED),
    *(Target("torch unfold, eager / core", case, CORE, UNFOLD_CORE, 170) for case, _, _ in SINGLE),
    *(Target("torch compiled / core", case, CORE, COMPILED_CORE, 25) for case, _, _ in SINGLE),
    *(Target("torch unfold, eager / drop-in", case, DROP_IN, UNFOLD_LAYER, 110)
      for case, _, _ in SINGLE),
    *(Target("torch compiled / drop-in", case, DROP_IN, COMPILED_LAYER, 15)
      for case, _, _ in SINGLE),
)

class FigureTarget(NamedTuple):
    """One row about figures that are no times of turns.

    row, case  for people
    figure     its name
    over       the figure that is divided by it; None: the figure itself, in seconds
    wanted     a ratio of at least this, seconds of at most this; None where nothing is wanted
    """

    row: str
    case: str
    figure: str
    over: str | None
    wanted: float | None


MEMORY, UNFOLD_MEMORY = "extra memory, sasakit", "extra memory, torch unfold"
WARM, COLD = "first result, warm cache", "first result, empty cache"
MEMORY_CASE, START_CASE = "56x56, 64 channels, batch 8", "56x56, 64 channels, batch 1"

LAYER_FIGURES = (
    FigureTarget("extra memory of a layer, torch unfold / ours", MEMORY_CASE, MEMORY,
                 UNFOLD_MEMORY, 20),
    FigureTarget("process start to first result, warm cache", START_CASE, WARM, None, None),
    FigureTarget("process start to first result, compiling", START_CASE, COLD, None, None),
)

ONE, EIGHT, ALONE = "224x224, batch 1", "224x224, batch 8", "224x224, batch 1, one thread"
NETWORK_TARGETS = (
    Target("convolutions, torch eager / conv stem", ONE, NETWORK, EAGER, 2.1),
    Target("convolutions, torch compiled / conv stem", ONE, NETWORK, COMPILED, 1.28),
    Target("convolutions, onnxruntime / conv stem", ONE, NETWORK, ENGINES[:1], 1.1),
    Target("convolutions, openvino / conv stem", ONE, NETWORK, ENGINES[1:], 1.1),
    Target("convolutions, fastest / conv stem", ONE, NETWORK, CONVOLUTIONAL, 1.1),
    Target("convolutions, fastest / attention stem", ONE, ALL_ATTENTION, CONVOLUTIONAL, 1.05),
    Target("our network in onnxruntime / ours", ONE, NETWORK, EXPORTED[:1], 5),
    Target("our network in openvino / ours", ONE, NETWORK, EXPORTED[1:], 5),
    Target("convolutions, fastest / conv stem", EIGHT, NETWORK, CONVOLUTIONAL, 1.05),
    Target("convolutions, fastest / conv stem", ALONE, NETWORK, CONVOLUTIONAL, 1.1),
)

NETWORK_FIGURES = (
    FigureTarget("process start to first result, warm cache", ONE, WARM, None, 1.5),
    FigureTarget("process start to first result, compiling", ONE, COLD, None, 30),
)

TARGETS = {"layer": LAYER_TARGETS, "network": NETWORK_TARGETS}
FIGURES = {"layer": LAYER_FIGURES, "network": NETWORK_FIGURES}


def target_rows(what: str, cases: Iterable[dict[str, Any]], figures: Iterable[dict[str, Any]]
                ) -> list[dict[str, Any]]:
    """Every target of a benchmark, as --json shows it.

    cases    with everybody's share of the peak
    figures  name, value and reason of each
    """
    by_case = {case["case"]: case for case in cases}
    by_name = {figure["name"]: figure for figure in figures}
    return [*(_case_row(target, by_case.get(target.case)) for target in TARGETS[what]),
            *(_figure_row(target, by_name) for target in FIGURES[what])]


def _case_row(target: Target, case: dict[str, Any] | None) -> dict[str, Any]:
    measured, against, reason = _measure(target, case)
    met = None if measured is None or target.at_least is None else measured >= target.at_least
    if measured is not None and case is not None and case["disturbed"] == case["rounds"]:
        # Threads that wait for each other lose more than those that do not: nothing is judged.
        met, reason = None, DISTURBED
    here = {row["name"] for row in case["contestants"]} if case is not None else set()
    return {"row": target.row, "case": target.case, "kind": "ratio" if target.peers else "share",
            "target": target.at_least, "measured": measured, "met": met, "against": against,
            "without": [] if against is None else [name for name in target.peers
                                                   if name not in here],
            "reason": reason}


def _measure(target: Target, case: dict[str, Any] | None
             ) -> tuple[float | None, str | None, str | None]:
    """The figure, the peer that it is about, and why there is none."""
    if case is None:
        return None, None, "this case was not measured"
    rows = {row["name"]: row for row in case["contestants"]}
    if target.ours not in rows:
        return None, None, "ours was not measured in this case"
    if not target.peers:
        return rows[target.ours]["share_of_peak"], None, None
    here = [name for name in target.peers if name in rows]
    if not here:
        absent = {missing["name"]: missing["reason"] for missing in case["missing"]}
        reasons = {absent.get(name, "not measured in this case") for name in target.peers}
        return None, None, "; ".join(sorted(reasons))
    best = min(here, key=lambda name: rows[name]["milliseconds"])
    return rows[best]["milliseconds"] / rows[target.ours]["milliseconds"], best, None


def _figure_row(target: FigureTarget, figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    names = [target.figure] if target.over is None else [target.figure, target.over]
    reasons = [figures[name]["reason"] if name in figures else "not measured" for name in names]
    reason = "; ".join(dict.fromkeys(text for text in reasons if text is not None)) or None
    measured = met = None
    if reason is None:
        value = figures[target.figure]["value"]
        measured = value if target.over is None else figures[target.over]["value"] / value
        if target.wanted is not None:
            met = measured <= target.wanted if target.over is None else measured >= target.wanted
    return {"row": target.row, "case": target.case,
            "kind": "seconds" if target.over is None else "ratio", "target": target.wanted,
            "measured": measured, "met": met, "against": target.over, "without": [],
            "reason": reason}
