"""Cases of stems that tell deviations apart: heads and their depth differ from case to case."""

from collections.abc import Iterator, Sequence

import numpy as np

from sasakit.reference import NetworkSpec, StemOptions, random_weights
from sasakit.reference.contract.options import STEM_KINDS

from ...case import Case
from ...estimate import Array
from ...profiles import round_to

QUERIES = ("w_query", "w_key")
# What each case isolates, the arrays that are zero, whether the statistics are 0 and 1, the size of
# the image and the window.
_STAGES: tuple[tuple[str, Sequence[str], bool, tuple[int, int], int], ...] = (
    ("equal logits, whole blocks", QUERIES, True, (8, 12), 4),
    ("equal logits, cut blocks", QUERIES, True, (7, 9), 4),
    ("content", (), True, (8, 12), 4), ("content", (), True, (6, 8), 2),
    ("normalization and pool", (), False, (8, 12), 4),
    ("normalization and pool", (), False, (9, 7), 3))


def staged_stems(dtype: str) -> Iterator[tuple[str, Case]]:
    """Every kind of stem, part by part."""
    for kind in STEM_KINDS:
        for number, (stage, zero, plain, size, window) in enumerate(_STAGES):
            if kind != "conv" or not zero:
                yield f"{kind} stem: {stage}", _stem(np.random.default_rng(number), kind, dtype,
                                                     window, size, zero, plain=plain)


def drawn_stem(rng: np.random.Generator, kinds: Sequence[str], dtype: str) -> Case:
    """A random stem of one of some kinds, of any size, one pixel among them."""
    size = (int(rng.integers(1, 11)), int(rng.integers(1, 11)))
    return _stem(rng, kinds[int(rng.integers(len(kinds)))], dtype, int(rng.integers(2, 5)), size,
                 plain=bool(rng.integers(2)))


def _stem(rng: np.random.Generator, kind: str, dtype: str, window: int, size: tuple[int, int],
          zero: Sequence[str] = (), *, plain: bool) -> Case:
    heads, depth = int(rng.integers(1, 4)), int(rng.integers(2, 6))
    spec = NetworkSpec(depth=5, blocks=(1,), stages=(), stem=kind, width=heads * depth, heads=1,
                       stem_heads=heads, stem_window=window, stem_mixtures=3, image_channels=2,
                       classes=1)
    drawn = random_weights(spec, seed=int(rng.integers(2**31)))
    arrays: dict[str, Array] = {"images": rng.standard_normal((2, *size, 2))}
    for name, w in drawn.items():
        own = name.removeprefix("stem.")
        if own != name:
            arrays[own] = np.zeros_like(w) if own in zero else w if plain else _trained(rng, own, w)
    return Case("stem", {name: round_to(array, dtype) for name, array in arrays.items()},
                StemOptions(kind=kind, heads=heads, window=window), dtype)


def _trained(rng: np.random.Generator, name: str, w: Array) -> Array:
    """Statistics, scales of either sign and shifts as after training, so that each counts."""
    if name == "norm_variance":
        return rng.uniform(0.01, 2.0, w.shape)
    if name == "norm_scale":
        return rng.uniform(0.5, 1.5, w.shape) * rng.choice((-1.0, 1.0), w.shape)
    return 0.3 * rng.standard_normal(w.shape) if name in ("norm_shift", "norm_mean") else w
