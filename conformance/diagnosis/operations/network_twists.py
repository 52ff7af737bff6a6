"""The known deviations of a network's layers."""

from collections.abc import Iterator
from typing import Any

from ...case import Case
from .acting import Acts, both, say
from .attention_twists import attention_twists
from .network import LayerCase
from .stem_twists import stem_twists
from .twist import Twist


def network_twists() -> list[Twist]:
    """Every known deviation of a network, its stem's and its attention's among them."""
    attention = [Twist(each.deviation, each.changes, _attending(each.acts), each.asked)
                 for each in attention_twists("attention_layer")]
    stem = [Twist(each.deviation, each.changes, both(_kinds("stem"), each.acts), each.asked)
            for each in stem_twists()]
    return [*_layers(), *stem, *attention]


def _attending(acts: Acts) -> Acts:
    return lambda case: isinstance(case, LayerCase) and case.operation == "spatial" \
        and case.block is not None and case.block.attention and acts(case)


def _kinds(*kinds: str) -> Acts:
    return lambda case: case.operation in kinds


def _strided(operation: str, *, attends: bool | None = None) -> Acts:
    def acts(case: Case) -> bool:
        block = case.block if isinstance(case, LayerCase) else None
        return case.operation == operation and block is not None and block.stride == 2 \
            and attends in (None, block.attention)
    return acts


def _layer(name: str, clause: str, sentence: str, acts: Acts, field: str, value: Any) -> Twist:
    return say(name, clause, sentence, acts, **{f"layer.{field}": value})


def _layers() -> Iterator[Twist]:
    normed = _kinds("reduce", "spatial", "expand")
    yield _layer("norm-by-batch", "NET-6", "the normalization takes its mean and variance from the "
                 "batch", normed, "norm", "batch")
    yield _layer("norm-by-batch", "NET-6", "the normalization takes its mean from the batch",
                 normed, "norm", "batch_mean")
    yield _layer("norm-epsilon-outside", "NET-6", "epsilon is added to the root of the variance",
                 normed, "norm", "outside")
    yield _layer("norm-unshifted", "NET-6", "the normalization leaves its shift out", normed,
                 "norm", "unshifted")
    for layer, words in (("reduce", "first 1 x 1"), ("spatial", "middle layer"),
                         ("expand", "sum with the shortcut")):
        yield _layer("relu-missing", "NET-2", f"no ReLU follows a block's {words}", _kinds(layer),
                     "missing", layer)
    yield _layer("relu-before-sum", "NET-2", "a block's last ReLU precedes the sum with the "
                 "shortcut", _kinds("expand"), "sum", "before")
    pools = _strided("spatial", attends=True)
    yield _layer("pool-before-attention", "NET-3", "the average precedes the attention", pools,
                 "pool", "before")
    yield _layer("strided-queries", "NET-3", "every second pixel of the attention is taken, where "
                 "an average is due", pools, "pool", "strided")
    yield _layer("pool-maximum", "NET-3", "a maximum follows the attention, where an average is "
                 "due", pools, "pool", "maximum")
    yield _layer("pool-counts-padding", "NET-11", "the average after the attention divides the "
                 "last row or column of an odd size by 4", pools, "pool", "counts")
    yield _layer("shortcut-pooled", "NET-10", "the shortcut averages 2 x 2 pixels",
                 _strided("expand"), "shortcut", "pooled")
    yield _layer("shortcut-odd-pixels", "NET-10", "the shortcut takes every second pixel from the "
                 "second", _strided("expand"), "shortcut", "odd")
    yield _layer("classifier-pool-maximum", "NET-7", "the classifier takes the maximum over the "
                 "pixels", _kinds("logits"), "classifier", "maximum")
    yield _layer("classifier-unbiased", "NET-7", "the classifier leaves its bias out",
                 _kinds("logits"), "biased", False)
