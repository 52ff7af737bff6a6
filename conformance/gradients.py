"""Gradients of a case: what is asked, and what the reference says of it. SPEC GRAD-1.

A gradient case is a case of the operation with one array more, "upstream", of its result's shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, cast

import numpy as np

from sasakit import reference
from sasakit.reference import AttentionOptions, StemOptions

from . import estimate_gradients, estimate_gradients_stems
from .builders import values
from .case import UPSTREAM, Case, call, call_vjp
from .draw import Draw
from .estimate import exact
from .estimate_gradients import Gradients
from .judge import Disagreement, Expected, expected, measure
from .offer import trouble_of
from .profiles import Profile, round_to
from .target import Target


class GradientTarget(Target, Protocol):
    """An implementation that also offers gradients."""

    @property
    def has_gradients(self) -> bool:
        """Whether it does."""
        ...

    def gradients(self, case: Case, arrays: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
        """Gradients of the case's operation by argument, on its own arrays, as it gives them."""
        ...


def offers_gradients(target: Target) -> bool:
    """Whether a target can be judged by the clauses of chapter 12."""
    return bool(getattr(target, "has_gradients", False))


def need_gradients(target: Target) -> GradientTarget:
    """The same target, which offers gradients. Raises ValueError, naming it, where it does not.

    One that cannot be judged at all is let pass: that is said of each of its clauses.
    """
    if trouble_of(target) is None and not offers_gradients(target):
        raise ValueError(f"`target` must offer gradients to be judged by them; got {target.name}.")
    return cast(GradientTarget, target)


def gradient_cases(draw: Draw, dtype: str, *, cases: Callable[..., Case], **given: Any) -> Case:
    """Cases of an operation with an upstream gradient of small integers or normal numbers."""
    case = cases(draw, dtype, **given)
    shape = call(reference, case, case.arrays).shape
    regime = draw.choice("upstream regime", ("integers", "normal"))
    upstream = values(draw.numbers("upstream"), shape, regime)
    return replace(case, arrays=dict(case.arrays) | {UPSTREAM: round_to(upstream, dtype)})


def gradients_of(case: Case, target: Target,
                 native: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The target's gradients as it gives them.

    native  the case's arrays as it takes them, where they have been made already
    Raises ValueError for a target that offers none.
    """
    able = need_gradients(target)
    arrays = dict(native or able.native(case))
    upstream = arrays.pop(UPSTREAM)
    return able.gradients(case, arrays, upstream)


def gradients_agree(case: Case, target: Target, *names: str) -> float:
    """Worst rho over the gradients of these names, or of all; raises Disagreement."""
    found = gradients_of(case, target)
    want = expect_gradients(case, target.profile(case.dtype))
    worst = 0.0
    for name in want if not names else [name for name in names if name in want]:
        if name not in found:
            raise Disagreement(f"{case.operation}, gradient of {name}: there is none.")
        rho = measure(f"{case.operation}, gradient of {name}", target.read(found[name]),
                      want[name])
        worst = max(worst, rho)
    return worst


def expect_gradients(case: Case, profile: Profile) -> dict[str, Expected]:
    """The reference's gradients by argument, each with its budget."""
    arrays = dict(case.arrays)
    upstream = arrays.pop(UPSTREAM)
    with np.errstate(all="ignore"):
        found = call_vjp(reference, case, arrays, upstream)
        bounds = _bounds(case, arrays, upstream, profile)
        return {name: expected(value, bounds[name].error, profile)
                for name, value in found.items()}


def _bounds(case: Case, arrays: dict[str, Any], upstream: Any, profile: Profile) -> Gradients:
    match case.operation, case.options:
        case "relative_logits", AttentionOptions() as options:
            return estimate_gradients.relative_logits(upstream, **arrays, options=options,
                                                      profile=profile)
        case "local_attention", AttentionOptions() as options:
            tables = (arrays.pop("rel_row"), arrays.pop("rel_col"))
            query, key, value = (None if array is None else exact(array)
                                 for array in arrays.values())
            if query is None or value is None:
                raise ValueError("`query` and `value` must be given; got None.")
            return estimate_gradients.local_attention(exact(upstream), query, key, value, *tables,
                                                      options, profile)
        case "attention_layer", AttentionOptions() as options:
            return estimate_gradients.attention_layer(upstream, arrays.pop("x"), arrays, options,
                                                      profile)
        case "value_mixture", None:
            x, w, emb_row, emb_col, nu = arrays.values()
            return estimate_gradients_stems.value_mixture(exact(upstream), x, w, emb_row, emb_col,
                                                          nu, profile)
        case "stem", StemOptions() as options:
            return estimate_gradients_stems.stem(upstream, arrays.pop("images"), arrays, options,
                                                 profile)
        case "average_pool", None:
            return estimate_gradients_stems.average_pool(upstream, arrays["x"], profile)
    raise ValueError(f"`operation` must have gradients; got {case.operation!r}.")
