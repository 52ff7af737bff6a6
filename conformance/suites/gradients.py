"""Chapter 12, gradients: GRAD-1 to GRAD-10, on targets that offer them and when asked for."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..builders import (
    EVERY_OPTION,
    attention_cases,
    layer_cases,
    mixture_cases,
    pool_cases,
    stem_cases,
)
from ..case import Case
from ..draw import Draw
from ..gradients import expect_gradients, gradient_cases, gradients_agree, gradients_of
from ..judge import Disagreement
from ..property import clause
from ..target import Target

attention = partial(gradient_cases, cases=attention_cases)
layer = partial(gradient_cases, cases=layer_cases)
stem = partial(gradient_cases, cases=stem_cases)
logits = partial(attention, operation="relative_logits")
gradient = partial(clause, gradients=True)

every_operation: tuple[Callable[..., Case], ...] = (
    partial(logits, extent=3), partial(layer, extent=3), partial(attention, extent=3),
    partial(gradient_cases, cases=mixture_cases), stem, partial(gradient_cases, cases=pool_cases))


def _any_operation(draw: Draw, dtype: str) -> Case:
    return draw.choice("operation", every_operation)(draw, dtype)


@gradient("GRAD-1", _any_operation, weight=len(every_operation))
def gradients_have_the_form_of_their_arguments(case: Case, target: Target) -> float:
    """One for each array given, of its name, shape and dtype."""
    found = gradients_of(case, target)
    want = expect_gradients(case, target.profile(case.dtype))
    if found.keys() != want.keys():
        raise Disagreement(f"{case.operation}: gradients {', '.join(sorted(found))}; "
                           f"expected {', '.join(sorted(want))}.")
    for name, gradient in found.items():
        shape, dtype = target.read(gradient).shape, target.result_dtype(gradient)
        if (shape, dtype) != (want[name].value.shape, case.dtype):
            raise Disagreement(f"{case.operation}, gradient of {name}: {dtype} of shape {shape}; "
                               f"expected {case.dtype} of shape {want[name].value.shape}.")
    return 0.0


@gradient("GRAD-1", _any_operation, weight=len(every_operation))
def every_output_counts_by_its_upstream(case: Case, target: Target) -> float:
    """All gradients of all operations."""
    return gradients_agree(case, target)


@gradient("GRAD-2", partial(logits, extent=(1, 2, 3), padding=("zero", "shift"),
                            relative=EVERY_OPTION["relative"],
                            first_half=EVERY_OPTION["first_half"],
                            even_window=EVERY_OPTION["even_window"]))
def entries_gather_from_all_that_read_them(case: Case, target: Target) -> float:
    """Tables of every kind, and the queries that meet them."""
    return gradients_agree(case, target)


@gradient("GRAD-2", partial(attention, extent=(2, 3), relative=EVERY_OPTION["relative"],
                            padding=EVERY_OPTION["padding"], content=(True, False)))
def tables_gather_through_attention(case: Case, target: Target) -> float:
    """The same behind a softmax."""
    return gradients_agree(case, target, "rel_row", "rel_col")


@gradient("GRAD-3", partial(attention, extent=(2, 3, 4), position=("none", "absolute"),
                            scale=(1.0, 0.5), scale_terms=EVERY_OPTION["scale_terms"]))
def probabilities_share_a_sum_of_one(case: Case, target: Target) -> float:
    """Queries and keys, which only the logits reach."""
    return gradients_agree(case, target, "query", "key")


@gradient("GRAD-4", partial(attention, extent=(2, 3, 4), padding=EVERY_OPTION["padding"],
                            even_window=EVERY_OPTION["even_window"], scale=(0.5, 1.0),
                            regimes=("normal", "integers")))
def pixels_gather_from_the_windows_that_hold_them(case: Case, target: Target) -> float:
    """Keys and values, windows of every kind."""
    return gradients_agree(case, target, "query", "key", "value")


@gradient("GRAD-5", partial(attention, extent=(3, 4, 5), padding=("zero", "exclude")))
def nothing_reaches_beyond_the_image(case: Case, target: Target) -> float:
    """Windows larger than the image among them."""
    return gradients_agree(case, target)


@gradient("GRAD-6", partial(layer, projection=("dense", "per_head"), **EVERY_OPTION))
def weights_and_input_gather_from_all_projections(case: Case, target: Target) -> float:
    """Layers under every option."""
    return gradients_agree(case, target)


@gradient("GRAD-7", partial(gradient_cases, cases=mixture_cases))
def matrices_and_embeddings_gather_by_place(case: Case, target: Target) -> float:
    """All five arguments of the value mixture."""
    return gradients_agree(case, target)


@gradient("GRAD-8", stem, weight=2)
def stems_hold_their_statistics_constant(case: Case, target: Target) -> float:
    """Every learned weight of all four stems."""
    return gradients_agree(case, target)


def _ties(draw: Draw, dtype: str) -> Case:
    """Stems whose normalization gives every pixel the same number: its shift, above zero.

    The gradient of the scale then tells which pixel was taken for the maximum.
    """
    case = stem(draw, dtype)
    arrays = dict(case.arrays)
    arrays["norm_scale"] = np.zeros_like(arrays["norm_scale"])
    arrays["norm_shift"] = np.abs(arrays["norm_shift"])
    return replace(case, arrays=arrays)


@gradient("GRAD-9", _ties, weight=2)
def the_first_of_equal_maxima_has_it_all(case: Case, target: Target) -> float:
    """Ties in every pool."""
    return gradients_agree(case, target, "norm_scale", "norm_shift")


@gradient("GRAD-9", stem, weight=2)
def the_maximum_has_it_all(case: Case, target: Target) -> float:
    """No ties."""
    return gradients_agree(case, target, "images", "norm_shift")


@gradient("GRAD-10", partial(gradient_cases, cases=pool_cases))
def averages_share_alike(case: Case, target: Target) -> float:
    """Odd sizes among them."""
    return gradients_agree(case, target)
