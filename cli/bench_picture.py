"""A measurement as a picture: every contestant under the roof of its machine."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from .bench_report import peak_of

# One for each case, and one for each contestant; more of them begin again.
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7b4b94")
MARKS = ("o", "^", "s", "D", "v", "P", "X", "*", "h", "<", ">")


def check_picture(path: Path) -> None:
    """Refuse now what would fail after minutes of measuring.

    Raises ImportError, which names the extra, where matplotlib is not installed, and ValueError
    for a file that is no .png in a folder that is there.
    """
    if path.suffix != ".png" or not path.parent.is_dir():
        raise ValueError(f"`picture` must be a .png file in a folder that is there; got {path}.")
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("`matplotlib` must be installed for pictures; got none. "
                          "Run: pip install 'sasakit[bench]'.")


def draw_roofline(document: dict[str, Any], path: Path) -> None:
    """Write the picture: GFLOP/s over FLOPs per byte, and the two ceilings as a roof.

    Raises OSError for a file that cannot be written.
    """
    figures: Any = importlib.import_module("matplotlib.figure")
    # Without pyplot there is no window and no state; the file's ending is its format.
    figure = figures.Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    _draw_roof(axes, document)
    _draw_contestants(axes, document["cases"])
    machine = document["machine"]
    axes.set(xscale="log", yscale="log", xlabel="FLOPs per byte that must be moved",
             ylabel="GFLOP/s")
    axes.set_title(f"{document['command']}\n{machine['cpu']['name']}, "
                   f"threads: {machine['threads']}", fontsize=9)
    axes.grid(which="both", linewidth=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)
    figure.savefig(path, dpi=120)


def _points(cases: list[dict[str, Any]]) -> list[tuple[str, str, float, float]]:
    """Case, name, FLOPs per byte and GFLOP/s of every contestant."""
    return [(case["case"], row["name"], row["flops"] / row["bytes"], row["gflops"])
            for case in cases for row in case["contestants"]]


def _draw_roof(axes: Any, document: dict[str, Any]) -> None:
    peak, copying = peak_of(document["ceilings"]), document["ceilings"]["copy_gbytes"]
    measured = [intensity for _, _, intensity, _ in _points(document["cases"])]
    ends = min(*measured, peak / copying) / 2, max(*measured, peak / copying) * 2
    x = np.geomspace(*ends, 200)
    axes.plot(x, np.minimum(peak, copying * x), color="black", label="what this machine can do")


def _draw_contestants(axes: Any, cases: list[dict[str, Any]]) -> None:
    colours = {case["case"]: COLOURS[n % len(COLOURS)] for n, case in enumerate(cases)}
    names = list(dict.fromkeys(name for _, name, _, _ in _points(cases)))
    marks = {name: MARKS[n % len(MARKS)] for n, name in enumerate(names)}
    for case, name, intensity, gflops in _points(cases):
        axes.plot(intensity, gflops, marks[name], color=colours[case], markersize=7)
    # The legend tells colours and marks apart; drawn nowhere, they are only named.
    for case, colour in colours.items():
        axes.plot([], [], color=colour, linewidth=6, label=case)
    for name, mark in marks.items():
        axes.plot([], [], mark, color="gray", label=name)
