"""Initial weights: the scales that the paper leaves open, as SPEC NET-9 states them."""

import numpy as np
import numpy.typing as npt

from .arrays import Floats
from .contract.architecture import NetworkSpec
from .contract.errors import whole_number
from .contract.options import AttentionOptions
from .contract.parameters import Parameters, layer_parameters, network_parameters

ONES = ("norm_scale", "norm_variance")
ZEROS = ("norm_shift", "norm_mean", "bias")


def random_weights(spec: NetworkSpec, seed: int, *,
                   dtype: npt.DTypeLike = np.float64) -> dict[str, Floats]:
    """Initial weights of a network by name, the same for the same seed, SPEC NET-9.

    Raises TypeError or ValueError for a seed that is not an integer of at least 0.
    """
    return _draw(network_parameters(spec), seed, dtype)


def random_layer_weights(channels_in: int, channels_out: int, seed: int, *,
                         options: AttentionOptions,
                         dtype: npt.DTypeLike = np.float64) -> dict[str, Floats]:
    """Initial weights of one attention layer by name, SPEC NET-9.

    Raises TypeError or ValueError for a seed that is not an integer of at least 0.
    """
    return _draw(layer_parameters(channels_in, channels_out, options), seed, dtype)


def _draw(shapes: Parameters, seed: int, dtype: npt.DTypeLike) -> dict[str, Floats]:
    whole_number("seed", seed, least=0)
    rng = np.random.default_rng(seed)
    return {name: _initial(rng, name.rsplit(".", 1)[-1], shape).astype(dtype)
            for name, shape in shapes.items()}


def _initial(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Floats:
    if name in ONES:
        return np.ones(shape)
    if name in ZEROS:
        return np.zeros(shape)
    # SPEC NET-9: a table or embedding sums over its last axis, a matrix over the one before; a
    # kernel also over its rows and columns. The variance is 1 / terms, 2 / terms before a ReLU.
    if name in ("rel_row", "rel_col", "emb_row", "emb_col", "nu"):
        return rng.standard_normal(shape) / np.sqrt(shape[-1])
    taps = shape[0] * shape[1] if len(shape) == 4 else 1
    gain = 2.0 if name in ("w", "w_conv") else 1.0
    return rng.standard_normal(shape) * np.sqrt(gain / (taps * shape[-2]))
