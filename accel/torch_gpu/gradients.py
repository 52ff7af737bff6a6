"""Gradients of every operation by autograd, under the interface's names. SPEC GRAD-1 to GRAD-10."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from sasakit.reference.contract import upstream as contract
from sasakit.reference.contract.options import AttentionOptions, StemOptions

from .arrays import TORCH
from .attention import attention_layer, local_attention
from .layers import average_pool
from .mixture import value_mixture
from .relative import relative_logits
from .stems import stem

_CONSTANTS = ("norm_mean", "norm_variance")


def relative_logits_vjp(upstream: Tensor, query: Tensor, rel_row: Tensor, rel_col: Tensor, *,
                        options: AttentionOptions) -> dict[str, Tensor]:
    """Gradients query, rel_row and rel_col, each of its argument's shape and dtype, SPEC GRAD-2.

    upstream  (batch, height, width, heads, rows, cols), the dtype of query
    The other arguments are those of `relative_logits`.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    contract.check_relative_logits_vjp(TORCH, upstream, query, rel_row, rel_col, options)
    given = {"query": query, "rel_row": rel_row, "rel_col": rel_col}
    return _vjp(upstream, given, partial(relative_logits, options=options))


def local_attention_vjp(upstream: Tensor, query: Tensor, key: Tensor | None, value: Tensor,
                        rel_row: Tensor | None, rel_col: Tensor | None, *,
                        options: AttentionOptions) -> dict[str, Tensor]:
    """Gradients of every argument given, each of its shape and dtype, SPEC GRAD-3 to GRAD-5.

    upstream  (batch, height, width, heads, depth), the dtype of query
    The other arguments are those of `local_attention`; one that is None has no gradient.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    contract.check_local_attention_vjp(TORCH, upstream, query, key, value, rel_row, rel_col,
                                       options)
    given = {"query": query, "key": key, "value": value, "rel_row": rel_row, "rel_col": rel_col}
    return _vjp(upstream, given, partial(local_attention, options=options))


def attention_layer_vjp(upstream: Tensor, x: Tensor, weights: Mapping[str, Tensor], *,
                        options: AttentionOptions) -> dict[str, Tensor]:
    """Gradients of x and of every weight by name, each of its shape and dtype, SPEC GRAD-6.

    upstream  (batch, height, width, channels_out), the dtype of x
    The other arguments are those of `attention_layer`; a w_key that is not read has gradient 0.
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    contract.check_attention_layer_vjp(TORCH, upstream, x, weights, options)
    return _vjp(upstream, {"x": x, **weights},
                lambda x, **weights: attention_layer(x, weights, options=options))


def value_mixture_vjp(upstream: Tensor, x: Tensor, w_value: Tensor, emb_row: Tensor,
                      emb_col: Tensor, nu: Tensor) -> dict[str, Tensor]:
    """Gradients of all five arguments by name, each of its shape and dtype, SPEC GRAD-7.

    upstream  (batch, height, width, channels_out), the dtype of x
    The other arguments are those of `value_mixture`.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    contract.check_value_mixture_vjp(TORCH, upstream, x, w_value, emb_row, emb_col, nu)
    given = {"x": x, "w_value": w_value, "emb_row": emb_row, "emb_col": emb_col, "nu": nu}
    return _vjp(upstream, given, value_mixture)


def stem_vjp(upstream: Tensor, images: Tensor, weights: Mapping[str, Tensor], *,
             options: StemOptions) -> dict[str, Tensor]:
    """Gradients of the images and of every learned weight by name, SPEC GRAD-8, GRAD-9.

    upstream  the shape and dtype of what `stem` gives
    The other arguments are those of `stem`; norm_mean and norm_variance are constants and have no
    gradient. Each gradient has its argument's shape and dtype.
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    contract.check_stem_vjp(TORCH, upstream, images, weights, options)
    constants = {name: weights[name].detach() for name in _CONSTANTS}
    learned = {name: w for name, w in weights.items() if name not in _CONSTANTS}
    return _vjp(upstream, {"images": images, **learned},
                lambda images, **learned: stem(images, learned | constants, options=options))


def average_pool_vjp(upstream: Tensor, x: Tensor) -> dict[str, Tensor]:
    """Gradient x, of the shape and dtype of x, SPEC GRAD-10.

    upstream  (batch, ceil(height / 2), ceil(width / 2), channels), the dtype of x
    x         (batch, height, width, channels)
    Raises ValueError for shapes, TypeError for dtypes.
    """
    contract.check_average_pool_vjp(TORCH, upstream, x)
    return _vjp(upstream, {"x": x}, average_pool)


def _vjp(upstream: Tensor, given: Mapping[str, Tensor | None],
         operation: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Gradients of the arguments that are not None, whatever the caller's own graph records."""
    leaves = {name: x.detach().requires_grad_() for name, x in given.items() if x is not None}
    absent = dict.fromkeys(name for name, x in given.items() if x is None)
    with torch.enable_grad():
        y = operation(**leaves, **absent)
    # Materialized: an argument that is not read has gradient zero, not none.
    grads = torch.autograd.grad(y, tuple(leaves.values()), upstream.detach(),
                                allow_unused=True, materialize_grads=True)
    return dict(zip(leaves, grads, strict=True))
