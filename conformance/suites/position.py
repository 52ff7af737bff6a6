"""Chapter 4, position types: POS-1 to POS-3."""

from functools import partial

from ..builders import attention_cases
from ..case import Case
from ..property import agrees, clause
from ..target import Target

inside = partial(attention_cases, extent=(1, 2, 3), look="interior")


@clause("POS-1", partial(inside, position="none"))
def content_alone_decides(case: Case, target: Target) -> float:
    """No tables are given."""
    return agrees(case, target)


@clause("POS-2", partial(inside, position="absolute", content=(True, False),
                         first_half=("row", "column")))
def the_neighbours_position_joins_its_key(case: Case, target: Target) -> float:
    """The two-dimensional sinusoid, with content and without."""
    return agrees(case, target)


@clause("POS-2", partial(attention_cases, extent=(2, 3), look="border", position="absolute"))
def outside_there_is_no_position(case: Case, target: Target) -> float:
    """A neighbour outside the image has the logit 0."""
    return agrees(case, target)


@clause("POS-3", inside)
def the_offset_joins_the_content(case: Case, target: Target) -> float:
    """Both terms, and values without an embedding."""
    return agrees(case, target)


@clause("POS-3", partial(inside, zero=("value",)))
def values_carry_no_embedding(case: Case, target: Target) -> float:
    """Values of zero give zero."""
    return agrees(case, target)
