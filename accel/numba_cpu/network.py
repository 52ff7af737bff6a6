"""load: chapter 8, networks whose weights are packed once, normalizations folded in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.architecture import Block, NetworkSpec, network_blocks
from sasakit.reference.contract.arrays import Shapes
from sasakit.reference.contract.checks import check_window
from sasakit.reference.contract.options import AttentionOptions
from sasakit.reference.contract.parameters import check_images, check_network

from .arrays import NUMBA, Floats, Integers, flat
from .attention import Layer, pack_layer, run_layer
from .average_pool import average
from .dense import Packed, convolve, dense, pack_weights, pixel_walk
from .norm import fold_norm, folded
from .stems import Stem, pack_stem, run_stem

# Layers' outputs by name, or None where nobody asks for them.
Seen = dict[str, Floats] | None


class Product(NamedTuple):
    """A matrix or convolution with the normalization after it folded in."""

    packed: Packed
    shift: Floats


class PackedBlock(NamedTuple):
    """One block's weights; `spatial` is a convolution or an attention layer.

    order  where the spatial layer leaves each channel, which `spatial_shift` and `expand` follow;
           None where that is at its own number
    """

    block: Block
    reduce: Product
    spatial: Product | Layer
    spatial_shift: Floats
    expand: Product
    shortcut: Product | None
    order: Integers | None


def _keep(seen: Seen, name: str, y: Floats, order: Integers | None = None) -> None:
    if seen is not None:
        seen[name] = y if order is None else y[..., order]


def _part(weights: Mapping[str, Floats], prefix: str) -> dict[str, Floats]:
    start = f"{prefix}."
    return {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}


def _product(w: Floats, norm: Mapping[str, Floats]) -> Product:
    factor, shift = fold_norm(norm)
    matrix = folded(w, factor).reshape(-1, shift.size)
    return Product(pack_weights([(matrix, 0, 0)], shift.size), shift)


def _pack_block(weights: Mapping[str, Floats], block: Block,
                options: AttentionOptions) -> PackedBlock:
    factor, shift = fold_norm(_part(weights, "spatial"))
    spatial: Product | Layer
    order, w_expand = None, weights["expand.w"]
    if block.attention:
        # Values are mixed linearly, a zero outside the image stays zero: the factor meets w_value.
        spatial = pack_layer(_part(weights, "attention"), options, factor)
        if spatial.fast is not None and spatial.fast.full:
            order = spatial.fast.places.reshape(-1)
            back = np.argsort(order)
            w_expand, shift = w_expand[back], shift[back]
    else:
        spatial = _product(weights["conv.w"], _part(weights, "spatial"))
    shortcut = (_product(weights["shortcut.w"], _part(weights, "shortcut")) if block.projects
                else None)
    return PackedBlock(block, _product(weights["reduce.w"], _part(weights, "reduce")), spatial,
                       shift, _product(w_expand, _part(weights, "expand")), shortcut, order)


@dataclass(frozen=True, eq=False)
class Network:
    """A network with its packed weights: images in, logits out."""

    spec: NetworkSpec
    dtype: str
    stem: Stem
    blocks: tuple[PackedBlock, ...]
    classifier: Product

    def __call__(self, images: Floats) -> Floats:
        """(batch, classes) logits of images (batch, height, width, image_channels).

        Raises ValueError for shapes, TypeError for dtypes.
        """
        return self._run(images, None)

    def trace(self, images: Floats) -> dict[str, Floats]:
        """Every layer's output by name, in order, SPEC NET-8.

        "stem"; for each block "<block>.reduce", "<block>.spatial", "<block>"; "logits".
        """
        seen: dict[str, Floats] = {}
        self._run(images, seen)
        return seen

    def _run(self, images: Floats, seen: Seen) -> Floats:
        check_images(NUMBA, images, self.spec, self.dtype, "cpu")
        options = self.spec.attention_options()
        x = run_stem(flat(images), images.shape, self.stem)
        _keep(seen, "stem", x)
        for packed in self.blocks:
            x = _run_block(x, packed, options, seen)
        with np.errstate(all="ignore"):
            mean = x.mean(axis=(1, 2), dtype=x.dtype)
        logits = _apply(mean[:, None, None], self.classifier)[:, 0, 0]
        _keep(seen, "logits", logits)
        return logits


def load(spec: NetworkSpec, weights: Mapping[str, Floats]) -> Network:
    """A network ready to run; `weights` as `network_parameters` names them, SPEC NET-6.

    The weights are packed now: changing them later changes nothing.
    Raises ValueError for names and shapes, TypeError for dtypes.
    """
    check_network(NUMBA, spec, weights)
    options = spec.attention_options()
    blocks = tuple(_pack_block(_part(weights, block.name), block, options)
                   for block in network_blocks(spec))
    classifier = Product(pack_weights([(weights["classifier.w"], 0, 0)], spec.classes),
                         flat(weights["classifier.bias"].copy()))
    return Network(spec, str(weights["classifier.w"].dtype.name),
                   pack_stem(_part(weights, "stem"), spec.stem_options()), blocks, classifier)


def _apply(x: Floats, product: Product, *, stride: int = 1, residual: Floats | None = None,
           relu: bool = False) -> Floats:
    """(batch, height, width, channels_out): a 1 x 1 convolution of every stride-th pixel."""
    walk = pixel_walk(x.shape, product.packed.channels, stride=stride)
    y = dense(flat(x), product.packed, walk, bias=product.shift,
              residual=None if residual is None else residual.reshape(-1), relu=relu)
    return y.reshape(*walk[:3], product.packed.channels)


def _run_block(x: Floats, packed: PackedBlock, options: AttentionOptions,
               seen: Seen) -> Floats:
    """One block's output, NET-2, NET-3."""
    block = packed.block
    reduced = _apply(x, packed.reduce, relu=True)
    _keep(seen, f"{block.name}.reduce", reduced)
    middle = _spatial(reduced, packed, options)
    _keep(seen, f"{block.name}.spatial", middle, packed.order)
    # The shortcut takes every stride-th pixel, from the first.
    shortcut = x if packed.shortcut is None else _apply(x, packed.shortcut, stride=block.stride)
    y = _apply(middle, packed.expand, residual=shortcut, relu=True)
    _keep(seen, block.name, y)
    return y


def _spatial(x: Floats, packed: PackedBlock, options: AttentionOptions) -> Floats:
    """The block's middle layer: attention or convolution, normalization, ReLU."""
    stride, shift = packed.block.stride, packed.spatial_shift
    shape = x.shape
    if isinstance(packed.spatial, Product):
        y = convolve(x.reshape(-1), shape, packed.spatial.packed, 3, stride=stride, before=1,
                     bias=shift, relu=True)
        return y.reshape(shape[0], -(-shape[1] // stride), -(-shape[2] // stride), shift.size)
    check_window(Shapes(NUMBA, {"height": shape[1], "width": shape[2]}), options)
    if stride == 1:
        return run_layer(x.reshape(-1), shape, packed.spatial, options, bias=shift, relu=True,
                         keep_places=True)
    # NET-3: attention runs at the input's resolution; the pool that follows takes the rest along.
    y = run_layer(x.reshape(-1), shape, packed.spatial, options, keep_places=True)
    return average(y.reshape(-1), y.shape, bias=shift, relu=True)
