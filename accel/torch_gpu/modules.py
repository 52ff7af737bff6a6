"""The layer and the networks as torch modules, for training.

The names in a module's `state_dict` are the project's own, "stage1.block1.attention.w_query".
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy.typing as npt
import torch
from torch import Tensor, nn

from sasakit.reference.contract.architecture import NetworkSpec
from sasakit.reference.contract.arrays import Shapes, check_names
from sasakit.reference.contract.checks import need_type
from sasakit.reference.contract.errors import broken, finite_number
from sasakit.reference.contract.options import AttentionOptions
from sasakit.reference.contract.parameters import (
    Parameters,
    check_images,
    check_network,
    layer_parameters,
    network_parameters,
)

from .arrays import NUMPY, TORCH, from_numpy, to_numpy
from .attention import attention_layer
from .initial import initial
from .network import Plan, run

STATISTICS = ("norm_mean", "norm_variance")


class Weights(nn.Module):
    """Named weights, a part for every prefix; what normalization has seen are its buffers."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        below: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            prefix, _, rest = name.partition(".")
            if rest:
                below.setdefault(prefix, {})[rest] = tensor
            elif name in STATISTICS:
                self.register_buffer(name, tensor)
            else:
                self.register_parameter(name, nn.Parameter(tensor))
        for prefix, part in below.items():
            self.add_module(prefix, Weights(part))
        self.names = tuple(tensors)

    def tensors(self) -> dict[str, Tensor]:
        """Every parameter and buffer by name, those of the parts with their prefix."""
        found = dict(self.named_parameters()) | dict(self.named_buffers())
        return {name: found[name] for name in self.names}

    def export_weights(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of the weights by name as NumPy arrays; bfloat16 widens to float32."""
        return {name: to_numpy(tensor).copy() for name, tensor in self.tensors().items()}

    def import_weights(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over NumPy weights by name, rounded to this module's dtype.

        Raises ValueError for names and shapes, TypeError for what is no NumPy array. Nothing is
        taken over then.
        """
        own = self.tensors()
        given = check_names("weights", weights, list(own))
        shapes = Shapes(NUMPY, {})
        for name, tensor in own.items():
            axes = [str(axis) for axis in range(tensor.ndim)]
            shapes.sizes = dict(zip(axes, tensor.shape, strict=True))
            shapes.take(name, given[name], *axes)
        self._take_over({name: from_numpy(given[name]) for name in own})

    @torch.no_grad()
    def _take_over(self, given: Mapping[str, Tensor]) -> None:
        for name, tensor in self.tensors().items():
            tensor.copy_(given[name])


def _draw(shapes: Parameters, seed: int | None, dtype: torch.dtype | None,
          device: torch.device | str | None) -> dict[str, Tensor]:
    return {name: w.to(device, dtype or torch.get_default_dtype())
            for name, w in initial(shapes, seed).items()}


class AttentionLayer(Weights):
    """One attention layer with its weights, SPEC ATT-6; initial weights as SPEC NET-9 states.

    channels_in, channels_out  channels of the layer's input and output
    options                    AttentionOptions; None takes the defaults
    seed                       integer of at least 0; None draws from torch's global generator
    Parameters: w_query, w_key, w_value, rel_row, rel_col, as far as the options have them.
    Raises ValueError for channels that the options cannot have.
    """

    def __init__(self, channels_in: int, channels_out: int, *,
                 options: AttentionOptions | None = None, seed: int | None = None,
                 dtype: torch.dtype | None = None,
                 device: torch.device | str | None = None) -> None:
        options = AttentionOptions() if options is None else options
        need_type("options", options, AttentionOptions)
        super().__init__(_draw(layer_parameters(channels_in, channels_out, options), seed,
                               dtype, device))
        self.options = options

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channels_out) of x (batch, height, width, channels_in).

        Raises ValueError for shapes, TypeError for dtypes.
        """
        return attention_layer(x, self.tensors(), options=self.options)

    def extra_repr(self) -> str:
        """The options, for print."""
        return str(self.options)


class Network(Weights):
    """A network with its weights, SPEC NET-1 to NET-9; initial weights as NET-9 states.

    spec      NetworkSpec
    seed      integer of at least 0; None draws from torch's global generator
    momentum  how far a training step moves the normalization's statistics, 0 to 1
    In training mode normalization uses the batch's own statistics, in eval mode the stored ones.
    """

    def __init__(self, spec: NetworkSpec, *, seed: int | None = None, momentum: float = 0.1,
                 dtype: torch.dtype | None = None,
                 device: torch.device | str | None = None) -> None:
        need_type("spec", spec, NetworkSpec)
        finite_number("momentum", momentum)
        if not 0 <= momentum <= 1:
            raise ValueError(broken("momentum", "lie in 0 to 1", momentum))
        super().__init__(_draw(network_parameters(spec), seed, dtype, device))
        self.spec = spec
        self.momentum = momentum
        self._plan = Plan.of(spec)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, classes) logits of images (batch, height, width, image_channels).

        Raises ValueError for shapes, TypeError for dtypes.
        """
        x = images
        for _, x in self._layers(images):  # noqa: B007  only the last one is kept
            pass
        return x

    def trace(self, images: Tensor) -> dict[str, Tensor]:
        """Every layer's output by name, in order, SPEC NET-8.

        "stem"; for each block "<block>.reduce", "<block>.spatial", "<block>"; "logits".
        """
        return dict(self._layers(images))

    def _layers(self, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        bias = self.get_parameter("classifier.bias")
        check_images(TORCH, images, self.spec, TORCH.dtype(bias), TORCH.device(bias))
        return run(images, self._plan, self._part, self.momentum if self.training else None)

    def _part(self, name: str) -> dict[str, Tensor]:
        return cast(Weights, self.get_submodule(name)).tensors()


def load(spec: NetworkSpec, weights: Mapping[str, Tensor]) -> Network:
    """A network ready to run; `weights` as `network_parameters` names them, SPEC NET-6.

    The weights are copied, on their own device and in their own dtype; they ask for no gradients,
    so none of the layers is kept for a backward pass unless the images ask for one.
    Raises ValueError for names and shapes, TypeError for dtypes.
    """
    check_network(TORCH, spec, weights)
    with torch.device("meta"):
        network = Network(spec)
    bias = weights["classifier.bias"]
    network = network.to(bias.dtype).to_empty(device=bias.device)
    network._take_over(weights)
    return network.eval().requires_grad_(False)
