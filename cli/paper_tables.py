"""The cost cells that the paper prints, as data: Tables 1, 3, 4, 5, 6 and 7, with each network.

Digits are the paper's own, kept as text so that they can be compared digit by digit. A row without
parameters has none in the paper.
"""

from dataclasses import dataclass
from typing import Any

from sasakit.reference import NetworkSpec


@dataclass(frozen=True)
class PaperRow:
    """One network of one table, with what the paper prints for it."""

    table: str
    row: str
    column: str
    spec: NetworkSpec
    gflops: str
    parameters_millions: str | None = None


def _three_networks() -> tuple[PaperRow, ...]:
    columns: dict[str, dict[str, Any]] = {
        "convolution": {"stem": "conv", "stages": ()},
        "conv stem + attention": {"stem": "conv"},
        "full attention": {"stem": "mixture"},
    }
    printed = {
        26: (("4.7", "13.7"), ("4.5", "10.3"), ("4.7", "10.3")),
        38: (("6.5", "19.6"), ("5.7", "14.1"), ("6.0", "14.1")),
        50: (("8.2", "25.6"), ("7.0", "18.0"), ("7.2", "18.0")),
    }
    return tuple(
        PaperRow("1", f"ResNet-{depth}", column, NetworkSpec(depth=depth, **choice), *cells)
        for depth, rows in printed.items()
        for (column, choice), cells in zip(columns.items(), rows, strict=True))


TABLE_1 = _three_networks()

TABLE_3 = tuple(
    PaperRow("3", "ResNet-50", f"attention in {' '.join(map(str, stages)) or 'none'}",
             NetworkSpec(stages=stages), gflops, parameters)
    for stages, gflops, parameters in (
        ((1, 2, 3, 4), "7.0", "18.0"), ((2, 3, 4), "7.3", "18.1"), ((3, 4), "7.5", "18.5"),
        ((4,), "8.0", "20.8"), ((), "8.2", "25.6"), ((1,), "7.9", "25.5"),
        ((1, 2), "7.8", "25.0"), ((1, 2, 3), "7.2", "22.7")))

TABLE_4 = tuple(
    PaperRow("4", "ResNet-50", f"extent {extent}", NetworkSpec(extent=extent), gflops)
    for extent, gflops in ((3, "6.6"), (5, "6.7"), (7, "7.0"), (9, "7.3"), (11, "7.7")))

TABLE_5 = tuple(
    PaperRow("5", "ResNet-50", f"position {position}", NetworkSpec(position=position), gflops,
             "18.0")
    for position, gflops in (("none", "6.9"), ("absolute", "6.9"), ("relative", "7.0")))

TABLE_6 = (
    PaperRow("6", "ResNet-50", "relative only", NetworkSpec(content=False), "6.1", "16.7"),
    PaperRow("6", "ResNet-50", "content + relative", NetworkSpec(), "7.0", "18.0"),
)

TABLE_7 = tuple(
    PaperRow("7", "ResNet-50", f"stem {stem}", NetworkSpec(stem=stem), gflops)
    for stem, gflops in (("plain", "7.1"), ("conv_value", "7.4"), ("mixture", "7.2")))

PAPER_ROWS = (*TABLE_1, *TABLE_3, *TABLE_4, *TABLE_5, *TABLE_6, *TABLE_7)
