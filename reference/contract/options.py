"""The choices that the paper leaves open, each with its canonical value as the default."""

from dataclasses import dataclass

from .errors import finite_number, one_of, true_or_false, whole_number

PADDINGS = ("zero", "exclude", "shift")
RELATIVE_KINDS = ("shared", "per_head", "layer_halves")
POSITIONS = ("relative", "absolute", "none")
SCALE_TERMS = ("both", "content")
FIRST_HALVES = ("row", "column")
EVEN_WINDOWS = ("before", "after")
PROJECTIONS = ("dense", "per_head")
STEM_KINDS = ("conv", "plain", "conv_value", "mixture")


@dataclass(frozen=True, kw_only=True)
class AttentionOptions:
    """How one attention layer is read; every default is canonical.

    extent       rows and columns of the window, at least 1                       (WIN-1)
    heads        heads of the layer; operations on split heads read their arrays  (ATT-1)
    padding      neighbours outside the image: zero, exclude, shift               (PAD-1..3)
    relative     whose tables: shared, per_head, layer_halves                     (REL-4, REL-5)
    position     relative, absolute, none                                         (POS-1..3)
    content      whether q . k is part of the logit                               (ATT-4)
    scale        factor of the logit's terms                                      (ATT-3)
    scale_terms  which terms the factor meets: both, content                      (ATT-3)
    first_half   what the first half of the depth meets: row, column              (REL-2)
    even_window  where an even window has its extra slot: before, after           (WIN-2)
    projection   dense, or block-diagonal per_head                                (ATT-6, ATT-7)

    Raises ValueError or TypeError, naming the field.
    """

    extent: int = 7
    heads: int = 8
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
        whole_number("extent", self.extent)
        whole_number("heads", self.heads)
        one_of("padding", self.padding, PADDINGS)
        one_of("relative", self.relative, RELATIVE_KINDS)
        one_of("position", self.position, POSITIONS)
        true_or_false("content", self.content)
        finite_number("scale", self.scale)
        one_of("scale_terms", self.scale_terms, SCALE_TERMS)
        one_of("first_half", self.first_half, FIRST_HALVES)
        one_of("even_window", self.even_window, EVEN_WINDOWS)
        one_of("projection", self.projection, PROJECTIONS)
        if not self.content and self.position == "none":
            raise ValueError("`content` must be True with position none; got False.")

    @property
    def table_rows(self) -> int:
        """Entries of a relative table: extent, or 2 extent - 1 when the window shifts (REL-6)."""
        return 2 * self.extent - 1 if self.padding == "shift" else self.extent

    @property
    def slots_before(self) -> int:
        """Slots of the window before its own pixel, on either axis (WIN-1, WIN-2)."""
        odd_or_after = self.extent % 2 == 1 or self.even_window == "after"
        return (self.extent - 1) // 2 if odd_or_after else self.extent // 2


@dataclass(frozen=True, kw_only=True)
class StemOptions:
    """Which of the four stems, and its sizes that no array carries.

    kind    conv, plain, conv_value, mixture                     (STEM-1..6)
    heads   heads of an attention stem                           (STEM-2)
    window  rows and columns of a block and of the pool after it (STEM-2)

    Raises ValueError or TypeError, naming the field.
    """

    kind: str = "mixture"
    heads: int = 4
    window: int = 4

    def __post_init__(self) -> None:
        one_of("kind", self.kind, STEM_KINDS)
        whole_number("heads", self.heads)
        whole_number("window", self.window)
