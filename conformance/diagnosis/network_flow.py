"""How an image's numbers pass from module to module: functions between them are found by value.

Hooks see modules alone. What a network does between them, a ReLU, a pool, a sum, is recognized
because what one module was given is exactly that function of what another gave.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product

import numpy as np

from ..estimate import Array
from .instance import same
from .network_pools import AVERAGES, averaged, pooled
from .network_trace import Call, Module, Network

Function = Callable[[Array], Array]


def _last(function: Callable[[Array], Array]) -> Function:
    """A function of channels-last images as one of channels-first images."""
    return lambda x: function(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def _pool(window: int, how: str, *, floor: bool = False) -> Function:
    return _last(lambda x: pooled(x, window, how, floor=floor))


def _overlapping(x: Array) -> Array:
    """Maxima of 3 x 3 pixels around every second pixel (STEM-1)."""
    wide = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
    rows, cols = (-(-size // 2) for size in x.shape[2:])
    shifted = [wide[:, :, i:i + 2 * rows:2, j:j + 2 * cols:2] for i in range(3) for j in range(3)]
    return np.asarray(np.max([each[:, :, :rows, :cols] for each in shifted], axis=0))


# What may lie between two modules, by its word; the plainest first, which stands where several
# are one, as all averages are on even sizes.
FUNCTIONS: dict[str, Function] = {
    "": lambda x: x, "relu": lambda x: np.maximum(x, 0),
    **{how: _last(partial(averaged, how=how)) for how in AVERAGES},
    "maximum": _pool(2, "maximum"), "maximum floor": _pool(2, "maximum", floor=True),
    "even": lambda x: x[:, :, ::2, ::2], "odd": lambda x: x[:, :, 1::2, 1::2],
    "mean": lambda x: x.mean(axis=(2, 3)), "global maximum": lambda x: x.max(axis=(2, 3)),
    "maximum 3": _overlapping, "maximum 4": _pool(4, "maximum"), "average 4": _pool(4, "average"),
}
POOLS = (*AVERAGES, "maximum", "maximum floor")
WORDS = ("", "relu", *POOLS)


@dataclass(frozen=True)
class Way:
    """The tokens that lead to an array: from the start, or from the sum of two ways."""

    tokens: tuple[str, ...] = ()
    joined: tuple["Way", "Way"] | None = None

    def then(self, *tokens: str) -> "Way":
        """The same with more at its end; words that say nothing are left out."""
        return Way((*self.tokens, *filter(None, tokens)), self.joined)


class Image:
    """One image's way through a network."""

    def __init__(self, network: Network, x: Array) -> None:
        self.network, self.x = network, x
        self.calls: list[Call] = network.calls(x)
        self._arrays: dict[tuple[int, int], Array] = {}

    @property
    def raised(self) -> str | None:
        """What the network raised; None where it went through."""
        return next((call.raised for call in self.calls if call.raised is not None), None)

    def given(self, call: int) -> Array:
        """What a call was given."""
        return self._array(call, 0)

    def gave(self, call: int) -> Array:
        """What a call gave."""
        return self._array(call, 1)

    def _array(self, call: int, side: int) -> Array:
        if (call, side) not in self._arrays:
            self._arrays[call, side] = self.network.array(self.x, call, side)
        return self._arrays[call, side]


class Flow:
    """The ways from a start to what some calls were given and gave, in their order."""

    def __init__(self, image: Image, start: Array, calls: Iterable[int],
                 tokens: Mapping[str, Module]) -> None:
        self.nodes: list[tuple[Array, Way | None]] = [(start, Way())]
        for call in calls:
            module = tokens[image.calls[call].path]
            way = self.explain(image.given(call))
            gave = image.gave(call)
            if way is not None and module.kind == "plain":
                between = _between(image.given(call), gave)
                way = None if between is None else way.then(*between)
            elif way is not None:
                way = way.then(token_of(module, image.calls[call]))
            self.nodes.append((gave, way))

    def explain(self, target: Array) -> Way | None:
        """The way to an array, or None where no known one leads there."""
        for array, way in reversed(self.nodes):
            between = _between(array, target)
            if between is not None:
                return None if way is None else way.then(*between)
        for (one, a), (other, b) in combinations(reversed(self.nodes), 2):
            found = None if a is None or b is None else _sum(one, other, target)
            if found is not None and a is not None and b is not None:
                first, second, after = found
                return Way(joined=(a.then(first), b.then(second))).then(after)
        return None


def _between(array: Array, target: Array) -> tuple[str, ...] | None:
    """The words of the function that makes one array of another; None for no known one."""
    if array.ndim not in (2, 4):
        return None
    if array.size == target.size and same(array.reshape(target.shape), target):
        return ()
    if array.ndim != 4 or target.size > array.size or target.shape[0] != array.shape[0]:
        return None
    for first, second in [*((word, "") for word in FUNCTIONS), *product(("relu",), POOLS)]:
        if _fits(array, target, first, second):
            made = FUNCTIONS[second](FUNCTIONS[first](array))
            if made.size == target.size and same(made.reshape(target.shape), target):
                return tuple(filter(None, (first, second)))
    return None


def _fits(array: Array, target: Array, *words: str) -> bool:
    """Whether a function may have an output of this size, before it is computed."""
    shrinks = [word for word in words if word not in ("", "relu")]
    return (array.size != target.size) == bool(shrinks) or min(array.shape[2:]) == 1


def _sum(one: Array, other: Array, target: Array) -> tuple[str, str, str] | None:
    """The words before and after a sum of two arrays that gives a third."""
    if one.ndim != 4 or other.ndim != 4 or target.ndim != 4:
        return None
    rest = {word: made for word in WORDS
            if (made := FUNCTIONS[word](other)).shape == target.shape}
    for word in WORDS if rest else ():
        made = FUNCTIONS[word](one)
        if made.shape != target.shape:
            continue
        for second, after in product(rest, ("", "relu")):
            if same(FUNCTIONS[after](made + rest[second]), target):
                return word, second, after
    return None


def token_of(module: Module, call: Call) -> str:
    """The token of a module that has parameters: its kind, and by what it divides the size."""
    ratio = -(-call.given[2] // max(call.gave[2], 1)) if len(call.gave) == len(call.given) == 4 \
        else 1
    size = f"/{ratio}" if ratio > 1 else ""
    if module.kind == "convolution":
        kernel = module.arguments["kernel_size"]
        wide = kernel if isinstance(kernel, int) else kernel[0]
        return f"conv{wide}{size}"
    return f"{'attention' if module.kind == 'other' else module.kind}{size}"


def inside(image: Image, holder: Module, paths: Iterable[str]) -> Iterator[int]:
    """The calls of these modules that lie inside another."""
    wanted = {path for path in paths if holder.holds(path)}
    return (n for n, call in enumerate(image.calls) if call.path in wanted)
