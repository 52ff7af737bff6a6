"""The interface that every backend offers; a module with these names is a backend."""

from collections.abc import Mapping
from typing import Any, Protocol

from .architecture import NetworkSpec
from .options import AttentionOptions, StemOptions

Array = Any


class Model(Protocol):
    """A network with its weights: images in, logits out."""

    @property
    def spec(self) -> NetworkSpec:
        """What the network is."""
        ...

    def __call__(self, images: Array) -> Array:
        """(batch, classes) logits of images (batch, height, width, channels)."""
        ...

    def trace(self, images: Array) -> dict[str, Array]:
        """Every layer's output by name: stem, stage1.block1.reduce, ..., logits (NET-8)."""
        ...


class Backend(Protocol):
    """The operations of SPEC.md. Shapes are in the docstrings of `sasakit.reference`."""

    name: str

    def from_numpy(self, array: Array, dtype: str | None = None) -> Array:
        """Array of this backend's kind with the same values, rounded to `dtype` when given."""
        ...

    def to_numpy(self, array: Array) -> Array:
        """NumPy array with the same values; dtypes that NumPy lacks widen to float32."""
        ...

    def relative_logits(self, query: Array, rel_row: Array, rel_col: Array, *,
                        options: AttentionOptions) -> Array:
        """Chapter 3: q . r for every slot of the window."""
        ...

    def local_attention(self, query: Array, key: Array, value: Array, rel_row: Array,
                        rel_col: Array, *, options: AttentionOptions) -> Array:
        """Chapter 5: the mixture of a window's values."""
        ...

    def attention_layer(self, x: Array, weights: Mapping[str, Array], *,
                        options: AttentionOptions) -> Array:
        """Chapter 5: projections, then local attention."""
        ...

    def value_mixture(self, x: Array, w_value: Array, emb_row: Array, emb_col: Array,
                      nu: Array) -> Array:
        """Chapter 6: position-dependent values."""
        ...

    def stem(self, images: Array, weights: Mapping[str, Array], *,
             options: StemOptions) -> Array:
        """Chapter 7: one of the four stems."""
        ...

    def average_pool(self, x: Array) -> Array:
        """Chapter 8: 2 x 2 means."""
        ...

    def load(self, spec: NetworkSpec, weights: Mapping[str, Array]) -> Model:
        """Chapter 8: a network ready to run."""
        ...
