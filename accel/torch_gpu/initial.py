"""Initial weights, with the scales that SPEC NET-9 states."""

import torch
from torch import Tensor

from sasakit.reference.contract.errors import whole_number
from sasakit.reference.contract.parameters import Parameters

_ONES = ("norm_scale", "norm_variance")
_ZEROS = ("norm_shift", "norm_mean", "bias")
_TABLES = ("rel_row", "rel_col", "emb_row", "emb_col", "nu")


def initial(shapes: Parameters, seed: int | None) -> dict[str, Tensor]:
    """Float64 weights by name, drawn on the CPU so that a seed means the same on every device.

    seed  integer of at least 0; None draws from torch's global generator
    Raises TypeError or ValueError for another seed.
    """
    generator = None
    if seed is not None:
        whole_number("seed", seed, least=0)
        generator = torch.Generator().manual_seed(seed)
    return {name: _draw(name.rsplit(".", 1)[-1], shape, generator)
            for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    if name in _ONES:
        return torch.ones(shape, dtype=torch.float64)
    if name in _ZEROS:
        return torch.zeros(shape, dtype=torch.float64)
    # SPEC NET-9: a table or embedding sums over its last axis, a matrix over the one before; a
    # kernel also over its rows and columns. The variance is 1 / terms, 2 / terms before a ReLU.
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    if name in _TABLES:
        return normal / shape[-1] ** 0.5
    taps = shape[0] * shape[1] if len(shape) == 4 else 1
    gain = 2.0 if name in ("w", "w_conv") else 1.0
    return normal * (gain / (taps * shape[-2])) ** 0.5
