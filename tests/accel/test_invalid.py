"""Invalid input that the suites cannot draw: things that are no arrays, objects, half precision."""

import numpy as np
import pytest
import torch

from sasakit.accel import resolve_backend
from sasakit.reference import AttentionOptions, NetworkSpec, random_weights

NAMES = ("reference", "numba", "torch")
OPTIONS = AttentionOptions(extent=3, heads=2)
SPEC = NetworkSpec(depth=5, blocks=(1,), width=8, heads=2, classes=3, stages=(1,))


def arrays(backend):
    q = np.ones((1, 2, 3, 2, 4))
    tables = np.ones((3, 2))
    return [backend.from_numpy(array) for array in (q, q.copy(), q.copy(), tables, tables.copy())]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("thing", "kind"), [([[1.0]], "list"), (3.0, "float"), (None, "NoneType")])
def test_what_is_no_array_is_refused(name, thing, kind):
    backend = resolve_backend(name)
    noun = "a torch tensor" if name == "torch" else "a NumPy array"
    given = arrays(backend)
    given[2] = thing
    with pytest.raises(TypeError) as caught:
        backend.local_attention(*given, options=OPTIONS)
    assert str(caught.value) == f"`value` must be {noun}; got {kind}."


@pytest.mark.parametrize("name", ["reference", "numba"])
@pytest.mark.parametrize(("convert", "error", "text"), [
    (lambda a: a.astype(object), TypeError, "`key` must have a floating-point dtype; got object."),
    (lambda a: a.astype(str), TypeError, "`key` must have a floating-point dtype; got str"),
    (torch.from_numpy, TypeError, "`key` must be a NumPy array; got Tensor."),
    (np.ma.MaskedArray, TypeError, "`key` must be a NumPy array; got MaskedArray."),
])
def test_numpy_backends_refuse_other_arrays(name, convert, error, text):
    backend = resolve_backend(name)
    given = arrays(backend)
    given[1] = convert(given[1])
    with pytest.raises(error) as caught:
        backend.local_attention(*given, options=OPTIONS)
    assert str(caught.value).startswith(text)


def test_torch_refuses_numpy_arrays():
    given = arrays(resolve_backend("torch"))
    given[0] = np.ones((1, 2, 3, 2, 4))
    with pytest.raises(TypeError) as caught:
        resolve_backend("torch").local_attention(*given, options=OPTIONS)
    assert str(caught.value) == "`query` must be a torch tensor; got ndarray."


def test_torch_refuses_tensors_on_several_devices():
    given = arrays(resolve_backend("torch"))
    given[1] = given[1].to("meta")
    with pytest.raises(ValueError, match=r"^`key` must be on the device of `query`, ") as caught:
        resolve_backend("torch").local_attention(*given, options=OPTIONS)
    assert str(caught.value).endswith("; got meta.")


def test_numba_names_the_types_it_computes_in():
    given = [array.astype(np.float16) for array in arrays(resolve_backend("numba"))]
    with pytest.raises(TypeError) as caught:
        resolve_backend("numba").local_attention(*given, options=OPTIONS)
    assert str(caught.value) == \
        "`query` must be float32 or float64 for backend numba; got float16."


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("spoil", "error", "text"), [
    (lambda w: w.pop("classifier.w"), ValueError,
     "`weights` must hold exactly the names that the options ask for; got missing classifier.w."),
    (lambda w: w.update(extra=w["classifier.w"]), ValueError,
     "`weights` must hold exactly the names that the options ask for; got unknown extra."),
    (lambda w: w.update({"stage1.block1.reduce.w": w["classifier.w"]}), ValueError,
     "`stage1.block1.reduce.w` must have shape (8, 8); got shape (32, 3)."),
])
def test_loading_refuses_weights_that_do_not_fit(name, spoil, error, text):
    backend = resolve_backend(name)
    weights = {key: backend.from_numpy(w) for key, w in random_weights(SPEC, seed=0).items()}
    spoil(weights)
    with pytest.raises(error) as caught:
        backend.load(SPEC, weights)
    assert str(caught.value) == text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "dtype", "error", "text"), [
    ((1, 8, 8), "float64", ValueError,
     "`images` must have 4 axes (batch, height, width, channels_in); got shape (1, 8, 8)."),
    ((1, 8, 8, 1), "float64", ValueError,
     "`images` must have shape (batch, height, width, channels_in=3); got shape (1, 8, 8, 1)."),
    ((1, 0, 8, 3), "float64", ValueError,
     "`images` must not be empty along height; got shape (1, 0, 8, 3)."),
    ((1, 8, 8, 3), "float32", TypeError,
     "`images` must have the dtype of `weights`, float64; got float32."),
])
def test_models_refuse_images(name, shape, dtype, error, text):
    backend = resolve_backend(name)
    weights = {key: backend.from_numpy(w) for key, w in random_weights(SPEC, seed=0).items()}
    model = backend.load(SPEC, weights)
    with pytest.raises(error) as caught:
        model(backend.from_numpy(np.ones(shape), dtype))
    assert str(caught.value) == text


@pytest.mark.parametrize("name", NAMES)
def test_loading_refuses_what_is_no_network(name):
    with pytest.raises(TypeError) as caught:
        resolve_backend(name).load("resnet50", {})
    assert str(caught.value) == "`spec` must be NetworkSpec; got str."
