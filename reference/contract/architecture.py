"""Which network: stages, blocks and their channels, without any arithmetic (NET-1 to NET-5)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from .checks import check_layer_channels
from .errors import broken, one_of, whole_number
from .options import STEM_KINDS, AttentionOptions, StemOptions

BLOCKS = {26: (1, 2, 4, 1), 38: (2, 3, 5, 2), 50: (3, 4, 6, 3)}
EXPANSION = 4


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """One network of the family; the default is ResNet-50, convolution stem, all attention.

    depth           layers in the ResNet's sense: 26, 38, 50, or 3 sum(blocks) + 2    (NET-1)
    stem            conv, plain, conv_value, mixture                                  (NET-5)
    stages          which stages are attention, from 1; the rest convolve             (NET-4)
    classes         outputs of the classifier
    blocks          blocks per stage; None takes them from depth                      (NET-1)
    width           channels of the stem, a quarter of stage 1's outputs              (NET-1)
    image_channels  channels of an image
    stem_heads, stem_window, stem_mixtures   sizes of an attention stem               (STEM-2)
    The other fields are AttentionOptions of every attention layer.

    Raises ValueError or TypeError, naming the field.
    """

    depth: int = 50
    stem: str = "conv"
    extent: int = 7
    heads: int = 8
    stages: tuple[int, ...] = (1, 2, 3, 4)
    classes: int = 1000
    blocks: tuple[int, ...] | None = None
    width: int = 64
    image_channels: int = 3
    stem_heads: int = 4
    stem_window: int = 4
    stem_mixtures: int = 4
    padding: str = "zero"
    relative: str = "shared"
    position: str = "relative"
    content: bool = True
    scale: float = 1.0
    scale_terms: str = "both"
    first_half: str = "row"
    even_window: str = "before"
    projection: str = "dense"

    def __post_init__(self) -> None:
        one_of("stem", self.stem, STEM_KINDS)
        for name in ("depth", "classes", "width", "image_channels", "stem_mixtures"):
            whole_number(name, getattr(self, name))
        _check_blocks(self.depth, self.blocks)
        options = self.attention_options()
        if self.stem != "conv":
            self.stem_options()
            if self.width % self.stem_heads:
                raise ValueError(f"`stem_heads` must divide the width; "
                                 f"got stem_heads={self.stem_heads}, width={self.width}.")
        _check_stages(self.stages, len(self.block_counts))
        for stage in self.stages:
            check_layer_channels(self.channels_mid(stage), self.channels_mid(stage), options)

    @property
    def block_counts(self) -> tuple[int, ...]:
        """Blocks in each stage (NET-1)."""
        return self.blocks if self.blocks is not None else BLOCKS[self.depth]

    def channels_mid(self, stage: int) -> int:
        """Channels of the middle layer in a stage, from 1 (NET-1)."""
        return int(self.width * 2 ** (stage - 1))

    @property
    def channels_last(self) -> int:
        """Channels that enter the classifier (NET-7)."""
        return self.channels_mid(len(self.block_counts)) * EXPANSION

    def attention_options(self) -> AttentionOptions:
        """The options of every attention layer in the network."""
        names = [field.name for field in fields(AttentionOptions)]
        return AttentionOptions(**{name: getattr(self, name) for name in names})

    def stem_options(self) -> StemOptions:
        """The options of the stem."""
        return StemOptions(kind=self.stem, heads=self.stem_heads, window=self.stem_window)


def _check_blocks(depth: int, blocks: object) -> None:
    if blocks is None:
        if depth not in BLOCKS:
            known = ", ".join(str(known) for known in BLOCKS)
            raise ValueError(broken("depth", f"be one of {known} unless blocks are given", depth))
        return
    if not isinstance(blocks, tuple) or not blocks:
        raise TypeError(broken("blocks", "be a tuple of at least one integer", repr(blocks)))
    for count in blocks:
        whole_number("blocks", count)
    if depth != 3 * sum(blocks) + 2:
        raise ValueError(broken("depth", f"be 3 sum(blocks) + 2 = {3 * sum(blocks) + 2}", depth))


def _check_stages(stages: object, count: int) -> None:
    if not isinstance(stages, tuple):
        raise TypeError(broken("stages", "be a tuple of integers", repr(stages)))
    for stage in stages:
        whole_number("stages", stage)
    if len(set(stages)) != len(stages) or any(stage > count for stage in stages):
        raise ValueError(broken("stages", f"be distinct and lie in 1 to {count}", stages))


@dataclass(frozen=True)
class Block:
    """One bottleneck block: where it stands, its channels, and what its middle layer is (NET-2).

    stride is 2 in the first block of every stage but the first (NET-3); projects says whether the
    shortcut has weights, as it does in the first block of every stage (NET-3).
    """

    name: str
    attention: bool
    channels_in: int
    channels_mid: int
    channels_out: int
    stride: int
    projects: bool


def network_blocks(spec: NetworkSpec) -> Iterator[Block]:
    """The blocks in order, named stage1.block1 onwards (NET-1, NET-2)."""
    channels_in = spec.width
    for stage, count in enumerate(spec.block_counts, start=1):
        channels_mid = spec.channels_mid(stage)
        channels_out = channels_mid * EXPANSION
        for block in range(1, count + 1):
            first = block == 1
            yield Block(name=f"stage{stage}.block{block}", attention=stage in spec.stages,
                        channels_in=channels_in, channels_mid=channels_mid,
                        channels_out=channels_out, stride=2 if first and stage > 1 else 1,
                        projects=first)
            channels_in = channels_out
