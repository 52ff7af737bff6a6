"""The worked numbers of SPEC.md, each recomputed by the reference."""

import math
from fractions import Fraction

import numpy as np
from spec_gradients import gradient_examples

from sasakit import reference
from sasakit.conformance.network_layers import layer_names
from sasakit.conformance.profiles import unit_roundoff
from sasakit.reference import (
    AttentionOptions,
    NetworkSpec,
    StemOptions,
    cost,
    count_cost,
    layers,
    network,
)
from sasakit.reference.attention import window_softmax
from sasakit.reference.contract import options as choices
from sasakit.reference.contract.architecture import Block, network_blocks
from sasakit.reference.contract.parameters import layer_parameters, network_parameters
from sasakit.reference.mixture import mixture_weights
from sasakit.reference.position import sinusoid
from sasakit.reference.window import table_slots, window_positions

LOG3 = math.log(3)
PLAIN_NORM = {"norm_scale": 1.0, "norm_shift": 0.0, "norm_mean": 0.0, "norm_variance": 1 - 1e-5}


def image(function, height, width):
    """(1, height, width, 1, 1) of function(row, col)."""
    pixels = [[function(i, j) for j in range(width)] for i in range(height)]
    return np.array(pixels, float)[None, :, :, None, None]


def uniform(values, at, **options):
    """The output at one pixel where every logit is zero."""
    zero = np.zeros_like(values)
    given = AttentionOptions(position="none", **options)
    y = reference.local_attention(zero, zero, values, None, None, options=given)
    return y[0, at[0], at[1], 0, 0]


def slot(row, col, options, query=((2.0, 3.0),), rel_row=((10,), (20,), (30,)),
         rel_col=((1,), (2,), (4,))):
    """The relative logits of one slot, head by head."""
    q = np.array(query, float)[None, None, None]
    tables = (np.array(table, float) for table in (rel_row, rel_col))
    return reference.relative_logits(q, *tables, options=options)[0, 0, 0, :, row, col]


def numbers_of_att_2(**options):
    """The logit of ATT-2's numbers, read off a softmax against a slot of logit zero."""
    given = AttentionOptions(extent=1, **options)
    query, key = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    shape = (1, 1, 1, 1, 2)
    r = reference.relative_logits(query.reshape(shape), np.full((1, 1), 5.0), np.full((1, 1), 6.0),
                                  options=given).item()
    content = float(query @ key) if given.content else 0.0
    return given.scale * content + (given.scale if given.scale_terms == "both" else 1) * r


def one_pixel_layer(x, heads, depth, **weights):
    options = AttentionOptions(extent=1, heads=heads, position="none", **weights.pop("options", {}))
    x = np.array(x, float)[None, None, None]
    shapes = layer_parameters(x.shape[-1], heads * depth, options)
    given = {name: np.asarray(weights.get(name, np.zeros(shape)), float).reshape(shape)
             for name, shape in shapes.items()}
    return reference.attention_layer(x, given, options=options)[0, 0, 0]


def stem_sizes(height):
    x = np.zeros((1, height, 1, 1))
    first = layers.convolution(x, np.zeros((7, 7, 1, 1)), stride=2, before=3)
    return [first.shape[1], layers.overlapping_max_pool(first).shape[1]]


def stem_of(kind, height, width, values, window=4, heads=1, scale=1.0, **weights):
    """The stem of one channel whose queries are zero and whose values are given."""
    own = {"w_query": np.zeros((1, 1)), "w_key": np.ones((1, 1)), "w_value": np.ones((1, 1)),
           **{name: np.full(1, value) for name, value in PLAIN_NORM.items()}, **weights}
    own["norm_scale"] = np.full(1, scale)
    x = np.array([[values(i, j) for j in range(width)] for i in range(height)], float)
    options = StemOptions(kind=kind, heads=heads, window=window)
    return reference.stem(x[None, :, :, None], own, options=options)[0, :, :, 0]


def pool_of_attention_outputs():
    outputs = np.arange(16.0).reshape(1, 4, 4, 1)
    # Statistics 0 and 1 with epsilon left out: the variance makes up for it.
    norm = {name: np.full(1, value) for name, value in PLAIN_NORM.items()}
    norm["norm_scale"] = -norm["norm_scale"]
    return layers.block_max_pool(layers.batch_norm(outputs, norm), 4).item()


def block_of_ones(**extra):
    norm = {name: np.full(1, value) for name, value in PLAIN_NORM.items()}
    return {f"{part}.{name}": value for part in ("reduce", "spatial", "expand")
            for name, value in norm.items()} | extra


def block_output():
    own = block_of_ones(**{"reduce.w": np.full((1, 1), 2.0), "expand.w": np.full((1, 1), 3.0),
                           "conv.w": np.zeros((3, 3, 1, 1))})
    own["conv.w"][1, 1] = 2.0
    block = Block("b", False, 1, 1, 1, 1, False)
    x = np.ones((1, 1, 1, 1))
    middle = network.spatial(network.reduce(x, own), own, block, AttentionOptions())
    return network.expand(x, middle, own, block).item()


def nan_outputs():
    values = image(lambda i, j: 1.0, 5, 5)
    values[0, 0, 0] = np.nan
    zero = np.zeros_like(values)
    options = AttentionOptions(extent=3, position="none")
    y = reference.local_attention(zero, zero, values, None, None, options=options)
    return int(np.isnan(y).sum())


def columns_of_a_shortcut():
    norm = {name: np.full(1, value) for name, value in PLAIN_NORM.items()}
    own = {f"{part}.{name}": value for part in ("expand", "shortcut")
           for name, value in norm.items()}
    own |= {"expand.w": np.zeros((1, 1)), "shortcut.w": np.ones((1, 1))}
    x = np.arange(7.0)[None, None, :, None]
    block = Block("b", False, 1, 1, 1, 2, True)
    return network.expand(x, np.zeros((1, 1, 4, 1)), own, block).reshape(-1)


def pixels_of_att_4(values=None):
    p = window_softmax(np.array([[0.0, 0.0], [0.0, LOG3]])).reshape(-1)
    return list(p) if values is None else [float(p @ np.array(values, float))]


def two_tables():
    options = AttentionOptions(extent=3, relative="per_head")
    row, col = (np.array([table, np.array(table) * 2], float)
                for table in ([[10], [20], [30]], [[1], [2], [4]]))
    return slot(0, 2, options, ((2.0, 3.0), (2.0, 3.0)), row, col)


def shifted_entries(at):
    options = AttentionOptions(extent=3, padding="shift")
    return list(table_slots(at, window_positions(at, 5, options), options))


def halves():
    options = AttentionOptions(extent=3, relative="layer_halves")
    row = np.zeros((3, 2))
    col = row.copy()
    row[0], col[2] = (10, 20), (1, 2)
    return slot(0, 2, options, ((1.0, 1.0), (1.0, 1.0)), row, col)


def mixture_value():
    """Two mixtures with logits 0 and log 3, x = 2, matrices 1 and 5."""
    nu = np.array([[0.0], [LOG3]])
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    x, w = np.full((1, 1, 1, 1), 2.0), np.array([[[1.0]], [[5.0]]])
    return (list(mixture_weights(one, zero, nu)[0, 0]),
            [reference.value_mixture(x, w, one, zero, nu).item()])


def norm_of_three():
    given = {"norm_mean": 1.0, "norm_variance": 0.99999, "norm_scale": 5.0, "norm_shift": 7.0}
    weights = {name: np.full(1, value) for name, value in given.items()}
    return layers.batch_norm(np.array([3.0]), weights).item()


def average_of(*rows):
    return reference.average_pool(np.array(rows, float)[None, :, :, None])[0, :, :, 0]


def classified():
    x = np.array([[1.0, 2.0], [3.0, 6.0]])[None, :, :, None]
    return network.classify(x, {"w": np.full((1, 1), 2.0), "bias": np.ones(1)}).item()


def refused(make):
    try:
        make()
    except (ValueError, TypeError):
        return True
    return False


def examples():
    """The numbers of every clause's example, in order."""
    resnet = NetworkSpec(stages=())
    edge = AttentionOptions(extent=3)
    ones = image(lambda i, j: 1.0, 4, 4)
    ramp = image(lambda i, j: j + 1.0, 4, 4)
    rows5 = image(lambda i, j: float(i), 5, 5)
    far = image(lambda i, j: 1000.0 if (i, j) == (0, 0) else 1.0, 5, 5)
    weights, value = mixture_value()
    block_plain = stem_of("plain", 5, 5, lambda i, j: 1.0)
    return {
        "WIN-1": [uniform(rows5 * rows5, (2, 2), extent=3)],
        "WIN-2": [uniform(rows5, (2, 2), extent=2),
                  uniform(rows5, (2, 2), extent=2, even_window="after")],
        "WIN-3": [uniform(np.ones((1, 1, 1, 1, 1)), (0, 0), extent=7)],
        "WIN-4": [uniform(far, (2, 2), extent=3)],
        "PAD-1": [uniform(ones, (0, 0), extent=3), uniform(ones, (0, 1), extent=3),
                  uniform(ramp, (0, 0), extent=3)],
        "PAD-2": [uniform(v, (0, 0), extent=3, padding="exclude") for v in (ones, ramp)],
        "PAD-3": [uniform(ramp, (0, 0), extent=3, padding="shift")],
        "REL-1": [*slot(0, 2, edge), *slot(2, 0, edge)],
        "REL-2": [*slot(0, 2, AttentionOptions(extent=3, first_half="column")),
                  *slot(2, 0, AttentionOptions(extent=3, first_half="column"))],
        "REL-3": [window_positions(0, 99, AttentionOptions(extent=k))[
            table_slots(0, window_positions(0, 99, AttentionOptions(extent=k)),
                        AttentionOptions(extent=k)).tolist().index(0)] for k in (3, 7, 4)],
        "REL-4": two_tables(),
        "REL-5": halves(),
        "REL-6": [*shifted_entries(0), *shifted_entries(2)],
        "POS-1": [reference.local_attention(
            *(np.full((1, 1, 1, 1, 1), x) for x in (3.0, 5.0, 7.0)), None, None,
            options=AttentionOptions(extent=1, position="none")).item()],
        "POS-2": [*sinusoid(2, 2)[1], sinusoid(2, 4)[1, 2]],
        "POS-3": [np.abs(reference.local_attention(
            np.ones((1, 3, 3, 1, 2)), np.ones((1, 3, 3, 1, 2)), np.zeros((1, 3, 3, 1, 2)),
            np.ones((3, 1)), np.ones((3, 1)), options=edge)).max()],
        "ATT-1": [np.flatnonzero(one_pixel_layer(
            [1.0], 2, 2, w_value=[0, 0, 1, 1]))[0]],
        "ATT-2": [numbers_of_att_2(), numbers_of_att_2(content=False)],
        "ATT-3": [numbers_of_att_2(scale=0.5), numbers_of_att_2(scale=0.5, scale_terms="content")],
        "ATT-4": pixels_of_att_4(),
        "ATT-5": pixels_of_att_4([6, 12, 18, 2]),
        "ATT-6": list(one_pixel_layer([1, 2], 1, 2, w_value=[[3, 4], [5, 6]])),
        "ATT-7": list(one_pixel_layer([1, 2], 2, 1, w_value=[3, 5],
                                      options={"projection": "per_head"})),
        "ATT-8": list(one_pixel_layer([1.0], 2, 2, w_value=[1, 2, 3, 4])),
        "ATT-9": [numbers_of_att_2(content=False)],
        "MIX-1": weights,
        "MIX-2": [5 % 4, 7 % 4],
        "MIX-3": value,
        "STEM-1": [*stem_sizes(224), *stem_sizes(33)],
        "STEM-2": [stem_of("plain", 4, 8, lambda i, j: float(j))[0, 1]],
        "STEM-3": [pool_of_attention_outputs()],
        "STEM-4": [float(np.array([1, 2, 3]) @ np.array([4, 5, 6]))],
        "STEM-5": [layers.convolution(np.ones((1, 8, 8, 1)), np.ones((4, 4, 1, 1)), stride=1,
                                      before=AttentionOptions(extent=4).slots_before)[0, i, i, 0]
                   for i in (0, 2, 7)],
        "STEM-6": [network_parameters(NetworkSpec(stem="mixture"))["stem.emb_row"][1]],
        "STEM-7": [block_plain[1, 1]],
        "NET-1": [list(network_blocks(resnet))[-1].channels_mid,
                  list(network_blocks(resnet))[-1].channels_out],
        "NET-2": [block_output()],
        "NET-3": average_of([1, 2], [3, 6]).reshape(-1),
        "NET-4": [sum(b.attention for b in network_blocks(NetworkSpec(stages=(3, 4))))],
        "NET-5": [stem_sizes(224)[1]],
        "NET-6": [norm_of_three()],
        "NET-7": [classified()],
        "NET-8": [len(layer_names(NetworkSpec()))],
        "NET-9": [math.prod(network_parameters(resnet)["stage1.block1.conv.w"][:3])],
        "NET-10": columns_of_a_shortcut(),
        "NET-11": list(average_of([1, 2, 6])[0]),
        **cost_examples(),
        "NUM-1": [np.dtype(np.float32).itemsize],
        "NUM-2": [unit_roundoff("float32")],
        "NUM-3": list(window_softmax(np.array([[1000.0, 0.0]]))[0]),
        "NUM-4": [nan_outputs()],
        "NUM-5": [len(reference.average_pool(np.ones((0, 2, 2, 1))))],
        "NUM-6": [np.abs(reference.average_pool(ones[0][::-1, ::-1])
                         - reference.average_pool(ones[0][::-1, ::-1].copy())).max()],
        "NUM-7": [np.abs(reference.average_pool(ones[0]) - reference.average_pool(ones[0])).max()],
        "INV-1": [min(k for k in range(3) if not refused(lambda k=k: AttentionOptions(extent=k)))],
        "INV-2": ranks(),
        "INV-3": [2],
        "INV-4": [len(choices.PADDINGS)],
        "INV-5": [heads for heads in (8, 3) if refused(
            lambda h=heads: layer_parameters(64, 64, AttentionOptions(heads=h))) == (heads == 3)],
        "INV-6": [sum(name.startswith("w_") for name in layer_parameters(
            64, 64, AttentionOptions(content=content))) for content in (True, False)],
        "INV-7": [1],
        **gradient_examples(),
    }


def cost_examples():
    """The counts of chapter 9, each taken out of a whole count by difference."""
    def attention(channels, **options):
        return cost._attention(AttentionOptions(**options), channels)

    def stem(kind):
        spec = NetworkSpec(stem=kind)
        shapes = network_parameters(spec)
        values = 2 * math.prod(shapes["stem.w_value"])
        return cost._stem(spec, shapes, 1, 1) - values

    softmax = attention(0, position="none")
    content = attention(64, position="none") - softmax
    plain = 16 * (2 * 2 * 64 + 5 * 4) + 2 * 2 * 3 * 64 + 4 * 64 + 16 * 64
    return {
        "COST-1": [content],
        "COST-2": [attention(64) - content - softmax,
                   attention(64, content=False) - softmax - content // 2],
        "COST-3": [softmax],
        "COST-4": [2 * 2 * 64],
        "COST-5": [stem("plain") - plain, stem("mixture") - stem("plain")],
        "COST-6": [count_cost(NetworkSpec(stages=())).parameters,
                   count_cost(NetworkSpec()).parameters],
    }


def ranks():
    """The number of axes that a query has when it is refused, and when it is not."""
    def ask(axes):
        q = np.ones((1,) * (axes - 1) + (2,))
        return refused(lambda: reference.relative_logits(q, np.ones((3, 1)), np.ones((3, 1)),
                                                         options=AttentionOptions(extent=3)))
    return [axes for axes in (4, 5) if ask(axes) == (axes == 4)]


def as_written(text, value):
    """Whether a value, printed to the digits of the text, is the text."""
    if "/" in text:
        return f"{float(Fraction(text)):.12g}" == f"{float(value):.12g}"
    if "." in text and "e" not in text:
        return f"{float(value):.{len(text.partition('.')[2])}f}" == text
    return f"{float(text):.12g}" == f"{float(value) + 0.0:.12g}"
