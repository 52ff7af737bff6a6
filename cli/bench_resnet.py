"""ResNets as torch users write them: modules, channels first in shape, no gradients.

torchvision is not needed: without attention this is its ResNet-50 "v1.5", with the stride in the
3 x 3 convolution, which is what SPEC.md counts as the convolutional network (NET-2, NET-4). With
attention it is the same network as ours, for engines that read an exported one.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sasakit.reference import NetworkSpec
from sasakit.reference.contract.architecture import Block, network_blocks

from .bench_forms import CORES, Core

# Of the project's names of a normalization's weights, which are torch's.
NORM = {"norm_scale": "weight", "norm_shift": "bias", "norm_mean": "running_mean",
        "norm_variance": "running_var"}


def _convolution(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False)


def _normalized(layer: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(channels))


class Attention(nn.Module):
    """Local attention and its projections; a block with a stride averages 2 x 2 pixels (NET-3)."""

    def __init__(self, channels: int, spec: NetworkSpec, stride: int, core: Core) -> None:
        super().__init__()
        self.heads, self.stride, self.core = spec.heads, stride, core
        self.project = _convolution(channels, 3 * channels, 1)
        half = channels // spec.heads // 2
        self.rel_row = nn.Parameter(torch.randn(spec.extent, half))
        self.rel_col = nn.Parameter(torch.randn(spec.extent, half))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) of the same."""
        batch, channels, height, width = map(int, x.shape)
        parts = self.project(x).view(batch, 3, self.heads, channels // self.heads, height, width)
        y = self.core(parts[:, 0], parts[:, 1], parts[:, 2], self.rel_row, self.rel_col)
        y = y.flatten(1, 2)
        return F.avg_pool2d(y, 2, ceil_mode=True) if self.stride == 2 else y


class Bottleneck(nn.Module):
    """1 x 1, a spatial layer and 1 x 1, beside a shortcut (NET-2)."""

    def __init__(self, block: Block, spec: NetworkSpec, core: Core) -> None:
        super().__init__()
        middle = block.channels_mid
        spatial = (Attention(middle, spec, block.stride, core) if block.attention
                   else _convolution(middle, middle, 3, block.stride))
        self.reduce = _normalized(_convolution(block.channels_in, middle, 1), middle)
        self.spatial = _normalized(spatial, middle)
        self.expand = _normalized(_convolution(middle, block.channels_out, 1), block.channels_out)
        self.shortcut = (
            _normalized(_convolution(block.channels_in, block.channels_out, 1, block.stride),
                        block.channels_out) if block.projects else nn.Identity())

    def layers(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs of the first layer, of the spatial one, and of the block."""
        reduced = torch.relu(self.reduce(x))
        middle = torch.relu(self.spatial(reduced))
        return reduced, middle, torch.relu(self.expand(middle) + self.shortcut(x))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_out, ...) of (batch, channels_in, height, width)."""
        return self.layers(x)[-1]


class ResNet(nn.Module):
    """A network with a convolution stem, in evaluation mode, its weights random at first.

    core  how attention is computed, one of CORES; of no account where nothing attends
    """

    def __init__(self, spec: NetworkSpec, core: str = "tiles") -> None:
        super().__init__()
        self.stem: Any = nn.Sequential(
            *_normalized(_convolution(spec.image_channels, spec.width, 7, 2), spec.width),
            nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.names = [block.name for block in network_blocks(spec)]
        self.blocks: Any = nn.ModuleList(Bottleneck(block, spec, CORES[core])
                                         for block in network_blocks(spec))
        self.classifier = nn.Linear(spec.channels_last, spec.classes)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(batch, classes) logits of (batch, image_channels, height, width)."""
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits

    @torch.no_grad()
    def take(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over a network's weights, as `network_parameters` names them."""
        given = {name: torch.from_numpy(w) for name, w in weights.items()}
        self.stem[0].weight.copy_(given["stem.w_conv"].permute(3, 2, 0, 1))
        _take_norm(self.stem[1], given, "stem")
        for name, block in zip(self.names, self.blocks, strict=True):
            for part in ("reduce", "spatial", "expand", "shortcut"):
                if f"{name}.{part}.norm_scale" in given:
                    layer, norm = block.get_submodule(part)
                    _take_norm(norm, given, f"{name}.{part}")
                    if part != "spatial":
                        layer.weight.copy_(_pointwise(given[f"{name}.{part}.w"]))
            _take_spatial(block.spatial[0], given, name)
        self.classifier.weight.copy_(given["classifier.w"].T)
        self.classifier.bias.copy_(given["classifier.bias"])


def _pointwise(w: Tensor) -> Tensor:
    """(channels_out, channels_in, 1, 1) of (channels_in, channels_out)."""
    return w.T[:, :, None, None]


def _take_norm(norm: Any, given: Mapping[str, Tensor], prefix: str) -> None:
    for ours, theirs in NORM.items():
        getattr(norm, theirs).copy_(given[f"{prefix}.{ours}"])


def _take_spatial(layer: Any, given: Mapping[str, Tensor], name: str) -> None:
    if not isinstance(layer, Attention):
        layer.weight.copy_(given[f"{name}.conv.w"].permute(3, 2, 0, 1))
        return
    joined = [given[f"{name}.attention.{w}"] for w in ("w_query", "w_key", "w_value")]
    layer.project.weight.copy_(_pointwise(torch.cat(joined, dim=1)))
    layer.rel_row.copy_(given[f"{name}.attention.rel_row"])
    layer.rel_col.copy_(given[f"{name}.attention.rel_col"])


class Layers(nn.Module):
    """Every layer's output in order, as NET-8 names them, of a ResNet: for comparing them."""

    def __init__(self, net: ResNet) -> None:
        super().__init__()
        self.net: Any = net

    def forward(self, images: Tensor) -> list[Tensor]:
        """The stem's output, three of each block, the logits."""
        seen = [self.net.stem(images)]
        for block in self.net.blocks:
            seen += block.layers(seen[-1])
        return [*seen, self.net.classifier(seen[-1].mean((2, 3)))]


def traced(net: nn.Module, images: Tensor, *, optimize: bool) -> Callable[..., object]:
    """The network as a frozen graph, and then optimized for inference when asked."""
    script: Any = torch.jit
    with torch.no_grad(), warnings.catch_warnings():
        # Later versions call TorchScript deprecated; it is one of the fastest ways all the same.
        warnings.simplefilter("ignore")
        frozen = script.freeze(script.trace(net, images))
        made: Callable[..., object] = script.optimize_for_inference(frozen) if optimize else frozen
    return made


def write_onnx(net: nn.Module, images: Tensor, path: Path, *, any_batch: bool = False) -> None:
    """A network as an ONNX file; its input is called images, its outputs by number.

    any_batch  leave the batch open, called batch, which by_tiles cannot
    """
    with torch.no_grad(), warnings.catch_warnings():
        # The newer exporter needs one more package, and writes the same network.
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (images.contiguous(),), str(path), dynamo=False,
                          opset_version=17, input_names=["images"],
                          dynamic_axes={"images": {0: "batch"}} if any_batch else None)
