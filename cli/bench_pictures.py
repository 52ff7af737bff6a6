"""A measurement as pictures: everybody under the machine's roof, and cost against extent and size.

roofline.png  GFLOP/s over FLOPs per byte, one panel for each case
extent.png    milliseconds of a layer over the extent of its window
size.png      milliseconds of a layer over the rows of its image
"""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .bench_report import peak_of
from .bench_targets import COMPILED_LAYER, CONVOLUTION, DROP_IN, LAYER, UNFOLD_LAYER

# For those who tell red from green and those who do not; more contestants begin again.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKS = ("o", "^", "s", "D", "v", "P", "X", "h", "<", ">", "p")
CURVES = (LAYER, DROP_IN, CONVOLUTION[1], *COMPILED_LAYER, UNFOLD_LAYER[0])
FEWEST = 3  # points that make a curve


def check_pictures(folder: Path) -> None:
    """Refuse now what would fail after minutes of measuring, and make the folder.

    Raises ImportError, which names the extra, where matplotlib is not installed, and OSError for a
    folder that cannot be.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("`matplotlib` must be installed for pictures; got none. "
                          "Run: pip install 'sasakit[bench]'.")
    folder.mkdir(parents=True, exist_ok=True)


def write_pictures(document: dict[str, Any], folder: Path) -> None:
    """Write those pictures that a measurement has points for.

    Raises OSError for a file that cannot be written.
    """
    draw_roofline(document, folder / "roofline.png")
    shapes = [case["shape"] for case in document["cases"]]
    for axis, label in (("extent", "extent of the window"), ("size", "rows and columns")):
        cases = [case for case in document["cases"] if case["batch"] == 1
                 and axis in case["shape"] and _rest(case["shape"], axis) == _fixed(shapes, axis)]
        if len({case["shape"][axis] for case in cases}) >= FEWEST:
            draw_curve(document, cases, axis, label, folder / f"{axis}.png")


def _rest(shape: dict[str, int], axis: str) -> dict[str, int]:
    return {name: size for name, size in shape.items() if name != axis}


def _fixed(shapes: Sequence[dict[str, int]], axis: str) -> dict[str, int]:
    """What is the same in most of the shapes that differ along one axis."""
    rests = [_rest(shape, axis) for shape in shapes]
    return max(rests, key=rests.count)


def _figure(width: float, height: float) -> Any:
    figures: Any = importlib.import_module("matplotlib.figure")
    # Without pyplot there is no window and no state; the file's ending is its format.
    return figures.Figure(figsize=(width, height), layout="constrained")


def _title(document: dict[str, Any]) -> str:
    machine = document["machine"]
    return (f"{document['command']}\n{machine['cpu']['name']}, "
            f"{machine['cpu']['instruction_set']}, {machine['threads']} threads, float32")


def draw_roofline(document: dict[str, Any], path: Path) -> None:
    """Write the roofline, a panel for each case that stands on its own, all on the same axes."""
    cases = [case for case in document["cases"] if not case["curve"]]
    across = min(len(cases), 3)
    down = -(-len(cases) // across)
    figure = _figure(3.6 * across + 2.6, 3.0 * down + 0.8)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    names = list(dict.fromkeys(row["name"] for case in cases for row in case["contestants"]))
    style = {name: (MARKS[n % len(MARKS)], COLOURS[n % len(COLOURS)])
             for n, name in enumerate(names)}
    for panel, case in zip(panels, cases, strict=False):
        _draw_case(panel, document, case, cases, style)
    for panel in panels[len(cases):]:
        panel.set_visible(False)
    for name, (mark, colour) in style.items():
        panels[0].plot([], [], mark, label=name, **_look(name, colour))
    figure.supxlabel("FLOPs per byte that must be moved", fontsize=10)
    figure.supylabel("GFLOP/s", fontsize=10)
    figure.suptitle(_title(document), fontsize=10)
    figure.legend(loc="outside right upper", fontsize=8)
    figure.savefig(path, dpi=120)


def _look(name: str, colour: str) -> dict[str, Any]:
    """Ours stands out, and lies on top."""
    ours = name.startswith("sasakit")
    return {"color": colour, "markersize": 10 if ours else 8, "zorder": 3 if ours else 2,
            "markeredgecolor": "black" if ours else "white", "markeredgewidth": 0.8}


def _draw_case(panel: Any, document: dict[str, Any], case: dict[str, Any],
               cases: list[dict[str, Any]], style: dict[str, tuple[str, str]]) -> None:
    peak = peak_of(document["ceilings"], case["threads"])
    copying = document["ceilings"]["copy_gbytes"]
    reached = [row["flops"] / row["bytes"] for every in cases for row in every["contestants"]]
    ends = min(*reached, peak / copying) / 2, max(*reached, peak / copying) * 2
    x = np.geomspace(*ends, 200)
    panel.plot(x, np.minimum(peak, copying * x), color="0.3", linewidth=1.5)
    panel.text(ends[1], peak, f"{peak:.0f} GFLOP/s ", ha="right", va="bottom", fontsize=8)
    for row in case["contestants"]:
        mark, colour = style[row["name"]]
        panel.plot(row["flops"] / row["bytes"], row["gflops"], mark, **_look(row["name"], colour))
    panel.set(xscale="log", yscale="log")
    panel.set_title(case["case"], fontsize=9)
    panel.grid(which="major", linewidth=0.4)


def draw_curve(document: dict[str, Any], cases: list[dict[str, Any]], axis: str, label: str,
               path: Path) -> None:
    """Write milliseconds of a layer over one of its sizes, both logarithmic."""
    ordered = sorted(cases, key=lambda case: int(case["shape"][axis]))
    figure = _figure(8, 5)
    axes = figure.subplots()
    for n, name in enumerate(CURVES):
        points = [(case["shape"][axis], row["milliseconds"]) for case in ordered
                  for row in case["contestants"] if row["name"] == name]
        if points:
            axes.plot(*zip(*points, strict=True), marker=MARKS[n], color=COLOURS[n], label=name,
                      linewidth=2.2 if name == LAYER else 1.2)
    ticks = [case["shape"][axis] for case in ordered]
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="milliseconds of a layer, batch 1")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    fixed = ", ".join(f"{name} {size}" for name, size in _rest(cases[0]["shape"], axis).items())
    axes.set_title(f"{_title(document)}\n{fixed}", fontsize=9)
    axes.grid(which="major", linewidth=0.4)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
