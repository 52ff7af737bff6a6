"""Chapter 5, attention: ATT-1 to ATT-9."""

from functools import partial

from ..builders import attention_cases, layer_cases
from ..case import Case
from ..property import agrees, clause
from ..target import Target

inside = partial(attention_cases, position="none", look="interior")
one_slot = partial(layer_cases, position="none", extent=1)


@clause("ATT-1", partial(layer_cases, position="none", extent=(1, 3)))
def heads_own_consecutive_channels(case: Case, target: Target) -> float:
    """A layer of several heads, from channels to channels."""
    return agrees(case, target)


@clause("ATT-2", partial(attention_cases, look="interior", extent=(1, 2, 3)))
def content_and_position_are_added(case: Case, target: Target) -> float:
    """Canonical options inside the image."""
    return agrees(case, target)


@clause("ATT-3", partial(attention_cases, look="interior", extent=(2, 3), scale=(0.5, 0.3, 2.0),
                         scale_terms=("both", "content")))
def the_scale_meets_its_terms(case: Case, target: Target) -> float:
    """One term or both."""
    return agrees(case, target)


@clause("ATT-4", partial(inside, extent=(2, 3, 4)))
def one_softmax_over_the_window(case: Case, target: Target) -> float:
    """Content only, inside the image."""
    return agrees(case, target)


@clause("ATT-5", partial(inside, extent=(1, 2, 3), zero=("key",)))
def values_are_mixed_as_they_are(case: Case, target: Target) -> float:
    """Equal logits: the mean of the values."""
    return agrees(case, target)


@clause("ATT-6", one_slot)
def projections_are_dense(case: Case, target: Target) -> float:
    """One slot has probability one: the output is the value's projection."""
    return agrees(case, target)


@clause("ATT-6", layer_cases)
def queries_keys_and_values_have_their_own(case: Case, target: Target) -> float:
    """The canonical layer."""
    return agrees(case, target)


@clause("ATT-7", partial(layer_cases, extent=(1, 3), projection="per_head"))
def projections_stay_in_their_head(case: Case, target: Target) -> float:
    """Block-diagonal projections."""
    return agrees(case, target)


@clause("ATT-8", one_slot)
def outputs_are_concatenated_and_nothing_follows(case: Case, target: Target) -> float:
    """One slot has probability one, so that only the order of channels is left."""
    return agrees(case, target)


@clause("ATT-9", partial(layer_cases, extent=(2, 3), content=False,
                         position=("relative", "absolute")))
def without_content_the_position_decides(case: Case, target: Target) -> float:
    """The layer has no key weights."""
    return agrees(case, target)
