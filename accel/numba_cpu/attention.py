"""local_attention and attention_layer: chapter 5, on the window kernel."""

from collections.abc import Mapping
from typing import NamedTuple

from sasakit.reference.contract.checks import check_attention_layer, check_local_attention
from sasakit.reference.contract.options import AttentionOptions

from .arrays import NUMBA, Floats, empty, flat, zeros
from .dense import Packed, dense, pack_weights, pixel_walk
from .frame import frame_of
from .head_layout import head_lanes
from .heads import HeadLayer, attend_arranged, pack_heads, run_heads
from .jit import launch
from .norm import folded
from .pack import pack
from .sources import Source, keys_of
from .tables import Tables, head_tables
from .window_attention import Terms, window_attention_kernel


def attend(shape: tuple[int, ...], query: Source, key: Source | None, value: Source,
           tables: Tables, options: AttentionOptions, *, bias: Floats | None = None,
           relu: bool = False) -> Floats:
    """(batch, height, width, heads, depth) of the flat sources, ATT-5; + bias, then ReLU.

    key   None when content is off
    bias  flat (heads depth)
    """
    arranged = head_lanes(shape[3], shape[4], query.array.dtype)
    if arranged is not None and bias is None and not relu:
        return attend_arranged(shape, query, key, value, tables, options, arranged)
    frame, like = frame_of(shape, options), query.array
    channels, number = frame.heads * frame.depth, like.dtype.type
    keys = keys_of(shape, key is not None, options, like)
    packed = zeros(0, like)
    if keys.present:
        packed = pack(*(key or query), frame, taken=keys.taken, factor=keys.factor,
                      embedding=keys.embedding)
    terms = Terms(keys.present, number(keys.content), options.position == "relative",
                  number(keys.position), query.start, query.stride, relu)
    out = empty(shape, like)
    launch(window_attention_kernel, out.reshape(-1), query.array, packed, pack(*value, frame),
           *tables, zeros(channels, like) if bias is None else bias, terms, frame)
    return out


def local_attention(query: Floats, key: Floats | None, value: Floats, rel_row: Floats | None,
                    rel_col: Floats | None, *, options: AttentionOptions) -> Floats:
    """(batch, height, width, heads, depth): every query's mixture of its window's values, ATT-5.

    query, key, value  (batch, height, width, heads, depth), float32 or float64; key may be None
                       when content is off
    rel_row, rel_col   as for `relative_logits`; None unless position is relative
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_local_attention(NUMBA, query, key, value, rel_row, rel_col, options)
    heads, depth = query.shape[3:]
    tables = head_tables(rel_row, rel_col, heads, depth, options, query)
    stride = heads * depth
    keys = Source(flat(key), 0, stride) if options.content and key is not None else None
    return attend(query.shape, Source(flat(query), 0, stride), keys,
                  Source(flat(value), 0, stride), tables, options)


class Layer(NamedTuple):
    """One attention layer's weights, packed: the projections side by side, and the tables.

    fast  the same for heads as lanes, where that is possible; its projections are those
    """

    projections: Packed
    taps: int
    depth: int
    tables: Tables
    fast: HeadLayer | None


def pack_layer(weights: Mapping[str, Floats], options: AttentionOptions,
               value_factor: Floats | None = None) -> Layer:
    """Pack one layer's weights; `value_factor` (channels_out,) multiplies the values."""
    w_query, w_value = weights["w_query"], weights["w_value"]
    per_head = options.projection == "per_head"
    channels = options.heads * w_query.shape[2] if per_head else w_query.shape[1]
    depth = channels // options.heads
    if value_factor is not None:
        w_value = folded(w_value, value_factor.reshape(options.heads, 1, depth) if per_head
                         else value_factor)
    key = weights["w_key"] if options.content else None
    tables = head_tables(weights.get("rel_row"), weights.get("rel_col"), options.heads, depth,
                         options, w_query)
    arranged = head_lanes(options.heads, depth, w_query.dtype)
    if arranged is not None and not per_head and options.position != "absolute":
        fast = pack_heads((w_query, key, w_value), tables, arranged, options.heads, depth)
        return Layer(fast.projections, w_query.shape[0], depth, tables, fast)
    names = [w for w in (w_query, key, w_value) if w is not None]
    matrices = []
    for part, w in enumerate(names):
        # ATT-7: a head reads its own channels only; zeros elsewhere would let NaN through.
        blocks = enumerate(w) if per_head else [(0, w)]
        matrices += [(block, head * block.shape[0], part * channels + head * depth)
                     for head, block in blocks]
    return Layer(pack_weights(matrices, len(names) * channels), matrices[0][0].shape[0], depth,
                 tables, None)


def run_layer(x: Floats, shape: tuple[int, ...], layer: Layer, options: AttentionOptions, *,
              bias: Floats | None = None, relu: bool = False, keep_places: bool = False) -> Floats:
    """(batch, height, width, channels_out) of flat x of shape (batch, height, width, channels).

    keep_places  leave channels in the order of the layer's `fast.places`, where that is full
    """
    if layer.fast is not None:
        return run_heads(x, shape, layer.fast, options, bias=bias, relu=relu,
                         keep_places=keep_places)
    stride, channels = layer.projections.channels, options.heads * layer.depth
    projected = dense(x, layer.projections, pixel_walk(shape, stride, taps=layer.taps))
    key = Source(projected, channels, stride) if options.content else None
    out = attend((*shape[:3], options.heads, layer.depth), Source(projected, 0, stride), key,
                 Source(projected, stride - channels, stride), layer.tables, options, bias=bias,
                 relu=relu)
    return out.reshape(*shape[:3], channels)


def attention_layer(x: Floats, weights: Mapping[str, Floats], *,
                    options: AttentionOptions) -> Floats:
    """(batch, height, width, channels_out): projections, then local attention, SPEC ATT-6.

    x        (batch, height, width, channels_in), float32 or float64
    weights  w_query, w_key, w_value  (channels_in, channels_out) dense, or
                                      (heads, channels_in / heads, channels_out / heads) per_head;
                                      w_key may be absent when content is off
             rel_row, rel_col         as for `relative_logits`, only with position relative
    Raises ValueError for shapes and names, TypeError for dtypes.
    """
    check_attention_layer(NUMBA, x, weights, options)
    return run_layer(flat(x), x.shape, pack_layer(weights, options), options)
