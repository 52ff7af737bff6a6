"""Biases and kernels of a module's projections, stacked as its rows are."""

from collections.abc import Iterator, Mapping
from itertools import permutations

import numpy as np

from ..estimate import Array
from .subject import Subject

# Stands for the layer's output where a bias is given to a projection.
OUT = "out"


def bias_owners(subject: Subject) -> Iterator[dict[str, str]]:
    """Ways to give vectors to projections, or to "out": by owner, then those left by trial."""
    counts = dict(zip((p.name for p in subject.projections), subject.counts, strict=True))
    counts |= dict.fromkeys([*subject.parts.mixers, OUT], subject.sizes.channels_out)
    owned: dict[str, str] = {}
    for name, count in counts.items():
        owner = name.rpartition(".")[0]
        mine = [vector for vector in subject.parts.vectors
                if owner and vector.rpartition(".")[0] == owner and vector not in owned.values()
                and subject.own[vector].size == count]
        owned |= {name: mine[0]} if mine else {}
    left = [vector for vector in subject.parts.vectors if vector not in owned.values()]
    free = [name for name in counts if name not in owned]
    for chosen in permutations(free, len(left)):
        if all(subject.own[vector].size == counts[name]
               for vector, name in zip(left, chosen, strict=True)):
            yield owned | dict(zip(chosen, left, strict=True))


def stacked_biases(subject: Subject, owners: Mapping[str, str],
                   vectors: Mapping[str, Array]) -> Array:
    """(rows,): the bias of each projection's rows; zero without one."""
    stacked = [vectors[owners[p.name]].reshape(-1) if p.name in owners else np.zeros(count)
               for p, count in zip(subject.projections, subject.counts, strict=True)]
    return np.concatenate(stacked) if stacked else np.zeros(0)


def stacked_kernels(subject: Subject, rows: Array, kernels: Mapping[str, Array]) -> Array:
    """(rows, channels_in, taps, taps): every projection's rows as kernels of one size."""
    taps = tuple(max(p.taps[axis] for p in subject.projections) for axis in (0, 1))
    stacked = np.zeros((*rows.shape, *taps))
    stacked[:, :, taps[0] // 2, taps[1] // 2] = rows
    start = 0
    for projection, count in zip(subject.projections, subject.counts, strict=True):
        if projection.name in kernels:
            top, left = ((taps[axis] - projection.taps[axis]) // 2 for axis in (0, 1))
            stacked[start:start + count, :, top:top + projection.taps[0],
                    left:left + projection.taps[1]] = kernels[projection.name]
        start += count
    return stacked
