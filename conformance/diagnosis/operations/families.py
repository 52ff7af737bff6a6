"""Each operation of the interface with its deviations, and its value under some of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sasakit.reference import AttentionOptions

from ...case import Case
from ...estimate import Array
from .attention import attention_variant
from .attention_reading import asked_reading
from .attention_twists import attention_twists
from .mixture import MixtureReading, mixture_twists, mixture_variant
from .network import LayerCase, layer_variant
from .network_twists import network_twists
from .pool import PoolReading, pool_variant
from .search import Evaluate
from .stem import StemReading, stem_variant
from .stem_twists import pool_twists, stem_twists
from .twist import Twist, twisted

OPERATIONS = ("relative_logits", "local_attention", "attention_layer", "value_mixture", "stem",
              "average_pool")


@dataclass(frozen=True)
class Family:
    """What is known of one operation."""

    operation: str
    twists: Sequence[Twist]
    evaluate: Evaluate


def family_of(operation: str) -> Family:
    """The family of one of OPERATIONS, or of "network", whose cases are layers."""
    match operation:
        case "value_mixture":
            return Family(operation, list(mixture_twists()), _mixture)
        case "stem":
            return Family(operation, list(stem_twists()), _stem)
        case "average_pool":
            return Family(operation, list(pool_twists()), _pool)
        case "network":
            return Family(operation, network_twists(), _network)
    return Family(operation, attention_twists(operation), _attention)


def _attention(case: Case, twists: Sequence[Twist]) -> Array:
    assert isinstance(case.options, AttentionOptions)
    return attention_variant(case, twisted(asked_reading(case.options), twists))


def _mixture(case: Case, twists: Sequence[Twist]) -> Array:
    reading = twisted(MixtureReading(), twists)
    x, w_value, emb_row, emb_col, nu = case.arrays.values()
    return mixture_variant(x, w_value, emb_row, emb_col, nu, reading)


def _stem(case: Case, twists: Sequence[Twist]) -> Array:
    """Fields of the mixture's own reading are spelled "mixture.over" and so on."""
    changes = {name: value for twist in twists for name, value in twist.changes.items()}
    inner = {name.partition(".")[2]: changes.pop(name)
             for name in list(changes) if name.startswith("mixture.")}
    reading = StemReading(**changes)
    return stem_variant(case, replace(reading, mixture=replace(reading.mixture, **inner)))


def _network(case: Case, twists: Sequence[Twist]) -> Array:
    """One layer of a network, of which the stem is a case of its own operation."""
    return layer_variant(case, twists) if isinstance(case, LayerCase) else _stem(case, twists)


def _pool(case: Case, twists: Sequence[Twist]) -> Array:
    return pool_variant(case.arrays["x"], twisted(PoolReading(), twists))
