"""The known deviations of the stems and of the average pool."""

from collections.abc import Iterator

from .acting import Acts, say
from .mixture import mixture_twists
from .twist import Twist

ATTENDS = ("plain", "conv_value", "mixture")


def _kinds(*kinds: str) -> Acts:
    return lambda case: getattr(case.options, "kind", "") in kinds


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
        yield say("stem-stride-misaligned", "STEM-1", f"the 7 x 7 kernel begins {before} rows and "
                  "columns before its pixel, not 3", conv, "conv", before=before)
    yield say("stem-pool-padded-low", "STEM-1", "the 3 x 3 maximum begins at its pixel, not one "
              "row and column before it", conv, "conv", pool_at=0)
    for clause, kind, what in (("STEM-1", "conv", "the 7 x 7 kernel"),
                               ("STEM-5", "conv_value", "the kernel of the values")):
        for axes, words in (("rows", "along its rows"), ("cols", "along its columns"),
                            ("both", "along both axes")):
            yield say("stem-kernel-flipped", clause, f"{what} is turned round {words}",
                      _kinds(kind), kind, flipped=axes)


def _attention() -> Iterator[Twist]:
    attends = _kinds(*ATTENDS)
    yield say("stem-sliding-window", "STEM-2", "every pixel attends to a window around itself, "
              "not to its block", attends, "attends", reach="sliding")
    yield say("stem-global", "STEM-2", "every pixel attends to the whole image", attends,
              "attends", reach="global")
    yield say("stem-scaled", "STEM-2", "q . k is multiplied by 1/sqrt(depth)", attends,
              "attends", content_by="1/sqrt(depth)")
    yield say("stem-relu", "STEM-3", "a ReLU follows the normalization of an attention stem",
              attends, "attends", activated="yes")
    yield say("stem-pool-first", "STEM-3", "the maximum precedes the normalization", attends,
              "attends", pool_first=True)
    yield say("stem-pool-average", "STEM-3", "blocks are averaged, where their maximum is due",
              attends, "attends", pooled="average")
    yield say("stem-padded-blocks", "STEM-7", "the last blocks are filled up with zeros, which "
              "take part", attends, "attends", cut="padded")
    yield say("stem-floor-size", "STEM-7", "blocks that the image does not fill are left out",
              attends, "attends", cut="dropped")


def _values() -> Iterator[Twist]:
    yield say("value-is-key", "STEM-4", "the values of a plain stem are its keys",
              _kinds("plain"), "plain", value_from="w_key")
    yield say("convolution-in-blocks", "STEM-5", "the convolution of the values stays in its "
              "block", _kinds("conv_value"), "conv_value", in_blocks=True)
    yield say("even-window-after", "STEM-5", "an even kernel of the values has its extra slot "
              "after the pixel", _kinds("conv_value"), "conv_value", value_before="after")
    yield say("mixture-ignored", "STEM-6", "all matrices of the mixture weigh alike",
              _kinds("mixture"), "mixture", **{"mixture.over": "equal"})


def _norms() -> Iterator[Twist]:
    yield say("norm-by-batch", "NET-6", "the normalization takes its mean and variance from the "
              "batch", norm="batch")
    yield say("norm-by-batch", "NET-6", "the normalization takes its mean from the batch",
              norm="batch_mean")
    yield say("norm-epsilon-outside", "NET-6", "epsilon is added to the root of the variance",
              norm="outside")
    yield say("norm-unshifted", "NET-6", "the normalization leaves its shift out",
              norm="unshifted")


def pool_twists() -> Iterator[Twist]:
    """Every known deviation of the average pool."""
    yield say("pool-counts-padding", "NET-11", "the average of the last row or column of an odd "
              "size divides by 4", counts_padding=True)
    yield say("pool-floor-size", "NET-11", "the last row and column of an odd size are left out",
              floor=True)
    yield say("pool-maximum", "NET-3", "the maximum of 2 x 2 pixels is taken, not their mean",
              maximum=True)
