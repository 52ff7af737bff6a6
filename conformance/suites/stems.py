"""Chapter 7, stems: STEM-1 to STEM-7."""

from functools import partial

from ..builders import stem_cases
from ..case import Case
from ..draw import Draw
from ..property import agrees, clause
from ..target import Target

attends = ("plain", "conv_value", "mixture")


def divisible(draw: Draw) -> dict[str, int]:
    """Batch, height and width: sizes that every window divides."""
    return {"batch": draw.integer("batch", 1, 2), "height": 12, "width": 24}


@clause("STEM-1", partial(stem_cases, kinds=("conv",)))
def the_convolution_is_aligned(case: Case, target: Target) -> float:
    """Odd and even sizes."""
    return agrees(case, target)


@clause("STEM-2", partial(stem_cases, kinds=("plain",), sizes=divisible, plain_norms=True))
def attention_stays_in_its_block(case: Case, target: Target) -> float:
    """Sizes that every window divides."""
    return agrees(case, target)


@clause("STEM-3", partial(stem_cases, kinds=("plain",), sizes=divisible))
def normalization_precedes_the_pool(case: Case, target: Target) -> float:
    """Scales of either sign."""
    return agrees(case, target)


@clause("STEM-4", partial(stem_cases, kinds=("plain",), sizes=divisible))
def plain_values_are_one_product(case: Case, target: Target) -> float:
    """The plain stem."""
    return agrees(case, target)


@clause("STEM-5", partial(stem_cases, kinds=("conv_value",), sizes=divisible))
def convolution_values_see_the_image(case: Case, target: Target) -> float:
    """Across blocks, zero outside."""
    return agrees(case, target)


@clause("STEM-6", partial(stem_cases, kinds=("mixture",), sizes=divisible))
def mixture_values_know_their_place(case: Case, target: Target) -> float:
    """The value mixture over the stem's window."""
    return agrees(case, target)


@clause("STEM-7", partial(stem_cases, kinds=attends))
def the_last_blocks_are_cut(case: Case, target: Target) -> float:
    """Any size, one pixel among them."""
    return agrees(case, target)
