"""Python code that takes torch tensors, as a target. Imported only where such code is judged.

It offers the gradients of every operation whose results autograd follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from sasakit.reference import AttentionOptions

from ..builders import attention_cases, layer_cases, mixture_cases, pool_cases, stem_cases
from ..case import Case, call
from ..draw import Draw
from ..estimate import Array
from ..judge import Disagreement
from ..offer import Offer
from ..target import native_arrays
from .python_door import PythonTarget

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16,
          "float32": torch.float32, "float64": torch.float64}
# SPEC GRAD-8: stored statistics are no arguments that something flows to.
CONSTANTS = ("norm_mean", "norm_variance")

TAKES_OPTIONS = ("relative_logits", "local_attention", "attention_layer")
SIMPLEST: dict[str, Callable[..., Case]] = {
    "relative_logits": partial(attention_cases, operation="relative_logits"),
    "local_attention": attention_cases, "attention_layer": layer_cases,
    "value_mixture": mixture_cases, "stem": stem_cases, "average_pool": pool_cases}


def to_tensor(array: Array, dtype: str | None = None) -> torch.Tensor:
    """A tensor of its own with the array's values; its strides too, where torch has such."""
    strided = array.flags.writeable and all(step > 0 for step in array.strides)
    tensor = torch.from_numpy(array if strided else np.array(array, order="C"))
    return tensor.to(DTYPES.get(dtype or "", tensor.dtype))


class TensorTarget(PythonTarget):
    """Whatever was loaded, given tensors."""

    def __init__(self, name: str, offered: Any, offer: Offer) -> None:
        super().__init__(name, offered, offer)
        self._own = offer.gradients
        followed = [each for each in offer.operations if each in SIMPLEST
                    and each not in self._own and self._is_followed(each)]
        self.offer = replace(offer, gradients=(*self._own, *followed))

    def native(self, case: Case) -> dict[str, Any]:
        """Tensors on the CPU."""
        return native_arrays(case, to_tensor)

    def gradients(self, case: Case, arrays: Mapping[str, Any],
                  upstream: torch.Tensor) -> dict[str, Any]:
        """Its own gradients where it offers some, otherwise autograd's.

        What an operation does not read has a gradient of zero.
        """
        if case.operation in self._own:
            return super().gradients(case, arrays, upstream)
        given, result = self._followed(case, arrays)
        if result.shape != upstream.shape:
            raise Disagreement(f"{case.operation}: shape {tuple(result.shape)}; expected "
                               f"{tuple(upstream.shape)}.")
        learned = {name: array for name, array in given.items()
                   if array is not None and name not in CONSTANTS}
        found = torch.autograd.grad(result, list(learned.values()), upstream, allow_unused=True)
        return {name: torch.zeros_like(learned[name]) if gradient is None else gradient
                for name, gradient in zip(learned, found, strict=True)}

    def _followed(self, case: Case, arrays: Mapping[str, Any],
                  ) -> tuple[dict[str, Any], torch.Tensor]:
        given = {name: None if array is None else array.clone().requires_grad_()
                 for name, array in arrays.items()}
        with torch.enable_grad():
            return given, call(self.offered, case, given)

    def _is_followed(self, operation: str) -> bool:
        """Whether autograd follows an operation, tried on its simplest case."""
        known = {each.name for each in fields(AttentionOptions)}
        given = {"extent": 3, **{name: values[0] for name, values in self.offer.options.items()}}
        options = {name: value for name, value in given.items() if name in known}
        case = SIMPLEST[operation](Draw(lambda label, most: 0), self.dtypes[0], **(
            options if operation in TAKES_OPTIONS else {}))
        try:
            result = self._followed(case, self.native(case))[1]
        # Whatever foreign code raises is judged where it is asked for results.
        except Exception:
            return False
        return bool(result.requires_grad)
