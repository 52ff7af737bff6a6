"""The peers of sasakit bench compute what they stand for; engines get their threads."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sasakit.cli import bench_engines, bench_layer, bench_torch
from sasakit.cli.bench_layer import Shape
from sasakit.conformance.case import Case, expect
from sasakit.conformance.judge import measure
from sasakit.conformance.profiles import plain_profile
from sasakit.reference import AttentionOptions, NetworkSpec, count_cost

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


@pytest.mark.parametrize("form", list(bench_torch.CORES))
def test_cores(inputs, peers, form):
    want = expect(Case("local_attention", exact(inputs.core), OPTIONS, "float32"), PROFILE)
    measure(form, peers.core(form)().permute(0, 3, 4, 1, 2).numpy(), want)


@pytest.mark.parametrize("form", list(bench_torch.CORES))
def test_layers(inputs, peers, form):
    arrays = exact({"x": inputs.x, **inputs.weights})
    want = expect(Case("attention_layer", arrays, OPTIONS, "float32"), PROFILE)
    measure(form, peers.layer(form)().permute(0, 2, 3, 1).numpy(), want)


def test_the_layer_and_the_drop_in_of_ours(inputs):
    contest = bench_layer.layer_contest(SHAPE, BATCH, True, OPTIONS)
    arrays = exact({"x": inputs.x, **inputs.weights})
    want = expect(Case("attention_layer", arrays, OPTIONS, "float32"), PROFILE)
    plain, drop_in = (contestant.run() for contestant in contest.contestants[:2])
    measure("layer", plain, want)
    measure("channels first", drop_in.transpose(0, 2, 3, 1), want)


def test_the_convolution_has_the_layers_shape(peers):
    assert peers.convolution()().shape == (BATCH, SHAPE.channels, SHAPE.size, SHAPE.size)


@pytest.mark.parametrize("spec", [
    NetworkSpec(depth=50, stages=()),
    NetworkSpec(depth=8, blocks=(1, 1), width=8, heads=2, stages=(), classes=3),
])
def test_the_resnet_has_the_parameters_that_are_counted(spec):
    from sasakit.cli.bench_resnet import draw_images, resnet
    net = resnet(spec)
    assert sum(p.numel() for p in net.parameters()) == count_cost(spec).parameters
    assert not net.training
    if spec.depth == 8:
        assert net(draw_images(spec, 2, 33)).shape == (2, 3)


def test_no_compiler_is_told(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no C\\+\\+ compiler: no-such-compiler is not there"):
        bench_torch.compiled(bench_torch.by_shifts)


def test_onnxruntime_gets_the_threads_and_the_images(monkeypatch):
    seen = {}

    def session(path, sess_options, providers):
        seen.update(path=path, options=sess_options, providers=providers)
        return SimpleNamespace(run=lambda outputs, feed: (outputs, feed))

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(
        SessionOptions=SimpleNamespace, InferenceSession=session,
        GraphOptimizationLevel=SimpleNamespace(ORT_ENABLE_ALL=99)))
    run = bench_engines.with_onnxruntime(Path("net.onnx"), "images", 3)
    assert run() == (None, {"images": "images"})
    assert seen["path"] == "net.onnx"
    assert vars(seen["options"]) == {"intra_op_num_threads": 3, "inter_op_num_threads": 1,
                                     "graph_optimization_level": 99}
    assert seen["providers"] == ["CPUExecutionProvider"]


def test_openvino_gets_the_threads_and_the_images(monkeypatch):
    seen = {}

    class Core:
        def read_model(self, path):
            return path

        def compile_model(self, model, device, settings):
            seen.update(model=model, device=device, settings=settings)
            request = SimpleNamespace(infer=lambda feed, share_inputs: (feed, share_inputs))
            return SimpleNamespace(create_infer_request=lambda: request)

    monkeypatch.setitem(sys.modules, "openvino", SimpleNamespace(Core=Core))
    run = bench_engines.with_openvino(Path("net.onnx"), "images", 3)
    assert run() == ({0: "images"}, True)
    assert (seen["model"], seen["device"]) == ("net.onnx", "CPU")
    assert seen["settings"]["INFERENCE_NUM_THREADS"] == 3
    assert seen["settings"]["INFERENCE_PRECISION_HINT"] == "f32"
