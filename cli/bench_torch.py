"""One layer's peers in torch: the core alone, the layer around it, and the convolution beside it.

Images are (batch, channels, height, width), as torch has them.
"""

import functools
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .bench_forms import CORES, Core


def layer(core: Core, heads: int) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """A layer around a core; its weights (3 channels_out, channels_in, 1, 1) are one convolution.

    Queries come first, then keys, then values.
    """
    def run(x: Tensor, weights: Tensor, row: Tensor, col: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        parts = F.conv2d(x, weights).view(batch, 3, heads, -1, height, width)
        return core(parts[:, 0], parts[:, 1], parts[:, 2], row, col).flatten(1, 2)

    return run


def inferring(function: Callable[..., object], *arguments: Tensor) -> Callable[[], object]:
    """A call without gradients."""
    def run() -> object:
        with torch.inference_mode():
            return function(*arguments)

    return run


def compiled(function: Callable[..., Tensor],
             options: dict[str, Any] | None = None) -> Callable[..., object]:
    """What torch.compile makes of it, with options of its backend.

    Raises RuntimeError where there is no C++ compiler, which it needs.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise RuntimeError(f"no C++ compiler: {compiler} is not there")
    made: Callable[..., object] = torch.compile(function, dynamic=False, options=options)
    return made


class LayerPeers:
    """One layer's arrays as torch tensors, in the layout each form likes.

    x        (batch, height, width, channels)
    core     query, key, value (batch, height, width, heads, depth), rel_row, rel_col
    weights  of `attention_layer`, square
    """

    def __init__(self, x: npt.NDArray[Any], core: Mapping[str, npt.NDArray[Any]],
                 weights: Mapping[str, npt.NDArray[Any]], heads: int) -> None:
        self.heads = heads
        # Channels first in shape, channels last in memory.
        self.last = torch.from_numpy(x).permute(0, 3, 1, 2)
        self.x = self.last.contiguous()
        self.tables = [torch.from_numpy(core[name]) for name in ("rel_row", "rel_col")]
        self.parts = [torch.from_numpy(core[name]).permute(0, 3, 4, 1, 2).contiguous()
                      for name in ("query", "key", "value")]
        joined = np.concatenate([weights[name] for name in ("w_query", "w_key", "w_value")], axis=1)
        self.weights = torch.from_numpy(joined.T.copy())[:, :, None, None]

    def core(self, form: str, *, compile: bool = False) -> Callable[[], object]:
        """The core alone, (batch, heads, depth, height, width)."""
        function, parts = CORES[form], self.parts
        if form == "views":
            # Heads are last in memory, where this form computes with them.
            parts = [x.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3) for x in parts]
        return inferring(compiled(function) if compile else function, *parts, *self.tables)

    def layer(self, form: str, *, compile: bool = False) -> Callable[[], object]:
        """Projections and core, (batch, channels, height, width)."""
        function = layer(CORES[form], self.heads)
        return inferring(compiled(function) if compile else function, self.x, self.weights,
                         *self.tables)

    def convolution(self, *, packed: bool) -> Callable[[], object]:
        """3 x 3, of the same width, (batch, channels, height, width).

        packed  whether its weights are laid out once, as compilers do, rather than in every call
        """
        channels = self.x.shape[1]
        weights = torch.rand(channels, channels, 3, 3).to(memory_format=torch.channels_last)
        if not packed:
            return inferring(functools.partial(F.conv2d, padding=1), self.last, weights)
        # What a compiled and frozen model calls; torch has no public name for it.
        functions: Any = torch._C._nn
        ready = functions.mkldnn_reorder_conv2d_weight(
            weights.to_mkldnn(), (1, 1), (1, 1), (1, 1), 1, list(self.last.shape))
        convolve: Any = torch.ops.mkldnn._convolution_pointwise

        def run(x: Tensor) -> object:
            return convolve(x, ready, None, (1, 1), (1, 1), (1, 1), 1, "none", [], "")

        return inferring(run, self.last)
