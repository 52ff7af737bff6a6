"""Chapter 6, value mixture: MIX-1 to MIX-3."""

from functools import partial

from ..builders import mixture_cases
from ..case import Case
from ..property import agrees, clause
from ..target import Target


@clause("MIX-1", mixture_cases)
def weights_are_a_softmax_over_the_mixtures(case: Case, target: Target) -> float:
    """Any embeddings."""
    return agrees(case, target)


@clause("MIX-2", partial(mixture_cases, zero=("emb_col",)))
def the_row_repeats_with_the_window(case: Case, target: Target) -> float:
    """Weights that differ along the window's rows alone."""
    return agrees(case, target)


@clause("MIX-2", partial(mixture_cases, zero=("emb_row",)))
def the_column_repeats_with_the_window(case: Case, target: Target) -> float:
    """Weights that differ along the window's columns alone."""
    return agrees(case, target)


@clause("MIX-3", partial(mixture_cases, zero=("nu",)))
def matrices_are_mixed(case: Case, target: Target) -> float:
    """Equal weights: the mean of the matrices."""
    return agrees(case, target)
