"""A torch module class as a builder of instances. Imported only where a module is judged."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from ..diagnosis.construct import argument_sets
from ..diagnosis.instance import ModuleError, Sizes
from ..diagnosis.said import said_arguments
from ..estimate import Array

NORMALIZATIONS = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm)


class TorchInstance:
    """One build of a torch module, in float64 and evaluation mode.

    layout  "channels first" or "channels last", whichever it runs in
    """

    def __init__(self, module: torch.nn.Module, sizes: Sizes, layout: str | None = None) -> None:
        self.module, self.sizes = module.double().eval(), sizes
        if any(isinstance(part, NORMALIZATIONS) for part in module.modules()):
            raise ModuleError("it contains a normalization; name the layer without it")
        self.parameters = dict(module.named_parameters())
        self.layout = layout or self._find_layout()

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the parameters by name, in their order."""
        return {name: tuple(p.shape) for name, p in self.parameters.items()}

    def get(self) -> dict[str, Array]:
        """Copies of the parameters."""
        return {name: p.detach().numpy().copy() for name, p in self.parameters.items()}

    def set(self, parameters: Mapping[str, Array]) -> None:
        """Overwrite some parameters."""
        with torch.no_grad():
            for name, value in parameters.items():
                self.parameters[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))

    def buffers(self) -> dict[str, Array]:
        """Copies of the buffers by name."""
        return {name: b.detach().double().numpy().copy()
                for name, b in self.module.named_buffers()}

    def run(self, x: Array, manner: str = "plain") -> Array:
        """(batch, rows, cols, channels) of x (batch, height, width, channels).

        manner  one of MANNERS
        What the module does to its input is done to x.
        """
        return self._run(x, self.layout, manner)

    def _run(self, x: Array, layout: str, manner: str = "plain") -> Array:
        first = layout == "channels first"
        tensor = torch.from_numpy(np.array(x.transpose(0, 3, 1, 2) if first else x, order="C"))
        module, tensor = _in_manner(self.module, tensor, manner)
        before = tensor.clone()
        with torch.no_grad():
            y = module(tensor)
        if not torch.equal(tensor, before):
            x[...] = tensor.double().permute(0, 2, 3, 1).numpy() if first else tensor.numpy()
        y = y[0] if isinstance(y, tuple | list) else y
        if not isinstance(y, torch.Tensor) or y.ndim != 4:
            raise ModuleError(f"its output is no image but {_shape_of(y)}")
        result = y.detach().double().numpy()
        return (result.transpose(0, 2, 3, 1) if first else result).copy()

    def _find_layout(self) -> str:
        x = np.random.default_rng(0).standard_normal((2, 8, 9, self.sizes.channels_in))
        reasons = []
        for layout in ("channels first", "channels last"):
            try:
                y = self._run(x, layout)
            # Whatever a foreign module raises is a reason.
            except Exception as error:
                reasons.append(f"{layout}: {type(error).__name__}: {error}")
                continue
            if y.shape[-1] == self.sizes.channels_out:
                return layout
            reasons.append(f"{layout}: output {y.shape}")
        raise ModuleError("it does not run on a 8 x 9 image; " + "; ".join(reasons))


def _in_manner(module: torch.nn.Module, tensor: torch.Tensor,
               manner: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """The module and its input as a manner of MANNERS asks."""
    if manner == "float32":
        return deepcopy(module).float(), tensor.float()
    if manner == "strided":
        return module, tensor.repeat_interleave(2, dim=-1)[..., ::2]
    return module, tensor


def read_weights(path: str) -> dict[str, Array]:
    """Tensors of a state dict by name, from a .safetensors file or what torch.save wrote.

    No code in the file is run. Raises ModuleError for a file that holds something else.
    """
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file
        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor)
                                                 for value in state.values()):
        raise ModuleError(f"{path} holds no state dict, tensors by name")
    return {str(name): value.detach().double().numpy().copy() for name, value in state.items()}


def _shape_of(y: object) -> str:
    return f"of shape {tuple(y.shape)}" if isinstance(y, torch.Tensor) else type(y).__name__


class TorchBuilder:
    """Builds a module class at given sizes.

    make       the class, or a function that returns a module
    arguments  what the user said of its arguments, by name, with placeholders
    """

    def __init__(self, make: Callable[..., Any],
                 arguments: Mapping[str, str] | None = None) -> None:
        self.make, self.arguments = make, dict(arguments or {})

    def build(self, sizes: Sizes, said: Mapping[str, int] | None = None) -> TorchInstance:
        """Raises ModuleError with the first reason, when no way to build it works.

        said  other values of SAYABLE arguments than are usual; then the layout is the usual one
        """
        first: str | None = None
        layout = self.build(sizes).layout if said else None
        signature = inspect.signature(self.make)
        given = self.arguments | said_arguments(signature, said or {})
        for arguments in argument_sets(signature, given, sizes):
            torch.manual_seed(0)
            try:
                module = self.make(**arguments)
                if not isinstance(module, torch.nn.Module):
                    raise ModuleError(f"it makes no torch module but {type(module).__name__}")
                return TorchInstance(module, sizes, layout)
            # Whatever a foreign constructor raises is a reason.
            except Exception as error:
                spelled = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
                kind = "" if isinstance(error, ModuleError) else f"{type(error).__name__}: "
                first = first or f"built with {spelled}: {kind}{error}"
        raise ModuleError(first or "its constructor has too many arguments of unknown names; "
                                   "say them with --arg NAME={channels_in} and the like")
