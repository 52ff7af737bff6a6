"""How many parameters a network learns, beside what chapter 8's of its sizes does (COST-6)."""

from math import prod
from typing import Any

from sasakit.reference import NetworkSpec
from sasakit.reference.contract.parameters import network_parameters

from .network_blocks import BlockFacts
from .network_trace import Module
from .network_verdict import Verdict

STATISTICS = ("norm_mean", "norm_variance")
# Options of layers that change how many parameters there are.
COUNTED = ("extent", "heads", "relative", "position", "content", "padding", "stem", "stages",
           "stem_heads", "stem_window")


def count_parameters(network: Module, stages: list[list[BlockFacts]], classes: int,
                     verdict: Verdict) -> str:
    """The note on a network's parameters."""
    learned = sum(prod(shape) for shape in network.parameters.values())
    note = f"{learned} parameters that are learned"
    blocks = tuple(len(stage) for stage in stages)
    options: dict[str, Any] = {name: value for name, value in verdict.options.items()
                               if name in COUNTED}
    options.setdefault("stages", tuple(range(1, len(blocks) + 1)))
    try:
        spec = NetworkSpec(depth=3 * sum(blocks) + 2, blocks=blocks, classes=classes,
                           width=stages[0][0].channels[1], **options)
        shapes = network_parameters(spec)
    # Sizes or options that no network of chapter 8 has: there is nothing to compare with.
    except (ValueError, TypeError):
        return note
    expected = sum(prod(shape) for name, shape in shapes.items()
                   if name.rpartition(".")[2] not in STATISTICS)
    return f"{note}, as COST-6 counts" if learned == expected else \
        f"{note}, where COST-6 counts {expected} for these options"
