"""sasakit.reference: SPEC.md as pure NumPy, one file per chapter. Imports NumPy and nothing else.

Correct, complete, then readable; not fast. `sasakit.accel` computes the same thing fast.
"""

from .arrays import from_numpy, to_numpy
from .attention import attention_layer, local_attention
from .contract.architecture import NetworkSpec
from .contract.options import AttentionOptions, StemOptions
from .contract.version import SPEC_VERSION
from .cost import Cost, CostPart, count_cost
from .gradients_attention import attention_layer_vjp, local_attention_vjp
from .gradients_layers import average_pool_vjp
from .gradients_mixture import value_mixture_vjp
from .gradients_relative import relative_logits_vjp
from .gradients_stems import stem_vjp
from .layers import average_pool
from .mixture import value_mixture
from .network import Network, load
from .position import absolute_embedding
from .relative import relative_logits
from .stems import stem
from .weights import random_layer_weights, random_weights

name = "reference"

__all__ = [
    "SPEC_VERSION", "AttentionOptions", "Cost", "CostPart", "Network", "NetworkSpec", "StemOptions",
    "absolute_embedding", "attention_layer", "attention_layer_vjp", "average_pool",
    "average_pool_vjp", "count_cost", "from_numpy", "load", "local_attention",
    "local_attention_vjp", "name", "random_layer_weights", "random_weights", "relative_logits",
    "relative_logits_vjp", "stem", "stem_vjp", "to_numpy", "value_mixture", "value_mixture_vjp",
]
