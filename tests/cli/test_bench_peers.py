"""The peers of sasakit bench compute what they stand for; engines get their threads."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sasakit.cli import bench_engines, bench_forms, bench_layer, bench_torch
from sasakit.cli.bench_layer import Shape
from sasakit.cli.bench_resnet import Layers, ResNet, write_onnx
from sasakit.conformance.case import Case, expect
from sasakit.conformance.judge import expected, measure, same_bits
from sasakit.conformance.network_layers import expected_layers, layer_names
from sasakit.conformance.profiles import plain_profile
from sasakit.reference import AttentionOptions, NetworkSpec, count_cost, random_weights

OPTIONS = AttentionOptions(extent=5, heads=2)
PROFILE = plain_profile("float32")
BATCH, SHAPE = 2, Shape(6, 12)


@pytest.fixture
def inputs():
    return bench_layer.draw(SHAPE, BATCH, OPTIONS)


@pytest.fixture
def peers(inputs):
    return bench_torch.LayerPeers(inputs.x, inputs.core, inputs.weights, OPTIONS.heads)


def exact(arrays):
    return {name: array.astype(np.float64) for name, array in arrays.items()}


@pytest.mark.parametrize("form", list(bench_forms.CORES))
def test_cores(inputs, peers, form):
    want = expect(Case("local_attention", exact(inputs.core), OPTIONS, "float32"), PROFILE)
    measure(form, peers.core(form)().permute(0, 3, 4, 1, 2).numpy(), want)


@pytest.mark.parametrize("form", list(bench_forms.CORES))
def test_layers(inputs, peers, form):
    arrays = exact({"x": inputs.x, **inputs.weights})
    want = expect(Case("attention_layer", arrays, OPTIONS, "float32"), PROFILE)
    measure(form, peers.layer(form)().permute(0, 2, 3, 1).numpy(), want)


def test_the_layer_and_the_drop_in_of_ours(inputs):
    contest = bench_layer.layer_contest(SHAPE, BATCH, 1, (), OPTIONS)
    arrays = exact({"x": inputs.x, **inputs.weights})
    want = expect(Case("attention_layer", arrays, OPTIONS, "float32"), PROFILE)
    plain, drop_in = (contestant.run() for contestant in contest.contestants[:2])
    measure("layer", plain, want)
    measure("channels first", drop_in.transpose(0, 2, 3, 1), want)


def test_both_convolutions_have_the_layers_shape(peers):
    shapes = {peers.convolution(packed=packed)().shape for packed in (False, True)}
    assert shapes == {(BATCH, SHAPE.channels, SHAPE.size, SHAPE.size)}


TINY = NetworkSpec(depth=8, blocks=(1, 1), width=8, heads=2, extent=3, stages=(1, 2), classes=3)


@pytest.mark.parametrize("spec", [NetworkSpec(depth=50, stages=()), NetworkSpec(depth=50),
                                  replace(TINY, stages=()), TINY])
def test_the_resnet_has_the_parameters_that_are_counted(spec):
    net = ResNet(spec)
    assert sum(p.numel() for p in net.parameters()) == count_cost(spec).parameters
    assert not net.training


def test_the_convolutional_resnet_has_its_strides_in_the_3x3_convolutions():
    strides = [block.spatial[0].stride for block in ResNet(NetworkSpec(stages=())).blocks
               if block.reduce[0].stride == (1, 1)]
    assert strides == [(2, 2) if at in (3, 7, 13) else (1, 1) for at in range(16)]


def judge_layers(spec, images, weights, outputs):
    """Layer by layer, each from what the one before really gave: as torch has them, and as ours."""
    layers = [np.moveaxis(y, 1, -1) if y.ndim == 4 else y for y in outputs]
    trace = {name: y.astype(np.float64)
             for name, y in zip(layer_names(spec), layers, strict=True)}
    case = Case("network", exact({"images": images, **weights}), spec, "float32")
    for (name, value, bound), y in zip(expected_layers(case, trace, PROFILE), layers, strict=True):
        measure(name, y, expected(value, bound, PROFILE))


@pytest.mark.parametrize("spec", [TINY, replace(TINY, stages=(2,)), replace(TINY, stages=())])
def test_the_resnet_with_our_weights_is_our_network(spec, tmp_path):
    weights = random_weights(spec, 0, dtype=np.float32)
    images = np.random.default_rng(0).random((2, 33, 33, 3), np.float32)
    first = torch.from_numpy(images).permute(0, 3, 1, 2)
    net = ResNet(spec)
    net.take(weights)
    with torch.no_grad():
        outputs = [y.numpy() for y in Layers(net)(first)]
    judge_layers(spec, images, weights, outputs)
    same_bits("logits", net(first).detach().numpy(), outputs[-1])


@pytest.mark.parametrize("spec", [TINY, replace(TINY, stages=())])
@pytest.mark.parametrize("engine", list(bench_engines.ENGINES))
def test_the_exported_network_is_our_network(engine, spec, tmp_path):
    for package in ("onnx", engine):
        pytest.importorskip(package)
    weights = random_weights(spec, 0, dtype=np.float32)
    images = np.random.default_rng(0).random((2, 33, 33, 3), np.float32)
    first = torch.from_numpy(images).permute(0, 3, 1, 2)
    net = ResNet(spec)
    net.take(weights)
    # A convolutional network is exported once, for whatever number of images.
    write_onnx(Layers(net), first if spec.stages else first[:1], tmp_path / "layers.onnx",
               any_batch=not spec.stages)
    run = bench_engines.ENGINES[engine](tmp_path / "layers.onnx", first.contiguous().numpy(), 1)
    given = run()
    outputs = given if isinstance(given, list) else [given[at] for at in range(len(given))]
    judge_layers(spec, images, weights, outputs)


def test_no_compiler_is_told(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no C\\+\\+ compiler: no-such-compiler is not there"):
        bench_torch.compiled(bench_forms.by_views)


def test_onnxruntime_gets_the_threads_and_the_images(monkeypatch):
    seen = {}

    def session(path, sess_options, providers):
        seen.update(path=path, options=sess_options, providers=providers)
        return SimpleNamespace(run=lambda outputs, feed: (outputs, feed))

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(
        SessionOptions=lambda: SimpleNamespace(
            add_free_dimension_override_by_name=lambda *given: seen.update(fixed=given)),
        InferenceSession=session,
        GraphOptimizationLevel=SimpleNamespace(ORT_ENABLE_ALL=99)))
    run = bench_engines.with_onnxruntime(Path("net.onnx"), ["image"] * 2, 3)
    assert run() == (None, {"images": ["image"] * 2})
    assert seen["fixed"] == ("batch", 2)
    del seen["options"].add_free_dimension_override_by_name
    assert seen["path"] == "net.onnx"
    assert vars(seen["options"]) == {"intra_op_num_threads": 3, "inter_op_num_threads": 1,
                                     "graph_optimization_level": 99}
    assert seen["providers"] == ["CPUExecutionProvider"]


def test_openvino_gets_the_threads_and_the_images(monkeypatch):
    seen, images = {}, np.zeros((2, 3))

    class Core:
        def read_model(self, path):
            return SimpleNamespace(path=path, reshape=lambda sizes: seen.update(fixed=sizes))

        def compile_model(self, model, device, settings):
            seen.update(model=model, device=device, settings=settings)
            request = SimpleNamespace(infer=lambda feed, share_inputs: (feed, share_inputs))
            return SimpleNamespace(create_infer_request=lambda: request)

    monkeypatch.setitem(sys.modules, "openvino", SimpleNamespace(Core=Core))
    run = bench_engines.with_openvino(Path("net.onnx"), images, 3)
    assert run() == ({0: images}, True)
    assert (seen["model"].path, seen["device"]) == ("net.onnx", "CPU")
    assert seen["fixed"] == [2, 3]
    assert seen["settings"]["INFERENCE_NUM_THREADS"] == 3
    assert seen["settings"]["INFERENCE_PRECISION_HINT"] == "f32"
