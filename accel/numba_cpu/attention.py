"""local_attention and attention_layer: chapter 5, on the window kernel."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from sasakit.reference.contract.checks import check_attention_layer, check_local_attention
from sasakit.reference.contract.options import AttentionOptions

from .arrays import NUMBA, Fitting, Floats, Integers, empty, flat
from .dense import dense, pixel_walk
from .frame import frame_of
from .head_layout import HeadLanes, head_lanes
from .heads import HeadLayer, attend_arranged, pack_heads, run_heads
from .norm import folded
from .pack import pack
from .panels import Packed, pack_weights
from .plan import Array, Plan, Plans
from .sharing import THREADS
from .sources import Source, keys_of
from .tables import Tables, head_tables
from .window_attention import Terms, window_attention_kernel

# Of calls whose weights come with them.
_plans, _fitting = Plans(), Fitting()
NO_HALVES = np.zeros(0, np.int64)


def attend(plan: Plan, out: Array, shape: tuple[int, ...], query: Source, key: Source | None,
           value: Source, tables: tuple[Array, Array], halves: Integers,
           options: AttentionOptions, bias: Floats, *, relu: bool = False) -> None:
    """Write (batch, height, width, heads, depth) of the sources, ATT-5; + bias, then ReLU.

    key     None when content is off
    tables  row and col of tables.Tables, as halves
    bias    flat (heads depth)
    """
    frame, dtype = frame_of(shape, options), out.dtype
    keys = keys_of(shape, key is not None, options, dtype)
    packed = bias[:0]
    if keys.present:
        packed = pack(plan, *(key or query), frame, taken=keys.taken, factor=keys.factor,
                      embedding=keys.embedding)
    values = pack(plan, *value, frame)
    terms = Terms(keys.present, dtype.type(keys.content), options.position == "relative",
                  dtype.type(keys.position), query.start, query.stride, relu)
    plan.launch(window_attention_kernel, out, query.array, packed, values, *tables, halves, bias,
                terms, frame, THREADS)
    for buffer in (packed, values):
        if buffer.size:
            plan.release(buffer)


def local_attention(query: Floats, key: Floats | None, value: Floats, rel_row: Floats | None,
                    rel_col: Floats | None, *, options: AttentionOptions) -> Floats:
    """(batch, height, width, heads, depth): every query's mixture of its window's values, ATT-5.

    query, key, value  (batch, height, width, heads, depth), float32 or float64; key may be None
                       when content is off
    rel_row, rel_col   as for `relative_logits`; None unless position is relative
    Raises ValueError for shapes, TypeError for dtypes.
    """
    _fitting.check(
        lambda: check_local_attention(NUMBA, query, key, value, rel_row, rel_col, options),
        options, query, key, value, rel_row, rel_col)
    shape, out = query.shape, empty(query.shape, query)
    heads, depth = shape[3:]
    arranged = head_lanes(heads, depth, out.dtype)
    row, col, halves = _tables_for(query, rel_row, rel_col, options, arranged)
    build = functools.partial(_add_attention, shape=shape, halves=halves, options=options,
                              arranged=arranged)
    _plans.run(("local_attention", shape, out.dtype.str, options, arranged), build,
               [out, query, key if options.content else None, value, row, col])
    return out


def arranged_attention(query: Floats, key: Floats, value: Floats, rel_row: Floats,
                       rel_col: Floats, *, options: AttentionOptions) -> Callable[[], Floats]:
    """`local_attention` of arrays that are arranged now, as a layer's projections leave them.

    What is returned computes it whenever it is called, into the same array: the kernel alone, to
    be measured. Arguments, and what is raised, are those of `local_attention`.
    """
    check_local_attention(NUMBA, query, key, value, rel_row, rel_col, options)
    plan, out = Plan(), empty(query.shape, query)
    heads, depth = query.shape[3:]
    arranged = head_lanes(heads, depth, out.dtype)
    *tables, halves = _tables_for(query, rel_row, rel_col, options, arranged)
    row, col = (None if table is None else flat(table) for table in tables)
    _add_attention(plan, flat(out), flat(query), flat(key) if options.content else None,
                   flat(value), row, col, shape=query.shape, halves=halves, options=options,
                   arranged=arranged)
    plan.run()

    def run() -> Floats:
        plan.run_last()
        return out

    return run


def _tables_for(query: Floats, rel_row: Floats | None, rel_col: Floats | None,
                options: AttentionOptions, arranged: HeadLanes | None
                ) -> tuple[Floats | None, Floats | None, Integers]:
    """Tables as `_add_attention` takes them, and their halves where those matter."""
    if arranged is not None:
        return rel_row, rel_col, NO_HALVES
    heads, depth = query.shape[3:]
    return head_tables(rel_row, rel_col, heads, depth, options, query)


def _add_attention(plan: Plan, out: Array, query: Array, key: Array | None, value: Array,
                   row: Array | None, col: Array | None, *, shape: tuple[int, ...],
                   halves: Integers, options: AttentionOptions, arranged: HeadLanes | None
                   ) -> None:
    """Write local attention of flat arrays; the shape is the queries'."""
    heads, depth = shape[3:]
    q, v = Source(query, 0, heads * depth), Source(value, 0, heads * depth)
    k = None if key is None else Source(key, 0, heads * depth)
    if arranged is not None:
        attend_arranged(plan, out, shape, q, k, v, (row, col), options, arranged)
    elif row is not None and col is not None:
        attend(plan, out, shape, q, k, v, (row, col), halves, options,
               np.zeros(heads * depth, out.dtype))


class WindowLayer(NamedTuple):
    """One attention layer's weights for the window kernel.

    projections  side by side; taps: of each
    bias         flat (channels,) of the output
    """

    projections: Packed
    taps: int
    depth: int
    tables: Tables
    bias: Floats


Layer = HeadLayer | WindowLayer


def _channels_out(w: Floats, options: AttentionOptions) -> int:
    """Channels that a layer's projections give, all heads together."""
    return options.heads * w.shape[2] if options.projection == "per_head" else w.shape[1]


def _arrangement(options: AttentionOptions, depth: int, dtype: np.dtype) -> HeadLanes | None:
    """How a whole layer lies with heads as lanes; None where it does not."""
    if options.projection == "per_head" or options.position == "absolute":
        return None
    return head_lanes(options.heads, depth, dtype)


def pack_layer(weights: Mapping[str, Floats], options: AttentionOptions,
               norm: tuple[Floats, Floats] | None = None) -> Layer:
    """Pack one layer's weights.

    norm  factor and shift (channels_out,) of what follows the layer, none when None
    """
    w_query, w_value = weights["w_query"], weights["w_value"]
    per_head = options.projection == "per_head"
    channels = _channels_out(w_value, options)
    depth = channels // options.heads
    bias = np.zeros(channels, w_query.dtype.newbyteorder("="))
    if norm is not None:
        factor, bias = norm
        w_value = folded(w_value, factor.reshape(options.heads, 1, depth) if per_head else factor)
    key = weights["w_key"] if options.content else None
    rel_row, rel_col = weights.get("rel_row"), weights.get("rel_col")
    arranged = _arrangement(options, depth, bias.dtype)
    if arranged is not None:
        plan, arrays = Plan(), [None if w is None else flat(w) for w in (
            w_query, key, w_value, rel_row, rel_col)]
        layer = pack_heads(plan, arrays[:3], arrays[3:], bias, arranged, options)
        plan.run()
        return layer
    tables = head_tables(rel_row, rel_col, options.heads, depth, options, w_query)
    names = [w for w in (w_query, key, w_value) if w is not None]
    matrices = []
    for part, w in enumerate(names):
        # ATT-7: a head reads its own channels only; zeros elsewhere would let NaN through.
        blocks = enumerate(w) if per_head else [(0, w)]
        matrices += [(block, head * block.shape[0], part * channels + head * depth)
                     for head, block in blocks]
    return WindowLayer(pack_weights(matrices, len(names) * channels), matrices[0][0].shape[0],
                       depth, tables, bias)


def run_layer(plan: Plan, out: Array, x: Array, shape: tuple[int, ...], layer: Layer,
              options: AttentionOptions, *, relu: bool = False, keep_places: bool = False) -> None:
    """Write (batch, height, width, channels_out) of x of shape (batch, height, width, channels).

    keep_places  leave channels in the order of a HeadLayer's places, where that is full
    """
    if isinstance(layer, HeadLayer):
        run_heads(plan, out, x, shape, layer, options, relu=relu, keep_places=keep_places)
        return
    stride, channels = layer.projections.channels, layer.bias.size
    projected = plan.buffer(math.prod(shape[:3]) * stride, x.dtype)
    dense(plan, projected, x, layer.projections, pixel_walk(shape, stride, taps=layer.taps))
    key = Source(projected, channels, stride) if options.content else None
    attend(plan, out, (*shape[:3], options.heads, layer.depth), Source(projected, 0, stride), key,
           Source(projected, stride - channels, stride), layer.tables[:2], layer.tables.halves,
           options, layer.bias, relu=relu)
    plan.release(projected)


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
    names: Iterable[str] = weights if isinstance(weights, Mapping) else ()  # else it raises
    _fitting.check(lambda: check_attention_layer(NUMBA, x, weights, options),
                   (options, tuple(names)), x, *(weights[name] for name in names))
    channels = _channels_out(weights["w_value"], options)
    out = empty((*x.shape[:3], channels), x)
    arranged = _arrangement(options, channels // options.heads, out.dtype)
    if arranged is None:
        plan = Plan()
        run_layer(plan, out.reshape(-1), flat(x), x.shape, pack_layer(weights, options), options)
        plan.run()
        return out
    arrays = [out, x, weights["w_query"], weights["w_key"] if options.content else None,
              weights["w_value"], weights.get("rel_row"), weights.get("rel_col")]

    def build(plan: Plan, to: Array, images: Array, w_query: Array, w_key: Array | None,
              w_value: Array, row: Array | None, col: Array | None) -> None:
        layer = pack_heads(plan, (w_query, w_key, w_value), (row, col),
                           np.zeros(channels, out.dtype), arranged, options)
        run_heads(plan, to, images, x.shape, layer, options)

    _plans.run(("attention_layer", x.shape, out.dtype.str, channels, options, arranged), build,
               arrays)
    return out


class AttentionLayer:
    """One attention layer whose weights are packed once, SPEC ATT-6.

    weights, options  as for `attention_layer`; changing the weights later changes nothing
    The first call tells whether they fit, and packs them.
    """

    def __init__(self, weights: Mapping[str, Floats], *, options: AttentionOptions) -> None:
        self.options = options
        self._weights = {name: w.copy() for name, w in weights.items()}
        self._packed: Layer | None = None
        self._plans, self._fitting = Plans(least=1), Fitting()

    def __call__(self, x: Floats) -> Floats:
        """(batch, height, width, channels_out) of x (batch, height, width, channels_in).

        Raises ValueError for shapes, TypeError for dtypes.
        """
        self._fitting.check(
            lambda: check_attention_layer(NUMBA, x, self._weights, self.options), None, x)
        packed = self._packed
        if packed is None:
            # Only now are the weights known to fit.
            packed = self._packed = pack_layer(self._weights, self.options)
        out = empty((*x.shape[:3], packed.bias.size), x)

        def build(plan: Plan, to: Array, images: Array) -> None:
            run_layer(plan, to, images, x.shape, packed, self.options)

        self._plans.run(x.shape, build, [out, x])
        return out
