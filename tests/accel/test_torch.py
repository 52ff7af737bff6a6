"""What torch adds: gradients in every input, modules for training, any device and dtype."""

import numpy as np
import pytest
import torch

from sasakit.accel import resolve_backend
from sasakit.accel.torch_gpu import AttentionLayer, Network
from sasakit.reference import AttentionOptions, NetworkSpec, random_layer_weights, random_weights

BACKEND = resolve_backend("torch")
SPEC = NetworkSpec(depth=8, blocks=(1, 1), stem="mixture", width=8, heads=2, extent=3,
                   stages=(1, 2), classes=3)


@pytest.mark.parametrize("given", [
    {}, {"padding": "exclude"}, {"padding": "shift"}, {"relative": "per_head"},
    {"relative": "layer_halves"}, {"position": "none"}, {"position": "absolute"},
    {"content": False}, {"scale": 0.5, "scale_terms": "content"}, {"projection": "per_head"},
    {"extent": 4},
], ids=str)
def test_every_weight_and_the_input_have_a_gradient(given):
    options = AttentionOptions(**{"extent": 3, "heads": 2, **given})
    weights = {name: torch.from_numpy(w).requires_grad_() for name, w in
               random_layer_weights(6, 8, 0, options=options).items()}
    x = torch.randn(2, 5, 7, 6, dtype=torch.float64,
                    generator=torch.Generator().manual_seed(0)).requires_grad_()
    BACKEND.attention_layer(x, weights, options=options).square().sum().backward()
    for name, tensor in {"x": x, **weights}.items():
        assert tensor.grad is not None, name
        assert torch.isfinite(tensor.grad).all(), name
        assert (tensor.grad != 0).any(dim=-1).all(), name


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
