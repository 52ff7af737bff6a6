"""The builds of one module that are compared, and as what: two sizes, heads, buffers."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .instance import (
    ROUND_SIZES,
    ROUND_SQUARE_SIZES,
    SIZES,
    SQUARE_SIZES,
    Builder,
    Instance,
    ModuleError,
    Sizes,
)
from .roles import sort_parameters
from .subject import Subject

Pair = tuple[Sizes, Sizes]
# Heads that a class may have chosen itself: so many, or as many as give this depth.
OWN_HEADS = (1, 2, 4, 8)
OWN_DEPTHS = (8, 16, 4, 2)


def build_twice(builder: Builder) -> tuple[Pair, tuple[Instance, ...]]:
    """Builds at two sizes, with as many channels out as in only where others cannot be built.

    Raises ModuleError with the reason for the latter, which all modules can be.
    """
    last: ModuleError | None = None
    for sizes, rounder in ((SIZES, ROUND_SIZES), (SQUARE_SIZES, ROUND_SQUARE_SIZES)):
        try:
            built = tuple(builder.build(size) for size in sizes)
        except ModuleError as error:
            last = error
            continue
        if not built[0].facts.heads_set:
            try:
                return rounder, tuple(builder.build(size) for size in rounder)
            except ModuleError:
                pass
        return sizes, built
    raise last or ModuleError("it cannot be built")


def subjects_of(sizes: Pair, built: tuple[Instance, ...], seed: int,
              fixed: bool = False) -> list[Subject]:
    """Every build with its parameters sorted; buffers left alone where they are fixed."""
    shapes = [instance.shapes for instance in built]
    if fixed:
        shapes = [{name: shape for name, shape in each.items()
                   if name not in built[0].facts.buffers} for each in shapes]
    return [Subject(instance, size, sort_parameters(
                shapes[n], shapes[1 - n], (size, sizes[1 - n]), instance.facts.buffers),
                    np.random.default_rng(seed + n))
            for n, (instance, size) in enumerate(zip(built, sizes, strict=True))]


def attempts(sizes: Pair, built: tuple[Instance, ...]) -> Iterator[tuple[Pair, bool]]:
    """Sizes as they are, or with the class's own heads; buffers set, then left alone."""
    pairs = [sizes]
    if not built[0].facts.heads_set:
        counts = [(n, n) for n in OWN_HEADS]
        counts += [(sizes[0].channels_out // depth, sizes[1].channels_out // depth)
                   for depth in OWN_DEPTHS]
        pairs = [(replace(sizes[0], heads=one), replace(sizes[1], heads=other))
                 for one, other in dict.fromkeys(counts)
                 if sizes[0].channels_out % one == sizes[1].channels_out % other == 0]
    for fixed in (False, True) if built[0].facts.buffers else (False,):
        for pair in pairs:
            yield pair, fixed
