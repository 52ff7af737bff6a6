"""Cases of the suites as cases of a whole layer, at the sizes of a build that has room for them.

A case of split heads is one of the layer too: the image has the queries, keys and values side by
side in its channels, and the projections pick them out, which rounds nothing.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from ..case import Case
from ..estimate import Array
from .instance import Sizes
from .placement import PROJECTED, TABLES


def heads_of(case: Case, options: AttentionOptions) -> int:
    """Heads of a case, from its arrays where they carry them."""
    return int(case.arrays["query"].shape[3]) if case.operation == "local_attention" \
        else options.heads


def room_of(case: Case, options: AttentionOptions, *, square: bool) -> Sizes:
    """Sizes of the build that has room for a case: heads beyond the case's own stay zero."""
    heads = heads_of(case, options)
    if case.operation == "local_attention":
        depth = int(case.arrays["query"].shape[4])
        channels_in = 3 * heads * depth
    else:
        weight = case.arrays["w_value"]
        channels_in = int(case.arrays["x"].shape[3])
        depth = int(weight.shape[2] if weight.ndim == 3 else weight.shape[1] // heads)
    if square:
        heads = max(heads, -(-channels_in // depth))
        channels_in = heads * depth
    return Sizes(channels_in, heads * depth, heads, options.extent)


def layer_of(case: Case, arrays: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
    """Split heads as a layer: head by head its queries, keys and values are the image's channels.

    Head by head, so that projections that stay in their head see what they need.
    """
    query, value = arrays["query"], arrays["value"]
    key = np.zeros_like(query) if arrays["key"] is None else arrays["key"]
    batch, height, width, heads, depth = query.shape
    x = np.stack([query, key, value], axis=4).reshape(batch, height, width, -1)
    weights = {}
    for part, role in enumerate(PROJECTED):
        pick = np.zeros((heads, 3, depth, heads, depth))
        for n in range(heads):
            pick[n, part, :, n] = np.eye(depth)
        weights[role] = pick.reshape(heads * 3 * depth, heads * depth)
    if arrays["key"] is None:
        del weights["w_key"]
    return x, weights | {name: arrays[name] for name in TABLES if arrays[name] is not None}


def dense(weights: dict[str, Array]) -> dict[str, Array]:
    """Weights whose projections see all channels, zero outside their head."""
    dense = dict(weights)
    for role in PROJECTED:
        if role in weights and weights[role].ndim == 3:
            heads, width, depth = weights[role].shape
            dense[role] = np.zeros((heads * width, heads * depth))
            for n in range(heads):
                dense[role][n * width:(n + 1) * width, n * depth:(n + 1) * depth] = weights[role][n]
    return dense


def widened(name: str, w: Array, sizes: Sizes) -> Array:
    """A weight in a build with more channels and heads: zero there."""
    if name in PROJECTED:
        return np.pad(w, [(0, sizes.channels_in - w.shape[0]),
                          (0, sizes.channels_out - w.shape[1])])
    return np.pad(w, [(0, sizes.heads - len(w)), (0, 0), (0, 0)]) if w.ndim == 3 else w


def can_be_joined(case: Case) -> bool:
    """Whether numbers that are not finite fill whole pixels of keys and values.

    The projections multiply what they leave out by zero, and zero times NaN is NaN: such a pixel
    is not finite in its own query too, which sees it in its window anyway.
    """
    finite = {name: np.isfinite(array) for name, array in case.arrays.items() if array is not None}
    if all(each.all() for each in finite.values()):
        return True
    if case.operation != "local_attention" or any(
            not each.all() for name, each in finite.items() if name not in ("key", "value")):
        return False
    arrays = [case.arrays[name] for name in ("key", "value") if case.arrays[name] is not None]
    spoiled = [np.isnan(array) for array in arrays]
    whole = [each.all((3, 4)) == each.any((3, 4)) for each in spoiled]
    return bool(all(each.all() for each in whole)) and not any(
        np.isinf(array).any() for array in arrays) and bool(
        np.array_equal(spoiled[0].any((3, 4)), spoiled[-1].any((3, 4))))
