"""Torch modules with normalizations, and networks of them, built and run. Imported only where such
a module is judged.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from inspect import Parameter, Signature, signature
from typing import Any

import numpy as np
import torch

from ..diagnosis.construct import argument_sets, filled, role_of, value_of
from ..diagnosis.instance import Facts, ModuleError, Sizes
from ..diagnosis.network_trace import Call, Module
from ..estimate import Array
from .torch_module import TorchBuilder

# What a network is built with where its constructor asks, and nobody said it.
USUAL = Sizes(3, 64, 8, 7)
VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class OpenInstance:
    """One build of a module that maps images to images, in float64 and evaluation mode.

    The statistics of its normalizations count as parameters: they too are set at will.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module.double().eval()
        buffers = {name: b for name, b in module.named_buffers() if b.is_floating_point()}
        self.entries = {**dict(module.named_parameters()), **buffers}
        self.layout: str | None = None
        self.facts = Facts()

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the entries by name, in their order."""
        return {name: tuple(entry.shape) for name, entry in self.entries.items()}

    def get(self) -> dict[str, Array]:
        """Copies of the entries."""
        return {name: entry.detach().numpy().copy() for name, entry in self.entries.items()}

    def set(self, entries: Mapping[str, Array]) -> None:
        """Overwrite some entries."""
        with torch.no_grad():
            for name, value in entries.items():
                self.entries[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))

    def run(self, x: Array) -> Array:
        """(batch, rows, cols, channels) of x (batch, height, width, channels)."""
        reasons = []
        for layout in ("channels first", "channels last") if self.layout is None else (
                self.layout,):
            first = layout == "channels first"
            tensor = torch.from_numpy(np.array(x.transpose(0, 3, 1, 2) if first else x, order="C"))
            try:
                with torch.no_grad():
                    y = self.module(tensor)
            # Whatever a foreign module raises is a reason.
            except Exception as error:
                reasons.append(f"{layout}: {type(error).__name__}: {error}")
                continue
            y = y[0] if isinstance(y, tuple | list) else y
            if not isinstance(y, torch.Tensor) or y.ndim != 4:
                reasons.append(f"{layout}: its output is no image")
                continue
            self.layout = layout
            result = y.detach().double().numpy()
            return (result.transpose(0, 2, 3, 1) if first else result).copy()
        raise ModuleError("; ".join(reasons))


class OpenBuilder:
    """Builds a module class that may hold normalizations at given sizes."""

    def __init__(self, make: Callable[..., Any],
                 arguments: Mapping[str, str] | None = None) -> None:
        self.make, self.arguments = make, dict(arguments or {})

    def build(self, sizes: Sizes) -> OpenInstance:
        """Raises ModuleError with the first reason, when no way to build it works."""
        first: str | None = None
        for arguments in argument_sets(signature(self.make), self.arguments, sizes):
            torch.manual_seed(0)
            try:
                return OpenInstance(self.make(**arguments))
            # Whatever a foreign constructor raises is a reason.
            except Exception as error:
                first = first or f"{type(error).__name__}: {error}"
        raise ModuleError(first or "its constructor has too many arguments of unknown names")


class TorchNetwork:
    """A network that was built, with all that it is made of, and the last image's way through it.

    Its normalizations and its biases are random, so that none of them is nothing.
    """

    def __init__(self, make: Callable[..., Any], arguments: Mapping[str, str]) -> None:
        classes = {type(module) for module in _network(make, arguments).modules()}
        with recorded(classes) as calls:
            self.module = _network(make, arguments)
        self.arguments = {path: calls.get(id(module), (module, {}))[1]
                          for path, module in self.module.named_modules()}
        self.module.double().eval()
        randomize(self.module)
        self._image: Array | None = None
        self._calls: list[Call] = []
        self._seen: list[tuple[Array, Array]] = []

    def modules(self) -> list[Module]:
        """All modules in the order of their paths, the network itself first."""
        return [_described(path, module, self.arguments[path])
                for path, module in self.module.named_modules()]

    def calls(self, x: Array) -> list[Call]:
        """Every call of a module on the way of images (batch, channels, height, width)."""
        if self._image is None or not np.array_equal(self._image, x):
            self._trace(x)
        return self._calls

    def array(self, x: Array, call: int, side: int) -> Array:
        """What a call was given (side 0) or gave (side 1)."""
        self.calls(x)
        return self._seen[call][side]

    def builder(self, path: str, *, opened: bool) -> TorchBuilder | OpenBuilder:
        """Builds the class of one of its modules at other sizes, its other arguments kept."""
        make = again(type(self.module.get_submodule(path)), self.arguments[path])
        return OpenBuilder(make) if opened else TorchBuilder(make)

    def _trace(self, x: Array) -> None:
        self._image, self._calls, self._seen = x.copy(), [], []
        started: list[tuple[str, Array]] = []
        hooks = []
        for path, module in self.module.named_modules():
            hooks.append(module.register_forward_pre_hook(
                lambda _, given, path=path: started.append((path, _array(given)))))
            hooks.append(module.register_forward_hook(
                lambda _, given, gave, path=path: self._ended(path, started, gave)))
        try:
            with torch.no_grad():
                self.module(torch.from_numpy(x))
        # Whatever a foreign network raises ends the way here.
        except Exception as error:
            self._calls.append(Call("", (), (), f"{type(error).__name__}: {error}"))
            self._seen.append((np.zeros(0), np.zeros(0)))
        finally:
            for hook in hooks:
                hook.remove()

    def _ended(self, path: str, started: list[tuple[str, Array]], gave: Any) -> None:
        given = started.pop()[1]
        result = _array(gave)
        self._calls.append(Call(path, given.shape, result.shape))
        self._seen.append((given, result))


def _network(make: Callable[..., Any], arguments: Mapping[str, str]) -> torch.nn.Module:
    torch.manual_seed(0)
    given: dict[str, Any] = {name: filled(text, USUAL) for name, text in arguments.items()}
    for name, parameter in signature(make).parameters.items():
        role = role_of(name)
        if name not in given and parameter.default is parameter.empty and role is not None:
            given[name] = value_of(role, USUAL)
    try:
        module = make(**given)
    # Whatever a foreign constructor raises is a reason.
    except Exception as error:
        raise ModuleError(f"{type(error).__name__}: {error}") from error
    if not isinstance(module, torch.nn.Module):
        raise ModuleError(f"it makes no torch module but {type(module).__name__}")
    return module


@contextmanager
def recorded(classes: set[type]) -> Iterator[dict[int, tuple[Any, dict[str, Any]]]]:
    """Every instance of these classes that is made meanwhile, with its arguments, by its id.

    The instances are kept, so that none that is dropped leaves its id to another.
    """
    calls: dict[int, tuple[Any, dict[str, Any]]] = {}
    own = {cls: cls.__dict__.get("__init__") for cls in classes}
    for cls in classes:
        setattr(cls, "__init__", _recording(getattr(cls, "__init__"), calls))  # noqa: B009, B010
    try:
        yield calls
    finally:
        for cls, init in own.items():
            if init is None:
                del cls.__init__  # type: ignore[misc]
            else:
                setattr(cls, "__init__", init)  # noqa: B010


def _recording(init: Callable[..., None],
               calls: dict[int, tuple[Any, dict[str, Any]]]) -> Callable[..., None]:
    def recording(self: Any, *args: Any, **kwargs: Any) -> None:
        bound: dict[str, Any] = {}
        with suppress(TypeError):
            found = signature(init).bind(self, *args, **kwargs)
            found.apply_defaults()
            bound = {name: value for name, value in list(found.arguments.items())[1:]
                     if found.signature.parameters[name].kind not in VARIABLE}
        calls.setdefault(id(self), (self, bound))
        init(self, *args, **kwargs)
    return recording


def again(cls: type, arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """The class as a function of its sizes alone; all else is as it was in the network."""
    sized = {name: parameter for name, parameter in signature(cls).parameters.items()
             if role_of(name) not in (None, "one")}
    kept = {name: value for name, value in arguments.items() if name not in sized}

    def make(**sizes: Any) -> Any:
        return cls(**kept, **sizes)
    make.__signature__ = Signature(  # type: ignore[attr-defined]
        [each.replace(kind=each.KEYWORD_ONLY) for each in sized.values()])
    return make


def randomize(module: torch.nn.Module) -> None:
    """Random statistics and biases, and random weights where all were alike."""
    make = np.random.default_rng(0)
    with torch.no_grad():
        for name, entry in (*module.named_parameters(), *module.named_buffers()):
            if not entry.is_floating_point():
                continue
            drawn = torch.from_numpy(make.standard_normal(tuple(entry.shape)))
            if name.endswith("running_var"):
                entry.copy_(drawn.square() + 0.5)
            elif entry.ndim <= 1:
                entry.copy_(drawn)
            elif bool((entry == entry.flatten()[0]).all()):
                entry.copy_(drawn / entry[0].numel() ** 0.5)


def _described(path: str, module: torch.nn.Module, arguments: Mapping[str, Any]) -> Module:
    kind, options = "other", {}
    if type(module) is torch.nn.Conv2d and module.padding_mode == "zeros":
        kind = "convolution"
        options = {name: getattr(module, name) for name in
                   ("kernel_size", "stride", "padding", "dilation", "groups")}
    elif type(module) is torch.nn.BatchNorm2d:
        kind = "norm"
        options = {"eps": module.eps, "stored": module.track_running_stats,
                   "affine": module.affine}
    elif type(module) is torch.nn.Linear:
        kind = "linear"
    elif type(module).__module__.startswith("torch.nn"):
        kind = "plain" if not any(True for _ in module.parameters()) else "other"
    plain = {name: value for name, value in {**arguments, **options}.items()
             if isinstance(value, int | float | str | bool | tuple) or value is None}
    own = {name: tuple(p.shape) for name, p in module.named_parameters()}
    return Module(path, type(module).__name__, kind,
                  not type(module).__module__.startswith("torch."), own,
                  json.loads(json.dumps(plain, default=repr)))


def _array(given: Any) -> Array:
    while isinstance(given, tuple | list) and given:
        given = given[0]
    return given.detach().double().numpy().copy() if isinstance(given, torch.Tensor) \
        else np.zeros(0)
