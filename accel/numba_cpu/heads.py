"""Attention with heads as lanes: the fast path, where the number of heads fits a vector."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.options import AttentionOptions

from .arrange import arrange
from .arrays import Floats, Integers
from .dense import dense
from .gemm import Walk
from .head_attention import PIXELS, Output, head_attention_kernel
from .head_layout import HeadFrame, HeadLanes, channel_places, head_frame
from .head_logits import Counts, Logits, Sizes
from .head_tables import LaneTables, lane_tables
from .head_weights import pack_heads_kernel
from .panels import Packed, panel_lanes
from .plan import Array, Plan
from .sharing import THREADS
from .sources import Keys, Source, keys_of
from .vector_exp import LOG2E
from .vector_types import Constant
from .vector_width import vector_bytes

ROLES = 3
TASKS = 24  # rows that keep a few threads busy to the end
TOGETHER = 1 << 23  # bytes


class HeadLayer(NamedTuple):
    """One layer's weights for heads as lanes.

    projections  queries, keys and values side by side; a panel's channel is its place in all blocks
    tables       by lane
    places       (heads, depth), of `channel_places`
    bias         flat (channels,), by the output's own order
    """

    projections: Packed
    tables: LaneTables | None
    arranged: HeadLanes
    places: Integers
    bias: Floats

    @property
    def full(self) -> bool:
        """Whether every place has a channel, so that channels may be left at their places."""
        return self.places.size == self.arranged.blocks * self.arranged.chunk


def attend_arranged(plan: Plan, out: Array, shape: tuple[int, ...], query: Source,
                    key: Source | None, value: Source, tables: Sequence[Array | None],
                    options: AttentionOptions, arranged: HeadLanes) -> None:
    """Write (batch, height, width, heads, depth) of the sources, ATT-5.

    tables  flat rel_row and rel_col, None where there are none
    """
    frame, dtype = head_frame(shape, arranged, options), out.dtype
    heads, depth = shape[3:]
    keys = keys_of(shape, key is not None, options, dtype)
    role = arranged.blocks * frame.plane
    blocks = plan.zeros((frame, arranged, depth), ROLES * role, dtype)
    parts = (blocks[:role], blocks[role:2 * role], blocks[2 * role:])
    arrange(plan, parts[0], *query, depth, arranged, frame)
    if keys.present:
        arrange(plan, parts[1], *(key or query), depth, arranged, frame, taken=keys.taken,
                factor=keys.factor, embedding=keys.embedding)
    arrange(plan, parts[2], *value, depth, arranged, frame)
    shift = np.zeros(arranged.blocks * arranged.chunk, dtype)
    _launch(plan, out, blocks, lane_tables(plan, tables, arranged, heads, depth, options), keys,
            shift, Output(False, False, depth, heads * depth),
            arranged, frame, options)


def pack_heads(plan: Plan, matrices: Sequence[Array | None], tables: Sequence[Array | None],
               bias: Floats, arranged: HeadLanes, options: AttentionOptions) -> HeadLayer:
    """Pack a layer's flat weights; `bias` (channels,) is added to its output.

    matrices  (channels_in, channels_out) of queries, keys and values; no keys when content is off
    tables    rel_row and rel_col, None where there are none
    """
    heads, depth = options.heads, bias.size // options.heads
    dtype, taps = next((w.dtype, w.size // (heads * depth)) for w in matrices if w is not None)
    role, wide = arranged.blocks * arranged.chunk, panel_lanes(dtype)
    weights = plan.zeros("weights", ROLES * role * taps, dtype)
    panels = [(0, first, wide) for part, matrix in enumerate(matrices) if matrix is not None
              for first in range(part * role, part * role + role, wide)]
    used = 0
    for matrix in matrices:
        if matrix is not None:
            plan.launch(pack_heads_kernel, weights, matrix, taps, used, depth, arranged.groups,
                        arranged.padded, wide, Constant(arranged.heads))
            used += role
    packed = Packed(weights[:used * taps], np.array(panels, np.int64).reshape(-1),
                    np.zeros(used, dtype), ROLES * role)
    return HeadLayer(packed, lane_tables(plan, tables, arranged, heads, depth, options), arranged,
                     channel_places(arranged, heads, depth), bias)


def run_heads(plan: Plan, out: Array, x: Array, shape: tuple[int, ...], layer: HeadLayer,
              options: AttentionOptions, *, relu: bool = False, keep_places: bool = False) -> None:
    """Write (batch, height, width, channels_out) of x of shape (batch, height, width, channels).

    keep_places  leave every channel at its place, where that is full, instead of putting it back
                 to n depth + d
    """
    arranged, (heads, depth) = layer.arranged, layer.places.shape
    keys = keys_of((*shape[:3], heads, depth), options.content, options, x.dtype)
    shift = np.zeros(arranged.blocks * arranged.chunk, x.dtype)
    shift[layer.places.reshape(-1)] = layer.bias
    after = Output(relu, keep_places and layer.full, depth, heads * depth)
    batch, pixels = shape[0], math.prod(shape[1:3])
    image = ROLES * arranged.blocks * head_frame((1, *shape[1:]), arranged, options).plane
    # So few images at a time that their blocks stay in a cache between projection and attention.
    together = min(batch, max(1, TOGETHER // (image * x.dtype.itemsize)))
    for first in range(0, batch, together):
        count = min(together, batch - first)
        frame = head_frame((count, *shape[1:]), arranged, options)
        blocks = plan.zeros((frame, arranged, depth), count * image, x.dtype)
        sources, targets = (slice(first * pixels * channels, (first + count) * pixels * channels)
                            for channels in (shape[3], heads * depth))
        dense(plan, blocks, x[sources], _into_blocks(layer.projections, arranged, frame),
              _walk((count, *shape[1:]), arranged, frame))
        _launch(plan, out[targets], blocks, layer.tables, keys, shift, after, arranged, frame,
                options)


def _into_blocks(projections: Packed, arranged: HeadLanes, frame: HeadFrame) -> Packed:
    """Projections whose panels are written to the blocks, inside the border."""
    panels = projections.panels.reshape(-1, 3).copy()
    border = 0 if frame.shift else frame.before
    panels[:, 1] = (panels[:, 1] // arranged.chunk * frame.plane + panels[:, 1] % arranged.chunk
                    + (border * frame.cols + border) * arranged.chunk)
    return projections._replace(panels=panels.reshape(-1))


def _walk(shape: tuple[int, ...], arranged: HeadLanes, frame: HeadFrame) -> Walk:
    """From channels-last pixels to the blocks."""
    batch, height, width, taps = shape
    return Walk(batch, height, width, height * width * taps, width * taps, taps, 1, 0, taps,
                frame.rows * frame.pitch, frame.pitch, arranged.chunk)


def _launch(plan: Plan, out: Array, blocks: Floats, tables: LaneTables | None, keys: Keys,
            bias: Floats, after: Output, arranged: HeadLanes, frame: HeadFrame,
            options: AttentionOptions) -> None:
    number, nothing = blocks.dtype.type, blocks[:0]
    tables = tables or LaneTables(nothing, nothing)
    # Probabilities are powers of two of such logits.
    content, position = (number(factor * LOG2E)
                         for factor in (keys.content, keys.position))
    terms = Logits(keys.present, content, options.position == "relative", position, *tables[2:])
    # Sums of two pixels fill the registers: 32 with AVX-512, 16 otherwise.
    mixed = 8 if vector_bytes() == 64 else 4
    sizes = Sizes(*map(Constant, (arranged.lanes, arranged.heads, arranged.vectors,
                                  options.extent, min(mixed, arranged.vectors))))
    units = PIXELS // arranged.fold
    # Whole rows, or their strips where there are few.
    run = frame.width if frame.batch * frame.height * arranged.groups >= TASKS else 1
    plan.launch(head_attention_kernel, out, blocks, tables.row, tables.col, bias, arranged.chunks,
                arranged.groups, units, run, terms, after, sizes,
                Counts(arranged.lanes, arranged.heads, options.extent, arranged.depths,
                       arranged.chunks * arranged.chunk), frame, THREADS)
