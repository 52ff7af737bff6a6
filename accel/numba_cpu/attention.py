"""local_attention and attention_layer: chapter 5, on the window kernel."""

from collections.abc import Mapping
from typing import NamedTuple

from sasakit.reference.contract.checks import check_attention_layer, check_local_attention
from sasakit.reference.contract.options import AttentionOptions

from .arrays import NUMBA, Floats, empty, flat, zeros
from .dense import Packed, dense, pack_weights, pixel_walk
from .frame import frame_of
from .jit import launch
from .norm import folded
from .pack import pack
from .tables import Tables, absolute_rows, head_tables
from .window_attention import Terms, window_attention_kernel


class Source(NamedTuple):
    """Queries, keys or values: pixel p has head n, depth d at p stride + start + n depth + d."""

    array: Floats
    start: int
    stride: int


def attend(shape: tuple[int, ...], query: Source, key: Source | None, value: Source,
           tables: Tables, options: AttentionOptions, *, bias: Floats | None = None,
           relu: bool = False) -> Floats:
    """(batch, height, width, heads, depth) of the flat sources, ATT-5; + bias, then ReLU.

    key   None when content is off
    bias  flat (heads depth)
    """
    frame = frame_of(shape, options)
    like, channels = query.array, frame.heads * frame.depth
    number = like.dtype.type
    both, absolute = options.scale_terms == "both", options.position == "absolute"
    factor = options.scale
    packed = zeros(0, like)
    if absolute:
        # q . k + q . e is q . (k + e); where the factor is the content's alone, it joins the keys.
        embedding = absolute_rows(frame.height, frame.width, frame.depth, options, like)
        source = key if key is not None else query
        packed = pack(*source, frame, taken=key is not None, factor=1.0 if both else factor,
                      embedding=embedding)
        factor = factor if both else 1.0
    elif key is not None:
        packed = pack(*key, frame)
    terms = Terms(absolute or key is not None, number(factor), options.position == "relative",
                  number(options.scale if both else 1.0), query.start, query.stride, relu)
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
    """One attention layer's weights, packed: the projections side by side, and the tables."""

    projections: Packed
    taps: int
    depth: int
    tables: Tables


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
    names = [w_query, *([weights["w_key"]] if options.content else []), w_value]
    matrices = []
    for part, w in enumerate(names):
        # ATT-7: a head reads its own channels only; zeros elsewhere would let NaN through.
        blocks = enumerate(w) if per_head else [(0, w)]
        matrices += [(block, head * block.shape[0], part * channels + head * depth)
                     for head, block in blocks]
    tables = head_tables(weights.get("rel_row"), weights.get("rel_col"), options.heads, depth,
                         options, w_query)
    return Layer(pack_weights(matrices, len(names) * channels), matrices[0][0].shape[0], depth,
                 tables)


def run_layer(x: Floats, shape: tuple[int, ...], layer: Layer, options: AttentionOptions, *,
              bias: Floats | None = None, relu: bool = False) -> Floats:
    """(batch, height, width, channels_out) of flat x of shape (batch, height, width, channels)."""
    projected = dense(x, layer.projections, pixel_walk(shape, layer.taps))
    stride, channels = layer.projections.channels, options.heads * layer.depth
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
