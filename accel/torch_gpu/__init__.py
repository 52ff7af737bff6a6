"""sasakit.accel.torch_gpu: the interface on torch tensors, on any device, with gradients.

A 16-bit operation computes in float32 and rounds its result once. `AttentionLayer` and `Network`
are the modules to train.
"""

from .arrays import from_numpy, to_numpy
from .attention import attention_layer, local_attention
from .gradients import (
    attention_layer_vjp,
    average_pool_vjp,
    local_attention_vjp,
    relative_logits_vjp,
    stem_vjp,
    value_mixture_vjp,
)
from .layers import average_pool
from .mixture import value_mixture
from .modules import AttentionLayer, Network, load
from .relative import relative_logits
from .stems import stem

name = "torch"

__all__ = [
    "AttentionLayer", "Network", "attention_layer", "attention_layer_vjp", "average_pool",
    "average_pool_vjp", "from_numpy", "load", "local_attention", "local_attention_vjp", "name",
    "relative_logits", "relative_logits_vjp", "stem", "stem_vjp", "to_numpy", "value_mixture",
    "value_mixture_vjp",
]
