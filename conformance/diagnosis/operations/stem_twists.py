"""The known deviations of the stems and of the average pool."""

from collections.abc import Callable, Iterator
from typing import Any

from ...case import Case
from ...report import Deviation
from .mixture import mixture_twists
from .twist import Twist, always

ATTENDS = ("plain", "conv_value", "mixture")


def _kinds(*kinds: str) -> Callable[[Case], bool]:
    return lambda case: getattr(case.options, "kind", "") in kinds


def _say(name: str, clause: str, sentence: str, acts: Callable[[Case], bool] = always,
         asked: str = "", **changes: Any) -> Twist:
    return Twist(Deviation(name, clause, sentence), changes, acts, asked)


def stem_twists() -> Iterator[Twist]:
    """Every known deviation of a stem; those of the value mixture are read by its own fields."""
    yield from _convolution()
    yield from _attention()
    yield from _values()
    yield from _norms()
    for twist in mixture_twists():
        yield Twist(twist.deviation, {f"mixture.{name}": value
                                      for name, value in twist.changes.items()},
                    _kinds("mixture"), twist.asked)


def _convolution() -> Iterator[Twist]:
    conv = _kinds("conv")
    for before in (2, 4):
        yield _say("stem-stride-misaligned", "STEM-1", f"the 7 x 7 kernel begins {before} rows and "
                   "columns before its pixel, not 3", conv, "conv", before=before)
    yield _say("stem-pool-padded-low", "STEM-1", "the 3 x 3 maximum begins at its pixel, not one "
               "row and column before it", conv, "conv", pool_at=0)
    for clause, kind, what in (("STEM-1", "conv", "the 7 x 7 kernel"),
                               ("STEM-5", "conv_value", "the kernel of the values")):
        for axes, words in (("rows", "along its rows"), ("cols", "along its columns"),
                            ("both", "along both axes")):
            yield _say("stem-kernel-flipped", clause, f"{what} is turned round {words}",
                       _kinds(kind), kind, flipped=axes)


def _attention() -> Iterator[Twist]:
    attends = _kinds(*ATTENDS)
    yield _say("stem-sliding-window", "STEM-2", "every pixel attends to a window around itself, "
               "not to its block", attends, "attends", reach="sliding")
    yield _say("stem-global", "STEM-2", "every pixel attends to the whole image", attends,
               "attends", reach="global")
    yield _say("scaled-content", "ATT-3", "the stem's q . k is multiplied by 1/sqrt(depth), where "
               "STEM-2 has no factor", attends, "attends", content_by="1/sqrt(depth)")
    yield _say("stem-relu", "STEM-3", "a ReLU follows the normalization of an attention stem",
               attends, "attends", activated="yes")
    yield _say("stem-pool-first", "STEM-3", "the maximum precedes the normalization", attends,
               "attends", pool_first=True)
    yield _say("stem-pool-average", "STEM-3", "blocks are averaged, where their maximum is due",
               attends, "attends", pooled="average")
    yield _say("stem-padded-blocks", "STEM-7", "the last blocks are filled up with zeros, which "
               "take part", attends, "attends", cut="padded")
    yield _say("stem-floor-size", "STEM-7", "blocks that the image does not fill are left out",
               attends, "attends", cut="dropped")


def _values() -> Iterator[Twist]:
    yield _say("value-is-key", "STEM-4", "the values of a plain stem are its keys",
               _kinds("plain"), "plain", value_from="w_key")
    yield _say("convolution-in-blocks", "STEM-5", "the convolution of the values stays in its "
               "block", _kinds("conv_value"), "conv_value", in_blocks=True)
    yield _say("even-window-after", "STEM-5", "an even kernel of the values has its extra slot "
               "after the pixel", _kinds("conv_value"), "conv_value", value_before="after")
    yield _say("mixture-ignored", "STEM-6", "all matrices of the mixture weigh alike",
               _kinds("mixture"), "mixture", **{"mixture.over": "equal"})


def _norms() -> Iterator[Twist]:
    yield _say("norm-by-batch", "NET-6", "the normalization takes its mean and variance from the "
               "batch", norm="batch")
    yield _say("norm-by-batch", "NET-6", "the normalization takes its mean from the batch",
               norm="batch_mean")
    yield _say("norm-epsilon-outside", "NET-6", "epsilon is added to the root of the variance",
               norm="outside")
    yield _say("norm-unshifted", "NET-6", "the normalization leaves its shift out",
               norm="unshifted")


def pool_twists() -> Iterator[Twist]:
    """Every known deviation of the average pool."""
    yield _say("pool-counts-padding", "NET-11", "the average of the last row or column of an odd "
               "size divides by 4", counts_padding=True)
    yield _say("pool-floor-size", "NET-11", "the last row and column of an odd size are left out",
               floor=True)
    yield _say("pool-maximum", "NET-3", "the maximum of 2 x 2 pixels is taken, not their mean",
               maximum=True)
