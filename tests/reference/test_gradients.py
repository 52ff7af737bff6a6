"""Gradients of the reference: against complex steps, and what they refuse. GRAD-1 to GRAD-10."""

import numpy as np
import pytest
from second_definition import gradients as second

from sasakit import reference
from sasakit.conformance.builders import (
    EVERY_OPTION,
    attention_cases,
    layer_cases,
    mixture_cases,
    pool_cases,
    stem_cases,
)
from sasakit.conformance.draw import Draw
from sasakit.conformance.gradients import expect_gradients, gradient_cases
from sasakit.conformance.judge import measure
from sasakit.conformance.profiles import plain_profile
from sasakit.reference import AttentionOptions, StemOptions
from sasakit.reference.contract.options import STEM_KINDS

FLOAT64 = plain_profile("float64")
CONSTANTS = ("norm_mean", "norm_variance")
ALL = {**EVERY_OPTION, "extent": (1, 2, 3)}
CASES = {
    "logits": {"cases": attention_cases, "operation": "relative_logits", "extent": (1, 2, 3),
               **{name: ALL[name] for name in ("padding", "relative", "first_half")}},
    "attention": {"cases": attention_cases, "regimes": ("normal", "integers"), **ALL},
    "layer": {"cases": layer_cases, "projection": ("dense", "per_head"), "regimes": ("normal",),
              **ALL},
    "mixture": {"cases": mixture_cases},
    "pool": {"cases": pool_cases},
    **{f"stem {kind}": {"cases": stem_cases, "kinds": (kind,)} for kind in STEM_KINDS},
}


def small(label, most, rng):
    """Choices at random, with sizes as small as they may be."""
    least = {"batch": 0, "height": 1, "width": 2, "heads": 1, "depth": 0, "channels in": 1}
    return min(least[label], most) if label in least else int(rng.integers(most + 1))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_complex_steps(name, seed):
    rng = np.random.default_rng([seed, list(CASES).index(name)])
    case = gradient_cases(Draw(lambda label, most: small(label, most, rng)), "float64",
                          **CASES[name])
    arrays = dict(case.arrays)
    upstream = arrays.pop("upstream")
    for of, want in expect_gradients(case, FLOAT64).items():
        stepped = second.gradient(case.operation, arrays, upstream, case.options, of)
        measure(f"{case}, {of}", stepped, want)


def attention_arrays(**options):
    given = AttentionOptions(extent=3, **options)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((2, 3, 4, 2, 4)) for _ in range(3)]
    return [*arrays, *(rng.standard_normal((3, 2)) for _ in range(2))], given


def test_what_is_none_has_no_gradient():
    (q, _, v, *_), options = attention_arrays(position="relative", content=False)
    tables = np.zeros((3, 2)), np.zeros((3, 2))
    found = reference.local_attention_vjp(v, q, None, v, *tables, options=options)
    assert list(found) == ["query", "value", "rel_row", "rel_col"]


def test_what_is_not_read_has_gradient_zero():
    arrays, options = attention_arrays(content=False)
    found = reference.local_attention_vjp(arrays[2], *arrays, options=options)
    assert (found["key"] == 0).all()
    assert (found["query"] != 0).any()


def test_an_excluded_slot_passes_nothing():
    """One pixel, of whose window nothing else exists: its probability is one, whatever q is."""
    q = np.full((1, 1, 1, 1, 2), 3.0)
    tables = np.ones((3, 1)), np.ones((3, 1))
    options = AttentionOptions(extent=3, padding="exclude")
    found = reference.local_attention_vjp(q, q, q, q, *tables, options=options)
    assert {name: grad.any() for name, grad in found.items()} == {
        "query": False, "key": False, "value": True, "rel_row": False, "rel_col": False}
    assert (found["value"] == q).all()


@pytest.mark.parametrize("kind", STEM_KINDS)
def test_an_empty_batch_gives_zeros(kind):
    case = gradient_cases(Draw(lambda label, most: 0), "float64", cases=stem_cases, kinds=(kind,))
    arrays = dict(case.arrays)
    upstream, images = arrays.pop("upstream")[:0], arrays.pop("images")[:0]
    found = reference.stem_vjp(upstream, images, arrays, options=case.options)
    assert found["images"].shape == images.shape
    assert set(found) == {"images", *arrays} - set(CONSTANTS)
    assert not any(grad.any() for grad in found.values())


def refusals():
    arrays, options = attention_arrays()
    q, x = arrays[0], np.ones((2, 5, 7, 3))
    weights = reference.random_layer_weights(3, 4, 0, options=AttentionOptions(heads=2))
    stem = {"w_conv": np.ones((7, 7, 3, 4)),
            **dict.fromkeys(("norm_scale", "norm_shift", *CONSTANTS), np.ones(4))}
    layer, conv = AttentionOptions(heads=2), StemOptions(kind="conv")
    return [
        (lambda: reference.local_attention_vjp(q[:, :2], *arrays, options=options), ValueError,
         "`upstream` must have shape (batch=2, height=3, width=4, heads=2, depth=4); "
         "got shape (2, 2, 4, 2, 4)."),
        (lambda: reference.relative_logits_vjp(q, q, *arrays[3:], options=options), ValueError,
         "`upstream` must have 6 axes (batch, height, width, heads, rows, cols); "
         "got shape (2, 3, 4, 2, 4)."),
        (lambda: reference.attention_layer_vjp(x, x, weights, options=layer), ValueError,
         "`upstream` must have shape (batch=2, height=5, width=7, channels_out=4); "
         "got shape (2, 5, 7, 3)."),
        (lambda: reference.attention_layer_vjp(x.astype("float32"), x, weights, options=layer),
         TypeError, "`upstream` must have the dtype of `x`, float64; got float32."),
        (lambda: reference.stem_vjp(x, x, stem, options=conv), ValueError,
         "`upstream` must have shape (batch=2, height=2, width=2, channels_out=4); "
         "got shape (2, 5, 7, 3)."),
        (lambda: reference.average_pool_vjp(x, x), ValueError,
         "`upstream` must have shape (batch=2, height=3, width=4, channels_in=3); "
         "got shape (2, 5, 7, 3)."),
        (lambda: reference.average_pool_vjp(None, x), TypeError,
         "`upstream` must be a NumPy array; got NoneType."),
        (lambda: reference.value_mixture_vjp(x, x[0], *[x] * 4), ValueError,
         "`x` must have 4 axes (batch, height, width, channels_in); got shape (5, 7, 3)."),
    ]


@pytest.mark.parametrize(("call", "error", "text"), refusals())
def test_refuses(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
