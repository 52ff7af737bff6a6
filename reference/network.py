"""Chapter 8, networks: bottleneck blocks whose middle layer attends. NET-1 to NET-9."""

from collections.abc import Mapping
from dataclasses import dataclass

from .arrays import NUMPY, SILENT, Floats
from .attention import attention_layer
from .contract.architecture import Block, NetworkSpec, network_blocks
from .contract.options import AttentionOptions
from .contract.parameters import check_images, check_network
from .layers import average_pool, batch_norm, convolution, relu
from .stems import stem


@dataclass(frozen=True, eq=False)
class Network:
    """A network with its weights: images in, logits out."""

    spec: NetworkSpec
    weights: Mapping[str, Floats]

    def __call__(self, images: Floats) -> Floats:
        """(batch, classes) logits of images (batch, height, width, image_channels).

        Raises ValueError for shapes, TypeError for dtypes.
        """
        return self.trace(images)["logits"]

    @SILENT
    def trace(self, images: Floats) -> dict[str, Floats]:
        """Every layer's output by name, in order, SPEC NET-8.

        "stem"; for each block "<block>.reduce", "<block>.spatial", "<block>"; "logits".
        """
        check_images(NUMPY, images, self.spec, str(self.weights["classifier.w"].dtype), "cpu")
        seen = {"stem": stem(images, part(self.weights, "stem"), options=self.spec.stem_options())}
        options = self.spec.attention_options()
        x = seen["stem"]
        for block in network_blocks(self.spec):
            own = part(self.weights, block.name)
            seen[f"{block.name}.reduce"] = reduced = reduce(x, own)
            seen[f"{block.name}.spatial"] = middle = spatial(reduced, own, block, options)
            seen[block.name] = x = expand(x, middle, own, block)
        seen["logits"] = classify(x, part(self.weights, "classifier"))
        return seen


def load(spec: NetworkSpec, weights: Mapping[str, Floats]) -> Network:
    """A network ready to run; `weights` as `network_parameters` names them, SPEC NET-6.

    Raises ValueError for names and shapes, TypeError for dtypes.
    """
    check_network(NUMPY, spec, weights)
    return Network(spec, dict(weights))


def part(weights: Mapping[str, Floats], prefix: str) -> dict[str, Floats]:
    """The weights below a prefix, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}


def reduce(x: Floats, own: Mapping[str, Floats]) -> Floats:
    """The block's first layer: 1 x 1 to channels_mid, normalization, ReLU, SPEC NET-2."""
    return relu(batch_norm(x @ own["reduce.w"], part(own, "reduce")))


def spatial(x: Floats, own: Mapping[str, Floats], block: Block,
            options: AttentionOptions) -> Floats:
    """The block's middle layer: attention or convolution, norm, ReLU, SPEC NET-2, NET-3."""
    if block.attention:
        y = attention_layer(x, part(own, "attention"), options=options)
        # SPEC NET-3: attention runs at the input's resolution; a pool follows it.
        y = average_pool(y) if block.stride == 2 else y
    else:
        y = convolution(x, own["conv.w"], stride=block.stride, before=1)
    return relu(batch_norm(y, part(own, "spatial")))


def expand(x: Floats, middle: Floats, own: Mapping[str, Floats], block: Block) -> Floats:
    """The block's output: 1 x 1 to channels_out, normalization, shortcut, ReLU, SPEC NET-2."""
    y = batch_norm(middle @ own["expand.w"], part(own, "expand"))
    if block.projects:
        # SPEC NET-3: the shortcut takes every stride-th pixel, from the first.
        strided = x[:, ::block.stride, ::block.stride]
        x = batch_norm(strided @ own["shortcut.w"], part(own, "shortcut"))
    return relu(y + x)


def classify(x: Floats, own: Mapping[str, Floats]) -> Floats:
    """(batch, classes): the mean over the image, then the classifier, SPEC NET-7."""
    return x.mean(axis=(1, 2), dtype=x.dtype) @ own["w"] + own["bias"]
