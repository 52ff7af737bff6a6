"""The worked numbers of SPEC.md's chapter 12, each recomputed by the reference."""

import numpy as np

from sasakit import reference
from sasakit.reference import AttentionOptions
from sasakit.reference.gradients_attention import softmax_vjp
from sasakit.reference.gradients_layers import batch_norm_vjp, to_first_maximum


def attention_gradients(upstream, query, value, rel_row=None, rel_col=None, **options):
    """Of attention whose keys are zero."""
    given = AttentionOptions(position="none" if rel_row is None else "relative", **options)
    return reference.local_attention_vjp(upstream, query, np.zeros_like(query), value, rel_row,
                                         rel_col, options=given)


def form():
    g = np.array([1.0, 2.0, 5.0]).reshape(1, 1, 3, 1, 1)
    seven = np.full_like(g, 7.0)
    return attention_gradients(g, np.zeros_like(g), seven, extent=1)["value"].reshape(-1)


def table_gradients():
    q = np.array([2.0, 3.0]).reshape(1, 1, 1, 1, 2)
    row, col = (np.array(table, float)[:, None] for table in ((10, 20, 30), (1, 2, 4)))
    found = reference.relative_logits_vjp(np.ones((1, 1, 1, 1, 3, 3)), q, row, col,
                                          options=AttentionOptions(extent=3))
    return [found["rel_row"][0, 0], found["rel_col"][0, 0], *found["query"].reshape(-1)]


def value_gradients():
    one = np.ones((1, 4, 4, 1, 1))
    found = attention_gradients(one, 0 * one, one, extent=3)["value"]
    return [found[0, 0, 0].item(), found[0, 0, 1].item(), found[0, 1, 1].item()]


def outside(padding):
    q, v = (np.array([x, 0.0]).reshape(1, 1, 1, 1, 2) for x in (27.0, 1.0))
    zero = np.zeros((3, 1))
    found = attention_gradients(v, q, v, zero, zero, extent=3, padding=padding)
    return found["rel_row"].reshape(-1)


def layer_gradients():
    options = AttentionOptions(extent=1, heads=1, position="none")
    weights = dict.fromkeys(("w_query", "w_key"), np.ones((2, 2)))
    weights["w_value"] = np.array([[3.0, 4.0], [5.0, 6.0]])
    x, g = (np.array(pair).reshape(1, 1, 1, 2) for pair in ((1.0, 2.0), (1.0, 10.0)))
    found = reference.attention_layer_vjp(g, x, weights, options=options)
    return [*found["x"].reshape(-1), *found["w_value"].reshape(-1)]


def mixture_gradients():
    one = np.ones((1, 1))
    found = reference.value_mixture_vjp(
        np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 2.0), np.array([[[1.0]], [[5.0]]]), one,
        0 * one, np.array([[0.0], [np.log(3)]]))
    return [*found["w_value"].reshape(-1), *found["nu"].reshape(-1)]


def norm_gradients():
    given = {"norm_mean": 1.0, "norm_variance": 0.99999, "norm_scale": 5.0, "norm_shift": 7.0}
    weights = {name: np.full(1, value) for name, value in given.items()}
    dx, found = batch_norm_vjp(np.full((1, 1, 1, 1), 2.0), np.full((1, 1, 1, 1), 3.0), weights)
    return [found["norm_scale"].item(), found["norm_shift"].item(), dx.item()]


def maximum_gradients():
    block = np.array([[1.0, 7.0], [7.0, 2.0]]).reshape(1, 2, 2, 1)
    return to_first_maximum(np.full((1, 1), 3.0), block).reshape(-1)


def average_gradients():
    x, g = (np.array(row).reshape(1, 1, -1, 1) for row in ((1.0, 2.0, 6.0), (1.0, 5.0)))
    return reference.average_pool_vjp(g, x)["x"].reshape(-1)


def gradient_examples():
    """The numbers of every clause's example, in order."""
    return {
        "GRAD-1": list(form()),
        "GRAD-2": table_gradients(),
        "GRAD-3": list(softmax_vjp(np.array([6.0, 12.0, 18.0, 2.0]),
                                   np.array([1.0, 1.0, 1.0, 3.0]) / 6, axis=-1)),
        "GRAD-4": value_gradients(),
        "GRAD-5": [*outside("zero"), *outside("exclude")],
        "GRAD-6": layer_gradients(),
        "GRAD-7": mixture_gradients(),
        "GRAD-8": norm_gradients(),
        "GRAD-9": list(maximum_gradients()),
        "GRAD-10": list(average_gradients()),
    }
