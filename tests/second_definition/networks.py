"""Networks from folded weights, block by block, with their own reading of the block list."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sasakit.reference.arrays import NUMPY
from sasakit.reference.contract.parameters import check_images, check_network

from .attention import attention_layer
from .stems import average_pool, convolve, folded, stem

COUNTS = {26: [1, 2, 4, 1], 38: [2, 3, 5, 2], 50: [3, 4, 6, 3]}


def below(weights, prefix):
    return {name[len(prefix) + 1:]: w for name, w in weights.items()
            if name.startswith(prefix + ".")}


def load(spec, weights):
    check_network(NUMPY, spec, weights)
    return Network(spec, weights)


@dataclass
class Network:
    spec: Any
    weights: Any

    def __call__(self, images):
        return self.trace(images)["logits"]

    def trace(self, images):
        spec = self.spec
        check_images(NUMPY, images, spec, str(self.weights["classifier.w"].dtype), "cpu")
        seen = {"stem": stem(images, below(self.weights, "stem"), options=spec.stem_options())}
        x = seen["stem"]
        for stage, count in enumerate(spec.blocks or COUNTS[spec.depth]):
            for number in range(count):
                name = f"stage{stage + 1}.block{number + 1}"
                stride = 2 if stage and not number else 1
                own = below(self.weights, name)
                r = seen[f"{name}.reduce"] = np.maximum(product(x, own, "reduce"), 0)
                m = seen[f"{name}.spatial"] = self.spatial(r, own, stage + 1 in spec.stages, stride)
                if not number:
                    keep = x[:, range(0, x.shape[1], stride)][:, :, range(0, x.shape[2], stride)]
                    x = product(keep, own, "shortcut")
                x = seen[name] = np.maximum(product(m, own, "expand") + x, 0)
        means = x.sum(axis=(1, 2)) / x.dtype.type(x.shape[1] * x.shape[2])
        seen["logits"] = means @ self.weights["classifier.w"] + self.weights["classifier.bias"]
        return seen

    def spatial(self, r, own, attends, stride):
        factor, shift = folded(below(own, "spatial"))
        if attends:
            layer = below(own, "attention")
            # The normalization's factor goes into the values: all that follows is linear in them.
            # Per-head weights are (heads, channels in, depth); channels out are heads x depth.
            w = layer["w_value"]
            by_head = factor.reshape(w.shape[0], 1, w.shape[2]) if w.ndim == 3 else factor
            layer["w_value"] = w * by_head
            y = attention_layer(r, layer, options=self.spec.attention_options())
            y = average_pool(y) if stride == 2 else y
        else:
            y = convolve(r, own["conv.w"] * factor, stride, 1)
        return np.maximum(y + shift, 0)


def product(x, own, part):
    """A 1 x 1 with its normalization folded in."""
    factor, shift = folded(below(own, part))
    return np.einsum("bijc,co->bijo", x, own[f"{part}.w"] * factor) + shift
