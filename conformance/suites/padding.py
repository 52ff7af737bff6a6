"""Chapter 2, padding: PAD-1 to PAD-3, judged at the border alone."""

from functools import partial

from ..builders import attention_cases
from ..case import Case
from ..property import agrees, clause
from ..target import Target

at_the_border = partial(attention_cases, extent=(2, 3, 4, 5), look="border")


@clause("PAD-1", partial(at_the_border, padding="zero", position=("none", "relative")))
def outside_neighbours_take_part(case: Case, target: Target) -> float:
    """Zero keys and values, with their relative logit."""
    return agrees(case, target)


@clause("PAD-2", partial(at_the_border, padding="exclude", position=("none", "relative")))
def outside_neighbours_are_excluded(case: Case, target: Target) -> float:
    """Probability zero outside the image."""
    return agrees(case, target)


@clause("PAD-3", partial(at_the_border, padding="shift", position="none",
                         even_window=("before", "after")))
def windows_move_inside(case: Case, target: Target) -> float:
    """Every window is whole."""
    return agrees(case, target)
