"""Attention layers at the shapes of ResNet-50, their cores, and the convolution of the same width.

Ours takes and returns channels-last arrays; as a drop-in it is given channels-first ones, and the
conversion there and back is counted. torch is given the layout it likes.
"""

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sasakit.accel import resolve_backend
from sasakit.accel.numba_cpu.arrays import flat
from sasakit.accel.numba_cpu.attention import pack_layer, run_layer
from sasakit.reference import AttentionOptions, random_layer_weights

from .bench_rounds import Contest, Missing, Run, Work

if TYPE_CHECKING:
    from .bench_torch import LayerPeers

Floats = npt.NDArray[np.float32]
CORE, LAYER = "sasakit core", "sasakit layer"
COMPILED = ("torch layer, compiled", "torch core, compiled")
LEFT_OUT = "left out by --quick: compiling takes long"


class Shape(NamedTuple):
    """One layer: rows and columns of its image, channels in and out."""

    size: int
    channels: int


SHAPES = (Shape(56, 64), Shape(28, 128), Shape(14, 256), Shape(7, 512))
OPTIONS = AttentionOptions(extent=7, heads=8)


class Inputs(NamedTuple):
    """Arrays of one layer, by name, all float32.

    x        (batch, size, size, channels)
    core     query, key, value (batch, size, size, heads, depth), rel_row, rel_col
    weights  of `attention_layer`
    """

    x: Floats
    core: dict[str, Floats]
    weights: dict[str, npt.NDArray[Any]]


def draw(shape: Shape, batch: int, options: AttentionOptions) -> Inputs:
    """Random arrays, the same every time."""
    rng = np.random.default_rng(0)
    size, channels = shape
    weights = random_layer_weights(channels, channels, 0, options=options, dtype=np.float32)
    split = (batch, size, size, options.heads, channels // options.heads)
    core = {name: rng.standard_normal(split).astype(np.float32)
            for name in ("query", "key", "value")}
    core |= {name: weights[name] for name in ("rel_row", "rel_col")}
    x = rng.standard_normal((batch, size, size, channels)).astype(np.float32)
    return Inputs(x, core, weights)


class Works(NamedTuple):
    """Least work of each kind of contestant: multiply-adds as 2 FLOPs, every array moved once."""

    core: Work
    layer: Work
    convolution: Work


def count_works(shape: Shape, batch: int, options: AttentionOptions) -> Works:
    """Count q . k, the weighted sum, q . r by way of its two tables, and the projections."""
    pixels, channels = batch * shape.size ** 2, shape.channels
    extent, image = options.extent, 4 * pixels * channels
    core = 2 * pixels * channels * (2 * extent ** 2 + extent)
    matrix = channels ** 2
    tables = 4 * extent * channels // options.heads
    return Works(Work(core, 4 * image + tables),
                 Work(core + 2 * pixels * 3 * matrix, 2 * image + 4 * 3 * matrix + tables),
                 Work(2 * pixels * 9 * matrix, 2 * image + 4 * 9 * matrix))


def layer_contests(batch: int, quick: bool) -> Iterator[Contest]:
    """One contest for each shape."""
    for shape in SHAPES:
        yield layer_contest(shape, batch, quick, OPTIONS)


def layer_contest(shape: Shape, batch: int, quick: bool, options: AttentionOptions) -> Contest:
    """One layer: ours, and every peer that can be had."""
    contest = Contest(f"{shape.size}x{shape.size}, {shape.channels} channels")
    inputs, works = draw(shape, batch, options), count_works(shape, batch, options)
    _enter_ours(contest, inputs, works, options)
    _invite_torch(contest, inputs, works, options, quick)
    return contest


def _enter_ours(contest: Contest, inputs: Inputs, works: Works, options: AttentionOptions) -> None:
    backend = resolve_backend("numba")
    packed = pack_layer(inputs.weights, options)
    first = np.ascontiguousarray(inputs.x.transpose(0, 3, 1, 2))

    def drop_in() -> Floats:
        x = np.ascontiguousarray(first.transpose(0, 2, 3, 1))
        y = run_layer(flat(x), x.shape, packed, options)
        return np.ascontiguousarray(y.transpose(0, 3, 1, 2))

    contest.enter(LAYER, LAYER, works.layer, lambda: run_layer(
        flat(inputs.x), inputs.x.shape, packed, options))
    contest.enter("sasakit layer, channels first", LAYER, works.layer, drop_in)
    contest.enter(CORE, CORE, works.core, lambda: backend.local_attention(
        *inputs.core.values(), options=options))


def _invite_torch(contest: Contest, inputs: Inputs, works: Works, options: AttentionOptions,
                  quick: bool) -> None:
    @functools.cache
    def peers() -> "LayerPeers":
        # Imported when somebody is built, so that each of them is missing where torch is.
        from .bench_torch import LayerPeers
        return LayerPeers(inputs.x, inputs.core, inputs.weights, options.heads)

    contest.invite("torch conv3x3", LAYER, works.convolution, lambda: peers().convolution())
    for form in ("unfold, einsum", "unfold, matmul", "shifts"):
        contest.invite(f"torch layer, {form}", LAYER, works.layer,
                       functools.partial(_build, peers, "layer", form))
        contest.invite(f"torch core, {form}", CORE, works.core,
                       functools.partial(_build, peers, "core", form))
    if quick:
        contest.missing += [Missing(name, LEFT_OUT) for name in COMPILED]
        return
    contest.invite(COMPILED[0], LAYER, works.layer, lambda: peers().layer("views", compile=True))
    contest.invite(COMPILED[1], CORE, works.core, lambda: peers().core("views", compile=True))


def _build(peers: Callable[[], "LayerPeers"], part: str, form: str) -> Run:
    return peers().layer(form) if part == "layer" else peers().core(form)
