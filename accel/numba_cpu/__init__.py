"""sasakit.accel.numba_cpu: the specification's operations as parallel CPU kernels.

float32 and float64; each is computed in its own precision. Importing this picks Numba's threading
layer where the user has not, and leaves the number of threads alone. `AttentionLayer` and the
networks of `load` pack their weights once; `channels_last` and `channels_first` copy images from
and to the layout of others; `arranged_attention` is for measuring.
"""

from .arrays import from_numpy, to_numpy
from .attention import AttentionLayer, arranged_attention, attention_layer, local_attention
from .average_pool import average_pool
from .layout import channels_first, channels_last
from .mixture import value_mixture
from .network import Network, load
from .relative import relative_logits
from .stems import stem

name = "numba"

__all__ = [
    "AttentionLayer", "Network", "arranged_attention", "attention_layer", "average_pool",
    "channels_first", "channels_last", "from_numpy", "load", "local_attention", "name",
    "relative_logits", "stem", "to_numpy", "value_mixture",
]
