"""Chapter 1, window: WIN-1 to WIN-4."""

from dataclasses import replace
from functools import partial

import numpy as np

from ..builders import attention_cases
from ..case import Case
from ..draw import Draw
from ..property import agrees, clause, run, same_shape
from ..target import Target

content_only = partial(attention_cases, position="none")


@clause("WIN-1", partial(content_only, extent=(1, 3, 5), look="interior", zero=("query",)))
def odd_windows_are_centred(case: Case, target: Target) -> float:
    """Uniform probabilities over whole windows: every value counts the same."""
    return agrees(case, target)


@clause("WIN-1", partial(content_only, extent=(1, 3), most=16, look="interior", zero=("query",),
                         regimes=("normal",)))
def large_images_have_all_windows(case: Case, target: Target) -> float:
    """Images that fast code cuts into pieces."""
    return agrees(case, target)


@clause("WIN-2", partial(content_only, extent=(2, 4), look="interior", zero=("query",),
                         even_window=("before", "after")))
def even_windows_have_their_extra_slot(case: Case, target: Target) -> float:
    """The same for even windows, both ways."""
    return agrees(case, target)


@clause("WIN-3", partial(content_only, extent=(1, 2, 3, 4, 7), zero=("query", "key", "value")))
def every_pixel_has_an_output(case: Case, target: Target) -> float:
    """Images smaller than the window among them."""
    same_shape(case.operation, run(case, target), case.arrays["value"].shape)
    return agrees(case, target)


def _poisoned_cases(draw: Draw, dtype: str) -> Case:
    """One pixel of key and value is NaN; the outputs that do not see it are judged."""
    case = attention_cases(draw, dtype, position="none", extent=(1, 2, 3), regimes=("normal",))
    rng = draw.numbers("pixel")
    batch, height, width = case.arrays["value"].shape[:3]
    at = tuple(int(rng.integers(size)) for size in (batch, height, width))
    spoiled = {name: case.arrays[name].copy() for name in ("key", "value")}
    for array in spoiled.values():
        array[at] = np.nan
    return replace(case, arrays=dict(case.arrays) | spoiled)


@clause("WIN-4", _poisoned_cases)
def nothing_else_is_seen(case: Case, target: Target) -> float:
    """Outputs are finite exactly where the reference's are."""
    return agrees(case, target)
