"""The network's layers and how they follow each other. SPEC NET-1 to NET-9.

Every layer that a trace names is computed in float32 or float64 and rounded once, to the images'
dtype; the next layer reads what was rounded, so a trace shows what was really passed on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from sasakit.reference.contract.architecture import Block, NetworkSpec, network_blocks
from sasakit.reference.contract.options import AttentionOptions, StemOptions

from .arrays import widen
from .attention import layer
from .layers import batch_norm, convolution, halve
from .stems import run_stem

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Plan:
    """What a NetworkSpec means for its layers, read once."""

    stem: StemOptions
    attention: AttentionOptions
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, spec: NetworkSpec) -> Self:
        """The plan of a network."""
        return cls(spec.stem_options(), spec.attention_options(), tuple(network_blocks(spec)))


def run(images: Tensor, plan: Plan, weights_of: Callable[[str], Weights],
        momentum: float | None) -> Iterator[tuple[str, Tensor]]:
    """Name and output of every layer in order, SPEC NET-8.

    weights_of  the weights of "stem", "stage1.block1", ..., "classifier", without that prefix
    momentum    as for `batch_norm`
    """
    dtype = images.dtype
    x = run_stem(widen(images), weights_of("stem"), plan.stem, momentum).to(dtype)
    yield "stem", x
    for block in plan.blocks:
        own = weights_of(block.name)
        y = _reduce(widen(x), own, momentum).to(dtype)
        yield f"{block.name}.reduce", y
        y = _spatial(widen(y), own, block, plan.attention, momentum).to(dtype)
        yield f"{block.name}.spatial", y
        x = _expand(widen(x), widen(y), own, block, momentum).to(dtype)
        yield block.name, x
    yield "logits", _classify(widen(x), weights_of("classifier")).to(dtype)


def _part(weights: Weights, prefix: str) -> dict[str, Tensor]:
    """The weights below a prefix, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}


def _dense(x: Tensor, own: Weights, name: str, momentum: float | None) -> Tensor:
    """A 1 x 1 convolution and its normalization."""
    return batch_norm(x @ own[f"{name}.w"].to(x.dtype), _part(own, name), momentum)


def _reduce(x: Tensor, own: Weights, momentum: float | None) -> Tensor:
    """The block's first layer: 1 x 1 to channels_mid, normalization, ReLU, SPEC NET-2."""
    return torch.relu(_dense(x, own, "reduce", momentum))


def _spatial(x: Tensor, own: Weights, block: Block, options: AttentionOptions,
             momentum: float | None) -> Tensor:
    """The block's middle layer: attention or convolution, norm, ReLU, SPEC NET-2, NET-3."""
    if block.attention:
        y = layer(x, _part(own, "attention"), options)
        # SPEC NET-3: attention runs at the input's resolution; a pool follows it.
        y = halve(y) if block.stride == 2 else y
    else:
        y = convolution(x, own["conv.w"], stride=block.stride, before=1)
    return torch.relu(batch_norm(y, _part(own, "spatial"), momentum))


def _expand(x: Tensor, middle: Tensor, own: Weights, block: Block,
            momentum: float | None) -> Tensor:
    """The block's output: 1 x 1 to channels_out, normalization, shortcut, ReLU, SPEC NET-2."""
    y = _dense(middle, own, "expand", momentum)
    if block.projects:
        # SPEC NET-3: the shortcut takes every stride-th pixel, from the first.
        x = _dense(x[:, ::block.stride, ::block.stride], own, "shortcut", momentum)
    return torch.relu(y + x)


def _classify(x: Tensor, own: Weights) -> Tensor:
    """(batch, classes): the mean over the image, then the classifier, SPEC NET-7."""
    return x.mean(dim=(1, 2)) @ own["w"].to(x.dtype) + own["bias"].to(x.dtype)
