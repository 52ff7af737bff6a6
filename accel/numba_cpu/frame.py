"""How the pixels of an image lie in the padded rows that the window kernel reads.

An image is one long row of lanes: its rows follow one another `pitch` lanes apart, each with
zeros after it, which serve as the zeros before the next; `margin` zeros come before the first
row, and zeros follow the last as far as any window reaches. The neighbour of lane p in slot
(row, col) is lane

    p + (row - before) pitch + (col - before)        counted after the margin

for every p alike, inside the image and at its borders. Strips of LANES lanes cover the rows.
"""

from typing import NamedTuple

from sasakit.reference.contract.options import AttentionOptions

from .lanes import LANES

SHIFT, EXCLUDE = 1, 2


class Frame(NamedTuple):
    """Sizes of one call; every field is an integer, so that kernels can read them.

    quads    depth in fours, rounded up: the rows of an image are 4 quads
    before   slots of the window before its own pixel
    pitch, margin, lanes, strips   see above; lanes is the length of a row with its margins
    table    entries of a relative table
    padding  SHIFT, EXCLUDE or 0 for zero
    """

    batch: int
    height: int
    width: int
    heads: int
    depth: int
    quads: int
    extent: int
    before: int
    pitch: int
    margin: int
    lanes: int
    strips: int
    table: int
    padding: int


def frame_of(shape: tuple[int, ...], options: AttentionOptions) -> Frame:
    """Frame for images of shape (batch, height, width, heads, depth)."""
    batch, height, width, heads, depth = shape
    extent, before = options.extent, options.slots_before
    pitch = width + max(before, extent - 1 - before)
    margin = before * pitch + before
    # The zeros after the last row need no outputs.
    strips = -(-((height - 1) * pitch + width) // LANES)
    lanes = strips * LANES + (extent - 1) * (pitch + 1)
    padding = {"zero": 0, "shift": SHIFT, "exclude": EXCLUDE}[options.padding]
    return Frame(batch, height, width, heads, depth, -(-depth // 4), extent, before, pitch,
                 margin, lanes, strips, options.table_rows, padding)
