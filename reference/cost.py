"""Chapter 9, cost: parameters and FLOPs of a network, as the paper counts them. COST-1 to COST-6.

A count, not a measurement: what the definition asks for, whatever a backend skips or fuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from .contract.architecture import Block, NetworkSpec, network_blocks
from .contract.checks import need_type
from .contract.errors import broken, whole_number
from .contract.options import AttentionOptions
from .contract.parameters import Parameters, network_parameters

STATISTICS = ("norm_mean", "norm_variance")
SOFTMAX, NORM, RELU, ADD = 5, 4, 1, 1


@dataclass(frozen=True)
class CostPart:
    """The cost of one part: stem, stage1 onwards, classifier."""

    name: str
    parameters: int
    flops: int


@dataclass(frozen=True)
class Cost:
    """The cost of a network on one image: its parts in order, and their sums."""

    parts: tuple[CostPart, ...]

    @property
    def parameters(self) -> int:
        """Learned numbers of the whole network, SPEC COST-6."""
        return sum(part.parameters for part in self.parts)

    @property
    def flops(self) -> int:
        """FLOPs of the whole network on one image, SPEC COST-1 to COST-5."""
        return sum(part.flops for part in self.parts)


def count_cost(spec: NetworkSpec, height: int = 224, width: int = 224) -> Cost:
    """Parameters and FLOPs of a network on one image of height x width pixels.

    Raises TypeError or ValueError for what is no network or no size, and ValueError for an image
    whose feature maps do not hold a shifted window (PAD-3).
    """
    need_type("spec", spec, NetworkSpec)
    whole_number("height", height)
    whole_number("width", width)
    shapes = network_parameters(spec)
    flops = {"stem": _stem(spec, shapes, height, width)}
    height, width = _stem_sizes(spec, height, width)[1]
    for block in network_blocks(spec):
        stage = _part_of(block.name)
        flops[stage] = flops.get(stage, 0) + _block(spec, block, shapes, height, width)
        height, width = _fewer(height, block.stride), _fewer(width, block.stride)
    # SPEC COST-4: the mean over the image is a pool. COST-1: the bias is the sum's first term.
    flops["classifier"] = (height * width * spec.channels_last
                           + _product(1, shapes["classifier.w"]))
    return Cost(tuple(CostPart(name, _parameters(shapes, name), count)
                      for name, count in flops.items()))


def _part_of(name: str) -> str:
    return name.split(".")[0]


def _parameters(shapes: Mapping[str, tuple[int, ...]], part: str) -> int:
    # SPEC COST-6: statistics are measured, not learned.
    return sum(prod(shape) for name, shape in shapes.items()
               if _part_of(name) == part and name.rsplit(".", 1)[-1] not in STATISTICS)


def _fewer(size: int, stride: int) -> int:
    return -(-size // stride)


def _product(pixels: int, shape: tuple[int, ...]) -> int:
    """Multiplying `pixels` inputs with all of a weight's entries, SPEC COST-1."""
    return 2 * pixels * prod(shape)


def _stem_sizes(spec: NetworkSpec, height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Rows and columns of the stem's normalization and of its output (STEM-1, STEM-3)."""
    if spec.stem == "conv":
        height, width = _fewer(height, 2), _fewer(width, 2)
    pool = 2 if spec.stem == "conv" else spec.stem_window
    return (height, width), (_fewer(height, pool), _fewer(width, pool))


def _stem(spec: NetworkSpec, shapes: Parameters, height: int, width: int) -> int:
    inner, outer = (prod(sizes) for sizes in _stem_sizes(spec, height, width))
    channels, slots = spec.width, spec.stem_window ** 2
    if spec.stem == "conv":
        convolution = _product(inner, shapes["stem.w_conv"])
        return convolution + inner * channels * (NORM + RELU) + outer * channels * 3 * 3
    projections = sum(_product(inner, shapes[f"stem.{name}"])
                      for name in ("w_query", "w_key", "w_value"))
    # SPEC COST-5: q . k, a . v, and a q . r that the stem does not have but the paper counts.
    attention = inner * slots * (3 * 2 * channels + SOFTMAX * spec.stem_heads)
    if spec.stem == "mixture":
        attention += 2 * inner * spec.stem_mixtures * channels
    return projections + attention + inner * channels * NORM + outer * channels * slots


def _block(spec: NetworkSpec, block: Block, shapes: Parameters, height: int, width: int) -> int:
    start = f"{block.name}."
    own = {name.removeprefix(start): shape for name, shape in shapes.items()
           if name.startswith(start)}
    inner = height * width
    outer = _fewer(height, block.stride) * _fewer(width, block.stride)
    flops = _product(inner, own["reduce.w"]) + inner * block.channels_mid * (NORM + RELU)
    if block.attention:
        options = spec.attention_options()
        _check_window(options, block, height, width)
        flops += sum(_product(inner, own[f"attention.{name}"])
                     for name in ("w_query", "w_key", "w_value") if f"attention.{name}" in own)
        flops += inner * _attention(options, block.channels_mid)
        # SPEC COST-4: the pool that follows a striding attention layer.
        flops += outer * block.channels_mid * 2 * 2 if block.stride == 2 else 0
    else:
        flops += _product(outer, own["conv.w"])
    flops += outer * block.channels_mid * (NORM + RELU) + _product(outer, own["expand.w"])
    if block.projects:
        flops += _product(outer, own["shortcut.w"]) + outer * block.channels_out * NORM
    return flops + outer * block.channels_out * (NORM + ADD + RELU)


def _attention(options: AttentionOptions, channels: int) -> int:
    """FLOPs of one query pixel after the projections, SPEC COST-2, COST-3."""
    slots = options.extent ** 2
    # SPEC COST-2: the logits are one product and the mixture another; a relative embedding joins
    # every gathered key, an absolute one joins every key once; alone, either takes the key's place.
    joins = {"relative": slots, "absolute": 1, "none": 0}[options.position]
    position = joins * channels * ADD if options.content else 0
    return slots * (2 * 2 * channels + SOFTMAX * options.heads) + position


def _check_window(options: AttentionOptions, block: Block, height: int, width: int) -> None:
    if options.padding == "shift" and options.extent > min(height, width):
        rule = f"be at most the height and width that enter {block.name} with padding shift"
        raise ValueError(broken("extent", rule, f"extent={options.extent}, height={height}, "
                                                f"width={width}"))
