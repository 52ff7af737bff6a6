"""load: chapter 8, networks whose weights are packed once, normalizations folded in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.architecture import Block, NetworkSpec, network_blocks
from sasakit.reference.contract.arrays import Shapes
from sasakit.reference.contract.checks import check_window
from sasakit.reference.contract.options import AttentionOptions
from sasakit.reference.contract.parameters import check_images, check_network

from .arrays import NUMBA, Floats, Integers, empty, flat
from .attention import Layer, pack_layer, run_layer
from .average_pool import average, mean_kernel
from .dense import convolve, dense, pixel_pitch, pixel_walk
from .heads import HeadLayer
from .norm import fold_norm
from .panels import Packed, pack_weights
from .plan import Array, Plan, Plans
from .stems import Stem, pack_stem, run_stem, stem_shape

AS_IT_IS = slice(None)


class PackedBlock(NamedTuple):
    """One block's weights; `spatial` is a convolution or an attention layer.

    order  where the spatial layer leaves each channel, which `expand` follows
    """

    block: Block
    reduce: Packed
    spatial: Packed | Layer
    expand: Packed
    shortcut: Packed | None
    order: Integers | slice


def _part(weights: Mapping[str, Floats], prefix: str) -> dict[str, Floats]:
    start = f"{prefix}."
    return {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}


def _product(w: Floats, norm: Mapping[str, Floats]) -> Packed:
    factor, shift = fold_norm(norm)
    return pack_weights([(w.reshape(-1, shift.size), 0, 0)], shift.size, shift, factor)


def _pack_block(weights: Mapping[str, Floats], block: Block,
                options: AttentionOptions) -> PackedBlock:
    spatial: Packed | Layer
    order: Integers | slice
    order, w_expand = AS_IT_IS, weights["expand.w"]
    if block.attention:
        # Values are mixed linearly, a zero outside the image stays zero: the factor meets w_value.
        spatial = pack_layer(_part(weights, "attention"), options,
                             fold_norm(_part(weights, "spatial")))
        if isinstance(spatial, HeadLayer) and spatial.full:
            order = spatial.places.reshape(-1)
            w_expand = w_expand[np.argsort(order)]
    else:
        spatial = _product(weights["conv.w"], _part(weights, "spatial"))
    shortcut = (_product(weights["shortcut.w"], _part(weights, "shortcut")) if block.projects
                else None)
    return PackedBlock(block, _product(weights["reduce.w"], _part(weights, "reduce")), spatial,
                       _product(w_expand, _part(weights, "expand")), shortcut, order)


@dataclass(frozen=True, eq=False)
class Network:
    """A network with its packed weights: images in, logits out."""

    spec: NetworkSpec
    dtype: str
    stem: Stem
    blocks: tuple[PackedBlock, ...]
    classifier: Packed
    plans: Plans

    def __call__(self, images: Floats) -> Floats:
        """(batch, classes) logits of images (batch, height, width, image_channels).

        Raises ValueError for shapes, TypeError for dtypes.
        """
        check_images(NUMBA, images, self.spec, self.dtype, "cpu")
        logits = empty((images.shape[0], self.spec.classes), images)

        def build(plan: Plan, out: Array, x: Array) -> None:
            _Builder(self, plan, images.shape).logits(x, out)

        self.plans.run(images.shape, build, [logits, images])
        return logits

    def trace(self, images: Floats) -> dict[str, Floats]:
        """Every layer's output by name, in order, SPEC NET-8.

        "stem"; for each block "<block>.reduce", "<block>.spatial", "<block>"; "logits".
        """
        check_images(NUMBA, images, self.spec, self.dtype, "cpu")
        plan, logits = Plan(), empty((images.shape[0], self.spec.classes), images)
        builder = _Builder(self, plan, images.shape, keep=True)
        builder.logits(flat(images), logits.reshape(-1))
        plan.run()
        return {**{name: np.ascontiguousarray(x[..., channels])
                   for name, (x, channels) in builder.kept.items()}, "logits": logits}


def load(spec: NetworkSpec, weights: Mapping[str, Floats]) -> Network:
    """A network ready to run; `weights` as `network_parameters` names them, SPEC NET-6.

    The weights are packed now: changing them later changes nothing.
    Raises ValueError for names and shapes, TypeError for dtypes.
    """
    check_network(NUMBA, spec, weights)
    options = spec.attention_options()
    blocks = tuple(_pack_block(_part(weights, block.name), block, options)
                   for block in network_blocks(spec))
    classifier = pack_weights([(weights["classifier.w"], 0, 0)], spec.classes,
                              weights["classifier.bias"])
    return Network(spec, str(weights["classifier.w"].dtype.name),
                   pack_stem(_part(weights, "stem"), spec.stem_options()), blocks, classifier,
                   Plans(least=1))


class _Builder:
    """Adds a network's layers to a plan, one after the other.

    shape  (batch, height, width, channels) of what the next layer reads
    pitch  numbers from one pixel of it to the next
    kept   layers' outputs by name, each in memory of its own, where they are to be kept, and
           where each of their channels is
    """

    def __init__(self, network: Network, plan: Plan, shape: tuple[int, ...], *,
                 keep: bool = False) -> None:
        self.network, self.plan, self.shape, self._keep = network, plan, shape, keep
        self.pitch = shape[3]
        self.dtype = np.dtype(network.dtype)
        self.options = network.spec.attention_options()
        self.kept: dict[str, tuple[Floats, Integers | slice]] = {}

    def logits(self, images: Array, out: Array) -> None:
        """Add every layer."""
        stem, shape = self.network.stem, self.shape
        self.shape = stem_shape(shape, stem)
        self.pitch = self.shape[3]
        x = self._buffer(self.shape)
        run_stem(self.plan, x, images, shape, stem)
        self._keep_layer("stem", x, self.shape)
        for packed in self.network.blocks:
            x = self._block(x, packed)
        batch, height, width, channels = self.shape
        mean = self._buffer((batch, channels))
        self.plan.launch(mean_kernel, mean, x, batch, height * width, channels,
                         self.pitch)
        self._apply(out, mean, (batch, 1, 1, channels), self.network.classifier)

    def _buffer(self, shape: tuple[int, ...]) -> Floats:
        return self.plan.buffer(math.prod(shape), self.dtype)

    def _keep_layer(self, name: str, x: Floats, shape: tuple[int, ...],
                    channels: Integers | slice = AS_IT_IS) -> None:
        if self._keep:
            self.kept[name] = x.reshape(shape), channels

    def _release(self, *buffers: Floats) -> None:
        if not self._keep:
            for buffer in buffers:
                self.plan.release(buffer)

    def _apply(self, out: Array, x: Floats, shape: tuple[int, ...], product: Packed, *,
               stride: int = 1, pitch: int | None = None, pitch_out: int | None = None,
               residual: Floats | None = None, relu: bool = False) -> None:
        """A 1 x 1 convolution of every stride-th pixel."""
        dense(self.plan, out, x, product,
              pixel_walk(shape, product.channels, stride=stride, pitch=pitch, pitch_out=pitch_out),
              residual=residual, relu=relu)

    def _block(self, x: Floats, packed: PackedBlock) -> Floats:
        """One block's output, NET-2, NET-3."""
        block, shape = packed.block, self.shape
        batch, height, width, _ = shape
        reduced_shape = (batch, height, width, packed.reduce.channels)
        reduced = self._buffer(reduced_shape)
        self._apply(reduced, x, shape, packed.reduce, pitch=self.pitch, relu=True)
        self._keep_layer(f"{block.name}.reduce", reduced, reduced_shape)
        rows, cols = -(-height // block.stride), -(-width // block.stride)
        middle = self._spatial(reduced, reduced_shape, packed)
        self._keep_layer(f"{block.name}.spatial", middle, (batch, rows, cols, reduced_shape[3]),
                         packed.order)
        self.shape, shortcut = (batch, rows, cols, packed.expand.channels), x
        if packed.shortcut is not None:
            # The shortcut takes every stride-th pixel, from the first.
            pitch, self.pitch = self.pitch, pixel_pitch(packed.expand.channels, self.dtype)
            shortcut = self._buffer((batch, rows, cols, self.pitch))
            self._apply(shortcut, x, shape, packed.shortcut, stride=block.stride, pitch=pitch,
                        pitch_out=self.pitch)
        # Where the input is added as it is, the output has its pitch.
        y = self._buffer((batch, rows, cols, self.pitch))
        self._apply(y, middle, (batch, rows, cols, reduced_shape[3]), packed.expand,
                    pitch_out=self.pitch, residual=shortcut, relu=True)
        self._keep_layer(block.name, y, (batch, rows, cols, self.pitch),
                         slice(packed.expand.channels))
        self._release(*{id(buffer): buffer for buffer in (reduced, middle, x, shortcut)}.values())
        return y

    def _spatial(self, x: Floats, shape: tuple[int, ...], packed: PackedBlock) -> Floats:
        """The block's middle layer: attention or convolution, normalization, ReLU."""
        stride, (batch, height, width, channels) = packed.block.stride, shape
        y = self._buffer((batch, -(-height // stride), -(-width // stride), channels))
        if isinstance(packed.spatial, Packed):
            convolve(self.plan, y, x, shape, packed.spatial, 3, stride=stride, before=1, relu=True)
            return y
        check_window(Shapes(NUMBA, {"height": height, "width": width}), self.options)
        if stride == 1:
            run_layer(self.plan, y, x, shape, packed.spatial, self.options, relu=True,
                      keep_places=True)
            return y
        # NET-3: attention runs at the input's resolution; the pool that follows takes the rest
        # along. Means of pixels that all have the bias have it too.
        full = self._buffer(shape)
        run_layer(self.plan, full, x, shape, packed.spatial, self.options, keep_places=True)
        average(self.plan, y, full, shape, relu=True)
        self._release(full)
        return y
