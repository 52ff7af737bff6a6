"""Whole networks: ours with attention, against torch's convolutional one in everything it runs in.

Peers are convolutional whatever the stem of ours: that is what attention would replace.
"""

import functools
import importlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sasakit.accel import resolve_backend
from sasakit.reference import NetworkSpec, count_cost, random_weights

from .bench_engines import ENGINES
from .bench_layer import LEFT_OUT
from .bench_rounds import Contest, Missing, Run, Work

if TYPE_CHECKING:
    from torch import Tensor, nn

SIZE = 224
SPEC = NetworkSpec(depth=50)
OURS = "sasakit"


def count_work(spec: NetworkSpec, batch: int, size: int) -> Work:
    """FLOPs as chapter 9 of SPEC.md counts them; parameters, images and logits moved once."""
    cost = count_cost(spec, size, size)
    numbers = batch * (size ** 2 * spec.image_channels + spec.classes)
    return Work(batch * cost.flops, 4 * (cost.parameters + numbers))


def network_contests(stem: str, batch: int, threads: int, quick: bool) -> Iterator[Contest]:
    """One contest: ours, and every peer that can be had."""
    spec = replace(SPEC, stem=stem)
    contest = Contest(f"ResNet-{spec.depth}, stem {stem}, {SIZE}x{SIZE}")
    contest.enter(OURS, OURS, count_work(spec, batch, SIZE), _ours(spec, batch))
    # Engines may read the exported network while they run.
    with tempfile.TemporaryDirectory() as folder:
        _invite_peers(contest, Peers(replace(spec, stem="conv", stages=()), batch, threads,
                                     Path(folder) / "network.onnx"), quick)
        yield contest


def _ours(spec: NetworkSpec, batch: int) -> Run:
    model = resolve_backend("numba").load(spec, random_weights(spec, 0, dtype=np.float32))
    shape = (batch, SIZE, SIZE, spec.image_channels)
    images = np.random.default_rng(0).random(shape, np.float32)
    return lambda: model(images)


class Peers:
    """The convolutional network in torch, and what else runs it; each is made when it is asked.

    path  where the exported network is written
    """

    def __init__(self, spec: NetworkSpec, batch: int, threads: int, path: Path) -> None:
        self.spec, self.batch, self.threads, self.path = spec, batch, threads, path

    @functools.cached_property
    def net(self) -> "nn.Module":
        """The network, with random weights."""
        from .bench_resnet import resnet
        return resnet(self.spec)

    @functools.cached_property
    def images(self) -> "Tensor":
        """(batch, channels, size, size), channels last in memory."""
        from .bench_resnet import draw_images
        return draw_images(self.spec, self.batch, SIZE)

    @functools.cached_property
    def exported(self) -> Path:
        """The network as an ONNX file."""
        importlib.import_module("onnx")
        from .bench_resnet import write_onnx
        write_onnx(self.net, self.images, self.path)
        return self.path

    def eager(self) -> Run:
        """Module by module."""
        from .bench_torch import inferring
        return inferring(self.net, self.images)

    def traced(self, *, optimize: bool) -> Run:
        """As a frozen graph."""
        from .bench_resnet import traced
        from .bench_torch import inferring
        return inferring(traced(self.net, self.images, optimize=optimize), self.images)

    def compiled(self) -> Run:
        """With torch.compile, its weights constants of the code."""
        from .bench_torch import compiled, inferring
        return inferring(compiled(self.net, options={"freezing": True}), self.images)

    def engine(self, package: str) -> Run:
        """In an engine that reads ONNX."""
        # Before the export, so that of all that is missing the engine itself is named.
        importlib.import_module(package)
        return ENGINES[package](self.exported, self.images.contiguous().numpy(), self.threads)


def _invite_peers(contest: Contest, peers: Peers, quick: bool) -> None:
    invite = functools.partial(contest.invite, against=OURS,
                               work=count_work(peers.spec, peers.batch, SIZE))
    invite("torch, eager", build=peers.eager)
    invite("torch, traced and frozen", build=lambda: peers.traced(optimize=False))
    invite("torch, traced, frozen, optimized", build=lambda: peers.traced(optimize=True))
    if quick:
        contest.missing.append(Missing("torch, compiled", LEFT_OUT))
    else:
        invite("torch, compiled", build=peers.compiled)
    for package in ENGINES:
        invite(package, build=functools.partial(peers.engine, package))
