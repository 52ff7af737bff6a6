"""A network's layers under any reading, each from the inputs that the implementation gave it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sasakit.reference import NetworkSpec, layers
from sasakit.reference.contract.architecture import Block, network_blocks
from sasakit.reference.network import part

from ...case import Case
from ...estimate import Array
from ...profiles import Profile
from .agreement import Evidence
from .attention import attention_variant
from .attention_reading import asked_reading
from .pool import PoolReading, pool_variant
from .stem import normalized
from .twist import Twist, twisted


@dataclass(frozen=True, eq=False)
class LayerCase(Case):
    """One layer of a network; the operation is its kind: reduce, spatial, expand, logits.

    own     the weights of the layer's block
    block   the block; None for the logits
    """

    own: Mapping[str, Array] = field(default_factory=dict)
    block: Block | None = None


@dataclass(frozen=True)
class LayerReading:
    """One reading of a layer around its attention; the first value of each field is canonical.

    norm       as in `stem.normalized`
    relus      reduce, spatial and expand, unless one is missing (its name)
    pool       where the pool of a strided block that attends stands: after, before, strided (every
               second pixel in its place), maximum, counts (odd ends are divided by 4)
    shortcut   what a strided shortcut takes: first (every second pixel), pooled, odd
    sum        whether the last ReLU follows the sum: after, before
    classifier  mean or maximum
    biased     whether the classifier has its bias
    """

    norm: str = "running"
    missing: str = ""
    pool: str = "after"
    shortcut: str = "first"
    sum: str = "after"
    classifier: str = "mean"
    biased: bool = True


# A reading that is not the implementation's may overflow; then it is not finite and no match.
@np.errstate(all="ignore")
def layer_variant(case: LayerCase, twists: Sequence[Twist]) -> Array:
    """The output of one layer under some deviations."""
    reading = twisted(LayerReading(), [
        Twist(each.deviation, {name.removeprefix("layer."): value
                               for name, value in each.changes.items()})
        for each in twists if any(name.startswith("layer.") for name in each.changes)])
    x, own = case.arrays["x"], case.own
    if case.operation == "logits":
        seen = x.mean(axis=(1, 2)) if reading.classifier == "mean" else x.max(axis=(1, 2))
        return seen @ own["w"] + (own["bias"] if reading.biased else 0.0)
    if case.operation == "expand":
        return _expanded(case, reading)
    if case.operation == "reduce":
        y = normalized(x @ own["reduce.w"], part(own, "reduce"), reading.norm)
    else:
        attention = [each for each in twists
                     if not any(name.startswith("layer.") for name in each.changes)]
        y = normalized(_middle(case, reading, attention), part(own, "spatial"), reading.norm)
    return y if reading.missing == case.operation else layers.relu(y)


def _middle(case: LayerCase, reading: LayerReading, attention: Sequence[Twist]) -> Array:
    x, block = case.arrays["x"], case.block
    assert block is not None
    if not block.attention:
        return layers.convolution(x, case.own["conv.w"], stride=block.stride, before=1)
    options = case.options
    plain = asked_reading(options)  # type: ignore[arg-type]
    pools = block.stride == 2
    if pools and reading.pool == "before":
        x = pool_variant(x, PoolReading())
    given = Case("attention_layer", {**case.arrays, "x": x}, options, case.dtype)
    y = attention_variant(given, twisted(plain, attention))
    if not pools or reading.pool == "before":
        return y
    if reading.pool == "strided":
        return y[:, ::2, ::2]
    return pool_variant(y, PoolReading(maximum=reading.pool == "maximum",
                                       counts_padding=reading.pool == "counts"))


def _expanded(case: LayerCase, reading: LayerReading) -> Array:
    x, own, block = case.arrays["x"], case.own, case.block
    assert block is not None
    y = normalized(case.arrays["middle"] @ own["expand.w"], part(own, "expand"), reading.norm)
    if block.projects:
        if block.stride == 2 and reading.shortcut == "pooled":
            x = pool_variant(x, PoolReading())
        else:
            first = 1 if block.stride == 2 and reading.shortcut == "odd" else 0
            x = x[:, first::block.stride, first::block.stride]
        x = normalized(x @ own["shortcut.w"], part(own, "shortcut"), reading.norm)
    if reading.sum == "before":
        return layers.relu(y) + x
    return y + x if reading.missing == "expand" else layers.relu(y + x)


def layer_evidence(case: Case, trace: Mapping[str, Array], profile: Profile) -> list[Evidence]:
    """Evidence of every layer of a network whose layers are named as NET-8 says.

    Raises KeyError where a layer has no name.
    """
    spec, weights = case.options, case.arrays
    assert isinstance(spec, NetworkSpec)
    stem = {"images": weights["images"], **part(weights, "stem")}
    found = [Evidence("stem", Case("stem", stem, spec.stem_options(), case.dtype), trace["stem"],
                      profile)]
    x, options = trace["stem"], spec.attention_options()
    for block in network_blocks(spec):
        own, name = part(weights, block.name), block.name
        base = LayerCase("reduce", {"x": x}, options, case.dtype, own=own, block=block)
        reduced, middle = trace[f"{name}.reduce"], trace[f"{name}.spatial"]
        attention = part(own, "attention") if block.attention else {}
        parts = {"reduce": (base, reduced),
                 "spatial": (replace(base, operation="spatial",
                                     arrays={"x": reduced, **attention}), middle),
                 "": (replace(base, operation="expand", arrays={"x": x, "middle": middle}),
                      trace[name])}
        found += [Evidence(f"{name}.{layer}".rstrip("."), layer_case, actual, profile)
                  for layer, (layer_case, actual) in parts.items()]
        x = trace[name]
    logits = LayerCase("logits", {"x": x}, options, case.dtype, own=part(weights, "classifier"))
    return [*found, Evidence("logits", logits, trace["logits"], profile)]
