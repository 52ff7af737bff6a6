"""Attention layers at the shapes of ResNet-50, their cores, and the convolution of the same width.

Ours takes and returns channels-last arrays; as a drop-in it is given channels-first ones, and the
conversion there and back is counted. Our core is given what a layer's projections would give it;
called alone, it arranges its arguments first. torch is given the layout it likes.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sasakit.accel import resolve_backend
from sasakit.accel.numba_cpu import (
    AttentionLayer,
    arranged_attention,
    channels_first,
    channels_last,
)
from sasakit.reference import AttentionOptions, random_layer_weights

from .bench_rounds import Contest, Missing, Run, Work
from .bench_targets import CALLED_CORE, CONVOLUTION, CORE, DROP_IN, LAYER

if TYPE_CHECKING:
    from .bench_torch import LayerPeers

Floats = npt.NDArray[np.float32]
# Seconds of the turns of one case, with --quick.
QUICK_TURNS = 2.0
LEFT_OUT = "left out by --quick"
# How peers compute attention; the last one is compiled. With --quick, the slower ones do not come.
FORMS = ("unfold, einsum", "unfold, matmul", "shifts", "tiles", "compiled")
QUICK_FORMS = ("unfold, einsum", "compiled")


class Shape(NamedTuple):
    """One layer: rows and columns of its image, channels in and out."""

    size: int
    channels: int


SHAPES = (Shape(56, 64), Shape(28, 128), Shape(14, 256), Shape(7, 512))
TABLE = (*((shape, 1) for shape in SHAPES), (SHAPES[0], 8))
OPTIONS = AttentionOptions(extent=7, heads=8)
# The curves: one shape at every extent, and one width at every size.
EXTENTS, EXTENT_SHAPE = (3, 5, 7, 9, 11, 13), SHAPES[1]
SIZES, SIZE_CHANNELS = (7, 14, 28, 56, 112), 64


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


def layer_contests(batch: int | None, threads: int, quick: bool, curves: bool
                   ) -> Iterator[Contest]:
    """A contest for each case of the table, or for each shape at one batch; then the curves."""
    for shape, images in TABLE if batch is None else [(shape, batch) for shape in SHAPES]:
        # A large batch stands beside the convolution alone when time is short.
        forms = FORMS if not quick else QUICK_FORMS if images == 1 else ()
        contest = layer_contest(shape, images, threads, forms, OPTIONS)
        if quick:
            contest.limit = QUICK_TURNS
        contest.missing += [Missing(f"torch {part}, {form}", LEFT_OUT) for form in FORMS
                            if form not in forms for part in ("layer", "core")]
        yield contest
    if curves:
        yield from _curve_contests(threads)


def _curve_contests(threads: int) -> Iterator[Contest]:
    """What the table lacks of one shape at every extent, and of one width at every size."""
    points = [(EXTENT_SHAPE, replace(OPTIONS, extent=extent)) for extent in EXTENTS
              if extent != OPTIONS.extent]
    points += [(Shape(size, SIZE_CHANNELS), OPTIONS) for size in SIZES
               if Shape(size, SIZE_CHANNELS) not in SHAPES]
    for shape, options in points:
        contest = layer_contest(shape, 1, threads, QUICK_FORMS, options)
        contest.curve = True
        yield contest


def case_name(shape: Shape, batch: int, options: AttentionOptions) -> str:
    """What a case is called; its extent is named where it is not the usual one."""
    size, channels = shape
    wide = "" if options.extent == OPTIONS.extent else f", extent {options.extent}"
    return f"{size}x{size}, {channels} channels, batch {batch}{wide}"


def layer_contest(shape: Shape, batch: int, threads: int, forms: Sequence[str],
                  options: AttentionOptions) -> Contest:
    """One layer: ours, the convolutions, and the peers of some FORMS."""
    contest = Contest(case_name(shape, batch, options), batch, threads,
                      {**shape._asdict(), "extent": options.extent})
    inputs, works = draw(shape, batch, options), count_works(shape, batch, options)
    _enter_ours(contest, inputs, works, options)

    @functools.cache
    def peers() -> "LayerPeers":
        # Imported when somebody is built, so that each of them is missing where torch is.
        from .bench_torch import LayerPeers
        return LayerPeers(inputs.x, inputs.core, inputs.weights, options.heads)

    for name, packed in zip(CONVOLUTION, (False, True), strict=True):
        contest.invite(name, LAYER, works.convolution, functools.partial(
            _convolution, peers, packed))
    for form in forms:
        contest.invite(f"torch layer, {form}", DROP_IN, works.layer,
                       functools.partial(_build, peers, "layer", form))
        contest.invite(f"torch core, {form}", CORE, works.core,
                       functools.partial(_build, peers, "core", form))
    return contest


def our_layer(inputs: Inputs, options: AttentionOptions) -> Run:
    """Our layer on channels-last arrays, its weights packed now."""
    layer = AttentionLayer(inputs.weights, options=options)
    return lambda: layer(inputs.x)


def _enter_ours(contest: Contest, inputs: Inputs, works: Works, options: AttentionOptions) -> None:
    backend = resolve_backend("numba")
    layer = AttentionLayer(inputs.weights, options=options)
    first = np.ascontiguousarray(inputs.x.transpose(0, 3, 1, 2))

    contest.enter(LAYER, LAYER, works.layer, our_layer(inputs, options))
    contest.enter(DROP_IN, LAYER, works.layer,
                  lambda: channels_first(layer(channels_last(first))))
    contest.enter(CORE, CORE, works.core, arranged_attention(**inputs.core, options=options))
    contest.enter(CALLED_CORE, CORE, works.core, lambda: backend.local_attention(
        *inputs.core.values(), options=options))


def _convolution(peers: Callable[[], "LayerPeers"], packed: bool) -> Run:
    return peers().convolution(packed=packed)


def _build(peers: Callable[[], "LayerPeers"], part: str, form: str) -> Run:
    make = peers().layer if part == "layer" else peers().core
    return make("views", compile=True) if form == FORMS[-1] else make(form)
