"""The convolutional ResNet as torch users run it: modules, channels-last memory, no gradients.

torchvision is not needed: this is its ResNet with the stride in the 3 x 3 convolution, which is
what SPEC.md counts as the convolutional network (NET-2, NET-4).
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sasakit.reference import NetworkSpec
from sasakit.reference.contract.architecture import Block, network_blocks


def _convolution(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(channels_out))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.reduce = _convolution(block.channels_in, block.channels_mid, 1)
        self.spatial = _convolution(block.channels_mid, block.channels_mid, 3, block.stride)
        self.expand = _convolution(block.channels_mid, block.channels_out, 1)
        self.shortcut = (_convolution(block.channels_in, block.channels_out, 1, block.stride)
                         if block.projects else nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_out, ...) of (batch, channels_in, height, width)."""
        y = torch.relu(self.spatial(torch.relu(self.reduce(x))))
        return torch.relu(self.expand(y) + self.shortcut(x))


def resnet(spec: NetworkSpec) -> nn.Module:
    """The network with random weights, in evaluation mode; `spec` has no attention."""
    net: Any = nn.Sequential(  # its types know no memory format
        _convolution(spec.image_channels, spec.width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        *(Bottleneck(block) for block in network_blocks(spec)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(spec.channels_last, spec.classes))
    made: nn.Module = net.eval().to(memory_format=torch.channels_last)
    return made


def draw_images(spec: NetworkSpec, batch: int, size: int) -> Tensor:
    """(batch, image_channels, size, size), channels last in memory."""
    images = torch.rand(batch, spec.image_channels, size, size)
    return images.to(memory_format=torch.channels_last)


def traced(net: nn.Module, images: Tensor, *, optimize: bool) -> Callable[..., object]:
    """The network as a frozen graph, and then optimized for inference when asked."""
    script: Any = torch.jit
    with torch.no_grad(), warnings.catch_warnings():
        # Later versions call TorchScript deprecated; it is one of the fastest ways all the same.
        warnings.simplefilter("ignore")
        frozen = script.freeze(script.trace(net, images))
        made: Callable[..., object] = script.optimize_for_inference(frozen) if optimize else frozen
    return made


def write_onnx(net: nn.Module, images: Tensor, path: Path) -> None:
    """The network as an ONNX file; its input is called images, its output logits."""
    with torch.no_grad(), warnings.catch_warnings():
        # The newer exporter needs one more package, and writes the same network.
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (images.contiguous(),), str(path), dynamo=False,
                          input_names=["images"], output_names=["logits"])
