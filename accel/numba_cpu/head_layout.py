"""How queries, keys and values lie where heads are the lanes of a vector.

axis     meaning                                                memory
block    query, key, value; groups of heads; chunks of depth    stride `plane`
pixel    batch, rows and columns with a border of zeros         stride `chunk`
vector   depths of one chunk, `fold` of them in each            stride lanes
lane     one depth after the other, in each the group's heads   contiguous

A neighbour's numbers are whole vectors at any shift, and a slot of the window is the same way from
every pixel. Depths that fill up the last chunk are zero.
"""

from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from .arrays import Integers
from .panels import panel_lanes
from .vector_width import lanes_of

# Depths of one pixel that are read together: a window of them stays in the first cache.
CHUNK_VECTORS = (8, 4)
LEAST_LANES = 4
# Narrower layers are not worth the seconds that a kernel for their window takes to compile.
LEAST_CHANNELS = 64


class HeadLanes(NamedTuple):
    """How channels are arranged, whatever the image.

    lanes    of a vector
    heads    whose numbers are adjacent in it
    groups   of so many heads
    vectors  of a chunk
    chunks   of a head's depth
    """

    lanes: int
    heads: int
    groups: int
    vectors: int
    chunks: int

    @property
    def fold(self) -> int:
        """Depths in one vector."""
        return self.lanes // self.heads

    @property
    def depths(self) -> int:
        """Depths of a chunk."""
        return self.vectors * self.fold

    @property
    def padded(self) -> int:
        """Depths of a head, with those that fill up its last chunk."""
        return self.chunks * self.depths

    @property
    def chunk(self) -> int:
        """Numbers of a pixel in one block."""
        return self.lanes * self.vectors

    @property
    def blocks(self) -> int:
        """Blocks of queries, as many of keys and of values."""
        return self.groups * self.chunks


def head_lanes(heads: int, depth: int, dtype: np.dtype) -> HeadLanes | None:
    """The arrangement for so many heads; None where they fit no vector."""
    lanes = lanes_of(dtype).value if heads * depth >= LEAST_CHANNELS else 0
    while lanes >= LEAST_LANES // (dtype.itemsize // 4):
        if heads % lanes == 0 or heads * 2 == lanes:
            adjacent = min(heads, lanes)
            fold = lanes // adjacent
            vectors = CHUNK_VECTORS[0] if depth % (CHUNK_VECTORS[0] * fold) == 0 \
                else CHUNK_VECTORS[1]
            # A product writes panels, none of which may lie across the end of a chunk.
            vectors = max(vectors, panel_lanes(dtype) // lanes)
            return HeadLanes(lanes, adjacent, heads // adjacent, vectors,
                             -(-depth // (vectors * fold)))
        lanes //= 2
    return None


def channel_places(arranged: HeadLanes, heads: int, depth: int) -> Integers:
    """(heads, depth): each channel's place among the numbers of a pixel in all blocks."""
    head, d = np.meshgrid(np.arange(heads), np.arange(depth), indexing="ij")
    group, lane = head // arranged.heads, head % arranged.heads
    vector, part = d // arranged.fold, d % arranged.fold
    return ((group * arranged.chunks * arranged.vectors + vector) * arranged.lanes
            + part * arranged.heads + lane)


class HeadFrame(NamedTuple):
    """Sizes of one call; every field is an integer.

    before   slots of the window before its own pixel
    rows, cols  of the image with its border; pitch: numbers from one row to the next
    plane    numbers of one block
    entries  of a relative table
    shift, exclude  whether the padding is
    """

    batch: int
    height: int
    width: int
    before: int
    rows: int
    cols: int
    pitch: int
    plane: int
    entries: int
    shift: int
    exclude: int


def head_frame(shape: tuple[int, ...], arranged: HeadLanes,
               options: AttentionOptions) -> HeadFrame:
    """Frame for images of shape (batch, height, width, ...)."""
    batch, height, width = shape[:3]
    border = 0 if options.padding == "shift" else options.extent - 1
    rows, cols = height + border, width + border
    before = options.slots_before
    return HeadFrame(batch, height, width, before, rows, cols, cols * arranged.chunk,
                     batch * rows * cols * arranged.chunk, options.table_rows,
                     int(options.padding == "shift"), int(options.padding == "exclude"))
