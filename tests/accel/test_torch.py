"""What torch adds: gradients by autograd, modules for training, any device and dtype."""

import numpy as np
import pytest
import torch

from sasakit.accel import resolve_backend
from sasakit.accel.torch_gpu import AttentionLayer, Network
from sasakit.conformance.runner import run_verification
from sasakit.conformance.target import BackendTarget
from sasakit.reference import AttentionOptions, NetworkSpec, random_layer_weights, random_weights

BACKEND = resolve_backend("torch")
SPEC = NetworkSpec(depth=8, blocks=(1, 1), stem="mixture", width=8, heads=2, extent=3,
                   stages=(1, 2), classes=3)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_gradients_are_judged_in_every_dtype(dtype):
    """16-bit gradients are summed in float32 inside, as the profile says, and rounded once."""
    target = BackendTarget("torch", BACKEND, (dtype,))
    assert target.profile(dtype).accumulate == ("float32" if dtype.endswith("16") else dtype)
    verdicts = run_verification([target], clauses=["GRAD"], profile="brief", seed=1)
    assert [str(failure) for verdict in verdicts for failure in verdict.failures] == []
    assert all(verdict.passed for verdict in verdicts)


def layer_and_upstream(**given):
    options = AttentionOptions(**{"extent": 3, "heads": 2, **given})
    generator = torch.Generator().manual_seed(0)
    x, upstream = (torch.randn(2, 5, 7, channels, dtype=torch.float64, generator=generator)
                   for channels in (6, 8))
    weights = {name: torch.from_numpy(w) for name, w in
               random_layer_weights(6, 8, 0, options=options).items()}
    return upstream, x, weights, options


@pytest.mark.parametrize("given", [
    {}, {"padding": "exclude"}, {"padding": "shift"}, {"relative": "per_head"},
    {"relative": "layer_halves"}, {"position": "none"}, {"position": "absolute"},
    {"content": False}, {"projection": "per_head"}, {"extent": 4},
], ids=str)
def test_backward_gives_the_same_gradients_as_the_named_ones(given):
    upstream, x, weights, options = layer_and_upstream(**given)
    leaves = {name: w.clone().requires_grad_() for name, w in {"x": x, **weights}.items()}
    own = dict(leaves)
    BACKEND.attention_layer(own.pop("x"), own, options=options).backward(upstream)
    named = BACKEND.attention_layer_vjp(upstream, x, weights, options=options)
    assert list(named) == list(leaves)
    assert all(torch.equal(named[name], leaf.grad) for name, leaf in leaves.items())


def test_named_gradients_leave_the_callers_graph_alone():
    upstream, x, weights, options = layer_and_upstream()
    x.requires_grad_()
    with torch.no_grad():
        named = BACKEND.attention_layer_vjp(upstream, x, weights, options=options)
    assert x.grad is None
    assert not any(w.requires_grad for w in weights.values())
    assert not any(grad.requires_grad for grad in named.values())


def test_a_named_gradient_refuses_another_upstream():
    upstream, x, weights, options = layer_and_upstream()
    with pytest.raises(ValueError, match=r"^`upstream` must have shape \(batch=2, height=5, "):
        BACKEND.attention_layer_vjp(upstream[:, :4], x, weights, options=options)


def test_attention_is_linear_in_its_values_and_so_is_its_gradient():
    """Small integers and equal logits over 4 slots make every sum exact: the gradient is v's."""
    options = AttentionOptions(extent=2, position="none")
    rng = np.random.default_rng(0)
    value = torch.from_numpy(rng.integers(-4, 5, (1, 5, 7, 1, 3)).astype(float)).requires_grad_()
    upstream = torch.from_numpy(rng.integers(-4, 5, (1, 5, 7, 1, 3)).astype(float))
    zero = torch.zeros_like(upstream)
    y = BACKEND.local_attention(zero, zero, value, None, None, options=options)
    (grad,) = torch.autograd.grad(y, value, upstream)
    assert (y * upstream).sum().item() == (grad * value).sum().item()


def test_modules_have_the_projects_names_and_round_trip():
    network = Network(SPEC, seed=0)
    weights = network.export_weights()
    assert list(weights) == list(random_weights(SPEC, 0))
    other = Network(SPEC, seed=1)
    other.import_weights(weights)
    assert all((one == weights[name]).all() for name, one in other.export_weights().items())


def test_training_mode_moves_the_statistics_and_eval_mode_does_not():
    network, images = Network(SPEC, seed=0), torch.randn(4, 9, 9, 3)
    before = network.export_weights()
    network.eval()(images)
    assert all((w == before[name]).all() for name, w in network.export_weights().items())
    network.train()(images)
    moved = {name for name, w in network.export_weights().items() if (w != before[name]).any()}
    assert moved == {name for name in before if name.endswith(("norm_mean", "norm_variance"))}


def test_a_step_of_training_lowers_the_loss():
    network = Network(SPEC, seed=0)
    images = torch.randn(8, 9, 9, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) % 3
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    losses = []
    for _ in range(10):
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_layer_module_is_the_operation():
    options = AttentionOptions(extent=3, heads=2)
    layer = AttentionLayer(6, 8, options=options, seed=0, dtype=torch.float64)
    x = torch.randn(1, 4, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(layer(x), BACKEND.attention_layer(x, layer.tensors(), options=options))


@pytest.mark.parametrize(("given", "error", "text"), [
    ({"seed": -1}, ValueError, "`seed` must be at least 0; got -1."),
    ({"momentum": 2}, ValueError, "`momentum` must lie in 0 to 1; got 2."),
])
def test_modules_refuse(given, error, text):
    with pytest.raises(error) as caught:
        Network(SPEC, **given)
    assert str(caught.value) == text
