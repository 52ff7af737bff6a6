"""Whole networks: ours with attention, against the convolutional one in everything it runs in.

Peers are convolutional whatever the stem of ours: that is what attention would replace. Beside
them, the engines run our own network too, exported, attention written as they do it fastest.
"""

import functools
import importlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sasakit.accel import resolve_backend
from sasakit.reference import NetworkSpec, count_cost, random_weights

from .bench_engines import ENGINES, import_engine
from .bench_layer import LEFT_OUT
from .bench_machine import thread_count
from .bench_rounds import Contest, Missing, Run, Work, faster
from .bench_targets import ALL_ATTENTION, COMPILED, CONVOLUTIONAL, EAGER, NETWORK

if TYPE_CHECKING:
    from torch import Tensor

    from .bench_resnet import ResNet

SIZE = 224
SPEC = NetworkSpec(depth=50)
BATCHES = (1, 8)
# With --quick: seconds that all of it may take, and for each case those of its turns, at most, and
# those that are kept for what comes after them.
QUICK_SECONDS = 34.0
QUICK_TURNS = ((6.5, 13.0), (4.0, 6.0), (2.5, 2.0))
# Of peers, those that take part in what follows the first case, with --quick.
FASTEST = 2
LAYOUTS = ("channels last", "channels first")


def count_work(spec: NetworkSpec, batch: int, size: int) -> Work:
    """FLOPs as chapter 9 of SPEC.md counts them; parameters, images and logits moved once."""
    cost = count_cost(spec, size, size)
    numbers = batch * (size ** 2 * spec.image_channels + spec.classes)
    return Work(batch * cost.flops, 4 * (cost.parameters + numbers))


def network_contests(batch: int | None, threads: int, quick: bool) -> Iterator[Contest]:
    """A contest for each batch, and one for a single image on a single thread."""
    began = time.perf_counter()
    counts = [(images, threads) for images in (BATCHES if batch is None else (batch,))]
    if counts[0][0] == 1 and threads > 1:
        counts.append((1, 1))
    # Engines may read an exported network while they run.
    with tempfile.TemporaryDirectory() as folder:
        chosen: tuple[str, ...] | None = None
        for (images, used), (most, after) in zip(counts, QUICK_TURNS[:len(counts)],
                                                      strict=True):
            peers = Peers(SPEC, images, used, Path(folder), quick)
            with thread_count(used):
                contest = _contest(peers, quick, chosen)
                if quick:
                    left = QUICK_SECONDS - (time.perf_counter() - began)
                    contest.limit = min(most, max(left - after, 0.0))
                yield contest
            if quick and chosen is None and contest.times is not None:
                ranked = [name for name in contest.times.seconds if name in CONVOLUTIONAL]
                ranked.sort(key=contest.times.seconds.__getitem__)
                chosen = tuple(ranked[:FASTEST])


def case_name(batch: int, threads: int) -> str:
    """What a case is called."""
    return f"{SIZE}x{SIZE}, batch {batch}{', one thread' if threads == 1 else ''}"


def _contest(peers: "Peers", quick: bool, chosen: tuple[str, ...] | None) -> Contest:
    """Ours and every peer that can be had; chosen: names of those who come, None for all."""
    contest = Contest(case_name(peers.batch, peers.threads), peers.batch, peers.threads,
                      {"size": SIZE, "depth": SPEC.depth})
    stems = ((NETWORK, "conv"), (ALL_ATTENTION, "mixture"))
    for name, stem in stems if chosen is None else stems[:1]:
        spec = replace(SPEC, stem=stem)
        contest.enter(name, NETWORK, count_work(spec, peers.batch, SIZE),
                      our_network(spec, peers.batch))
    convolutional = count_work(peers.convolutional, peers.batch, SIZE)
    for name, build in peers.builds().items():
        if quick and name in COMPILED[:2]:
            contest.missing.append(Missing(name, LEFT_OUT))
        elif chosen is not None and name not in chosen:
            contest.missing.append(Missing(name, f"{LEFT_OUT}, which keeps the {FASTEST} fastest"))
        else:
            work = convolutional if name in CONVOLUTIONAL else contest.contestants[0].work
            contest.invite(name, NETWORK, work, build)
    return contest


@functools.cache
def draw_weights(spec: NetworkSpec) -> dict[str, Any]:
    """Random weights in float32, the same every time."""
    return random_weights(spec, 0, dtype=np.float32)


def our_network(spec: NetworkSpec, batch: int) -> Run:
    """Our network with random weights, packed now, on random images."""
    model = resolve_backend("numba").load(spec, draw_weights(spec))
    shape = (batch, SIZE, SIZE, spec.image_channels)
    images = np.random.default_rng(0).random(shape, np.float32)
    return lambda: model(images)


class Peers:
    """The convolutional network in torch, and what else runs it; each is made when it is asked.

    folder  where exported networks are written
    quick   compile for that layout in memory alone which came first without compiling
    """

    def __init__(self, spec: NetworkSpec, batch: int, threads: int, folder: Path,
                 quick: bool) -> None:
        self.spec, self.batch, self.threads, self.folder = spec, batch, threads, folder
        self.quick = quick
        self.layouts: tuple[str, ...] = LAYOUTS

    @property
    def convolutional(self) -> NetworkSpec:
        """The network without attention."""
        return replace(self.spec, stages=())

    def builds(self) -> dict[str, Callable[[], Run | tuple[Run, str]]]:
        """How to make each of them, by name."""
        ways: tuple[Callable[..., Run], ...] = (
            self._eager, self._compiled, functools.partial(self._traced, optimize=False),
            functools.partial(self._traced, optimize=True))
        return {**{name: functools.partial(self._in_layouts, way)
                   for name, way in zip((*EAGER, *COMPILED), ways, strict=True)},
                **{name: functools.partial(self._engine, name, False) for name in ENGINES},
                **{f"{name}, attention": functools.partial(self._engine, name, True)
                   for name in ENGINES}}

    @functools.cached_property
    def images(self) -> "Tensor":
        """(batch, channels, size, size)."""
        import torch
        return torch.rand(self.batch, self.spec.image_channels, SIZE, SIZE)

    def _in_layouts(self, way: Callable[..., Run]) -> tuple[Run, str]:
        """The faster of channels last and channels first in memory."""
        import torch

        from .bench_resnet import ResNet

        def build(layout: str) -> Run:
            memory = torch.channels_last if layout == LAYOUTS[0] else torch.contiguous_format
            net: Any = ResNet(self.convolutional)  # its types know no memory format
            return way(net.to(memory_format=memory), self.images.to(memory_format=memory))

        best = faster({layout: functools.partial(build, layout) for layout in self.layouts})
        if self.quick:
            self.layouts = (best.name,)
        return best.run, best.note

    def _eager(self, net: "ResNet", images: "Tensor") -> Run:
        """Module by module."""
        from .bench_torch import inferring
        return inferring(net, images)

    def _traced(self, net: "ResNet", images: "Tensor", *, optimize: bool) -> Run:
        """As a frozen graph."""
        from .bench_resnet import traced
        from .bench_torch import inferring
        return inferring(traced(net, images, optimize=optimize), images)

    def _compiled(self, net: "ResNet", images: "Tensor") -> Run:
        """With torch.compile, its weights constants of the code."""
        from .bench_torch import compiled, inferring
        return inferring(compiled(net, options={"freezing": True}), images)

    def _engine(self, package: str, attention: bool) -> Run:
        """In an engine that reads ONNX."""
        # Before the export, so that of all that is missing the engine itself is named.
        import_engine(package)
        return ENGINES[package](self._exported(attention), self.images.numpy(), self.threads)

    def _exported(self, attention: bool) -> Path:
        """The network as an ONNX file, written once; with attention, once for a batch."""
        name = f"attention-{self.batch}" if attention else "convolutions"
        path = self.folder / f"{name}.onnx"
        if not path.exists():
            importlib.import_module("onnx")
            from .bench_resnet import ResNet, write_onnx
            net = ResNet(self.spec if attention else self.convolutional)
            if attention:
                net.take(draw_weights(self.spec))
            write_onnx(net, self.images, path, any_batch=not attention)
        return path
