"""Chapter 3, relative logits: REL-1 to REL-6, alone and as the only term of attention."""

from functools import partial

from ..builders import attention_cases
from ..case import Case
from ..property import agrees, clause
from ..target import Target

logits = partial(attention_cases, operation="relative_logits")
relative_only = partial(attention_cases, content=False, look="interior", extent=(2, 3))


@clause("REL-1", partial(logits, extent=(1, 3)))
def the_query_meets_both_halves(case: Case, target: Target) -> float:
    """The dot product with the concatenated embedding."""
    return agrees(case, target)


@clause("REL-1", relative_only)
def attention_follows_the_offset(case: Case, target: Target) -> float:
    """Content off, inside the image: the relative logits alone decide."""
    return agrees(case, target)


@clause("REL-2", partial(logits, extent=(2, 3), first_half=("row", "column")))
def the_first_half_is_the_row(case: Case, target: Target) -> float:
    """Rows first, and columns first when asked."""
    return agrees(case, target)


@clause("REL-2", partial(relative_only, first_half=("row", "column")))
def attention_has_its_halves_so(case: Case, target: Target) -> float:
    """The same through attention."""
    return agrees(case, target)


@clause("REL-3", partial(logits, extent=(2, 3, 4, 5), zero=("rel_col",),
                         even_window=("before", "after")))
def entries_ascend_with_the_offset(case: Case, target: Target) -> float:
    """Logits vary along rows alone, in the table's order."""
    return agrees(case, target)


@clause("REL-3", partial(logits, extent=(2, 3, 4, 5), zero=("rel_row",),
                         even_window=("before", "after")))
def columns_ascend_too(case: Case, target: Target) -> float:
    """Logits vary along columns alone."""
    return agrees(case, target)


@clause("REL-3", partial(relative_only, even_window=("before", "after")))
def attention_reads_the_tables_in_order(case: Case, target: Target) -> float:
    """The same through attention."""
    return agrees(case, target)


@clause("REL-4", partial(logits, extent=(2, 3), relative=("shared", "per_head")))
def tables_are_shared_or_not(case: Case, target: Target) -> float:
    """One pair of tables, or one for every head."""
    return agrees(case, target)


@clause("REL-4", partial(relative_only, relative="per_head"))
def attention_reads_the_heads_own_tables(case: Case, target: Target) -> float:
    """The same through attention."""
    return agrees(case, target)


@clause("REL-5", partial(logits, extent=(2, 3), relative="layer_halves",
                         first_half=("row", "column")))
def halves_of_the_layer_are_cut_into_heads(case: Case, target: Target) -> float:
    """An odd number of heads has one that is cut in the middle."""
    return agrees(case, target)


@clause("REL-5", partial(relative_only, relative="layer_halves", first_half=("row", "column")))
def attention_has_the_layers_halves(case: Case, target: Target) -> float:
    """The same through attention."""
    return agrees(case, target)


@clause("REL-6", partial(logits, extent=(1, 2, 3, 4), padding="shift",
                         relative=("shared", "per_head", "layer_halves")))
def shifted_windows_have_true_offsets(case: Case, target: Target) -> float:
    """Tables of 2 extent - 1 entries."""
    return agrees(case, target)


@clause("REL-6", partial(attention_cases, content=False, extent=(2, 3, 4), padding="shift",
                         relative=("shared", "per_head", "layer_halves")))
def attention_has_true_offsets(case: Case, target: Target) -> float:
    """The same through attention, which may read its tables in code of its own."""
    return agrees(case, target)
