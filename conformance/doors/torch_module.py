"""A torch module class as a builder of instances. Imported only where a module is judged."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn.utils import parametrize
from torch.nn.utils.weight_norm import WeightNorm

from ..diagnosis.construct import argument_sets, heads_are_said, question_of
from ..diagnosis.instance import FRAME, RAISES, Facts, ModuleError, Sizes
from ..diagnosis.said import said_arguments
from ..estimate import Array
from .module_calls import FRAMES, LAYOUTS, Call, calls_of, own_words

NORMALIZATIONS = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm)
# A change of the input that is so small that float64 carries it to the output in proportion; what
# is computed in float32 moves in steps, which are larger.
NUDGE = 2.0 ** -28
STEP_OF_SINGLE = 2.0 ** -36


class TorchInstance:
    """One build of a torch module, in evaluation mode, in float64 where it runs in it.

    facts    what building and running it told
    call     how it is called
    tensors  its parameters, and the other tensors of real numbers that it holds, by name
    """

    def __init__(self, module: torch.nn.Module, sizes: Sizes, heads_set: bool = True,
                 like: "TorchInstance | None" = None, usual: Call | None = None) -> None:
        """A build whose way to be called is found.

        heads_set  as in Facts
        like       a build whose facts and call are those of this one too
        usual      how another build of its class ran: what that raises here is its own error
        """
        self.module, self.sizes, self._usual = module.eval(), sizes, usual
        if any(isinstance(part, NORMALIZATIONS) for part in module.modules()):
            raise ModuleError("it contains a normalization; name the layer without it")
        _strip_parametrizations(module)
        self.facts, self.call = Facts(heads_set=heads_set), Call(LAYOUTS[0])
        self.dtype = torch.float64
        self.tensors: dict[str, torch.Tensor] = {}
        if like is None:
            held = {name: value.detach().clone() for name, value in _other_tensors(module)}
            self._find_call()
            self._find_facts()
            # What it kept in them while it was tried is no part of a new build.
            _give_back(module, held)
            return
        self.facts, self.call, self.dtype = like.facts, like.call, like.dtype
        _convert(module, self.dtype)
        self._find_tensors()

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the parameters and other tensors by name, in their order."""
        return {name: tuple(p.shape) for name, p in self.tensors.items()}

    def get(self) -> dict[str, Array]:
        """Copies of the parameters and other tensors."""
        return {name: p.detach().double().numpy().copy() for name, p in self.tensors.items()}

    def set(self, parameters: Mapping[str, Array]) -> None:
        """Overwrite some parameters."""
        with torch.no_grad():
            for name, value in parameters.items():
                given = np.array(value, order="C")
                self.tensors[name].copy_(torch.from_numpy(given).reshape(self.tensors[name].shape))

    def buffers(self) -> dict[str, Array]:
        """Copies of the buffers by name."""
        return {name: b.detach().double().numpy().copy()
                for name, b in self.module.named_buffers()}

    def run(self, x: Array, manner: str = "plain") -> Array:
        """(batch, rows, cols, channels) of x (batch, height, width, channels).

        manner  one of MANNERS
        What the module does to its input is done to x.
        """
        return self._run(x, self.call, manner=manner)[0]

    def _run(self, x: Array, call: Call, seed: int = 0,
             manner: str = "plain") -> tuple[Array, torch.dtype]:
        tensor = torch.from_numpy(np.array(x, order="C")).to(self.dtype)
        module, given = _in_manner(self.module, call.arguments(tensor), manner)
        before = given[0].clone()
        # `torch.manual_seed` looks for accelerators each time, which takes longer than the rest.
        torch.default_generator.manual_seed(seed)
        with torch.no_grad():
            y = module(*given)
        if not torch.equal(given[0], before):
            x[...] = call.image(given[0], *x.shape[1:3]).double().numpy()
        y = y[0] if isinstance(y, tuple | list) else y
        image = call.image(y, *x.shape[1:3]) if isinstance(y, torch.Tensor) else None
        if image is None:
            raise ModuleError(f"its output is no image but {_shape_of(y)}")
        return image.detach().double().numpy().copy(), y.dtype

    def _find_call(self) -> None:
        """The first dtype, frame and call in which it runs; the first reason where none does."""
        reasons: dict[Call, str] = {}
        for dtype in (torch.float64, torch.float32):
            self.dtype = dtype
            _convert(self.module, dtype)
            for frame in FRAMES:
                for call in calls_of(self.module.forward):
                    reason = self._trouble(call, frame)
                    if reason is None:
                        self.call = call
                        self.facts = replace(self.facts, step=frame.step, square=frame.square,
                                             single=dtype == torch.float32)
                        return
                    reasons.setdefault(call, reason)
        if self._usual in reasons:
            raise ModuleError(f"{RAISES}{reasons[self._usual]}")
        told = [f"{call.layout}: {reason}" for call, reason in reasons.items()]
        raise ModuleError("it does not run on a 8 x 9 image, nor on others; " + "; ".join(told))

    def _trouble(self, call: Call, frame: Facts) -> str | None:
        x = np.random.default_rng(0).standard_normal((2, *frame.frame(*FRAME),
                                                      self.sizes.channels_in))
        try:
            y, _ = self._run(x, call)
        # Whatever a foreign module raises is a reason.
        except Exception as error:
            return str(error) if isinstance(error, ModuleError) else own_words(error, self.module)
        fits = y.shape[0] == 2 and y.shape[-1] == self.sizes.channels_out
        return None if fits else f"output {y.shape}"

    def _find_tensors(self) -> None:
        self.tensors = dict(self.module.named_parameters())
        buffers = {name: tensor for name, tensor in _other_tensors(self.module)
                   if tensor.is_floating_point() and tensor.numel()}
        self.tensors |= buffers
        self.facts = replace(self.facts, buffers=tuple(buffers))

    def _find_facts(self) -> None:
        """Which tensors it holds, how exactly it computes, and whether it draws numbers."""
        self._find_tensors()
        own = self.get()
        rng = np.random.default_rng(0)
        self.set({name: 0.5 * rng.standard_normal(value.shape) for name, value in own.items()
                  if name not in self.facts.buffers})
        x = rng.standard_normal((1, *self.facts.frame(*FRAME), self.sizes.channels_in))
        nudged = [self._run(x * (1 + times * NUDGE), self.call) for times in (0, 1, 2)]
        (y, dtype), (once, _), (twice, _) = nudged
        steps = float(np.abs(twice - 2 * once + y).max()) > STEP_OF_SINGLE * float(np.abs(y).max())
        single = self.facts.single or dtype == torch.float32 or steps
        random = not np.array_equal(y, self._run(x, self.call, seed=1)[0], equal_nan=True)
        self.set(own)
        self.facts = replace(self.facts, single=single, random=random)


def _in_manner(module: torch.nn.Module, given: tuple[Any, ...],
               manner: str) -> tuple[torch.nn.Module, tuple[Any, ...]]:
    """The module and its arguments as a manner of MANNERS asks."""
    if manner == "float32":
        module = deepcopy(module)
        _convert(module, torch.float32)
    change: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "plain": lambda tensor: tensor, "float32": lambda tensor: tensor.float(),
        "strided": lambda tensor: tensor.repeat_interleave(2, dim=-1)[..., ::2]}
    return module, tuple(change[manner](each) if isinstance(each, torch.Tensor) else each
                         for each in given)


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


def _strip_parametrizations(module: torch.nn.Module) -> None:
    """Make weights that are computed from other parameters, as a weight norm does, plain ones."""
    for part in module.modules():
        if parametrize.is_parametrized(part):
            for name in list(part.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(part, name)
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                torch.nn.utils.remove_weight_norm(part, hook.name)


def _other_tensors(module: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Buffers, and tensors that are plain attributes, by name."""
    plain = [(f"{name}.{attribute}".removeprefix("."), value)
             for name, part in module.named_modules() for attribute, value in vars(part).items()
             if isinstance(value, torch.Tensor)]
    return list(module.named_buffers()) + plain


def _give_back(module: torch.nn.Module, held: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, value in _other_tensors(module):
            if name in held and held[name].shape == value.shape:
                value.copy_(held[name])


def _convert(module: torch.nn.Module, dtype: torch.dtype) -> None:
    """Give all its numbers a type, those of tensors that are plain attributes too."""
    module.to(dtype)
    for part in module.modules():
        for attribute, value in list(vars(part).items()):
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                setattr(part, attribute, value.to(dtype))


class TorchBuilder:
    """Builds a module class at given sizes.

    make       the class, or a function that returns a module
    arguments  what the user said of its arguments, by name, with placeholders
    """

    def __init__(self, make: Callable[..., Any],
                 arguments: Mapping[str, str] | None = None) -> None:
        self.make, self.arguments = make, dict(arguments or {})
        self._ran: Call | None = None

    def build(self, sizes: Sizes, said: Mapping[str, int] | None = None) -> TorchInstance:
        """Raises ModuleError with the first reason, when no way to build it works.

        said  other values of SAYABLE arguments than are usual; then the layout is the usual one
        """
        first: str | None = None
        usual = self.build(sizes) if said else None
        signature = inspect.signature(self.make)
        given = self.arguments | said_arguments(signature, said or {})
        for arguments in argument_sets(signature, given, sizes):
            torch.manual_seed(0)
            try:
                module = self.make(**arguments)
                if not isinstance(module, torch.nn.Module):
                    raise ModuleError(f"it makes no torch module but {type(module).__name__}")
                built = TorchInstance(module, sizes,
                                      heads_are_said(arguments, self.arguments, sizes), usual,
                                      self._ran)
                self._ran = built.call
                return built
            # Whatever a foreign constructor raises is a reason.
            except Exception as error:
                spelled = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
                kind = "" if isinstance(error, ModuleError) else f"{type(error).__name__}: "
                first = first or f"built with {spelled}: {kind}{error}"
        raise ModuleError(question_of(signature, self.arguments) or first or "it cannot be built")
