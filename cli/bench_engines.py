"""Inference engines that run an exported network: onnxruntime and OpenVINO, float32, on the CPU."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

Images = npt.NDArray[Any]


def import_engine(package: str) -> Any:
    """An engine's package. Raises ImportError where there is none.

    On import, openvino reports to its maker unless it finds no openvino_telemetry to do it with.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)
    return importlib.import_module(package)


def with_onnxruntime(path: Path, images: Images, threads: int) -> Callable[[], object]:
    """A call of the network in an ONNX file on images (batch, channels, height, width)."""
    runtime = import_engine("onnxruntime")
    options = runtime.SessionOptions()
    # Sizes are known before anything is planned, as they are where a file states them.
    options.add_free_dimension_override_by_name("batch", len(images))
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = runtime.InferenceSession(str(path), sess_options=options,
                                       providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"images": images})


def with_openvino(path: Path, images: Images, threads: int) -> Callable[[], object]:
    """A call of the network in an ONNX file on images (batch, channels, height, width)."""
    openvino = import_engine("openvino")
    core = openvino.Core()
    network = core.read_model(str(path))
    network.reshape(list(images.shape))
    # Without the last of these it may compute in bfloat16 where the CPU can.
    model = core.compile_model(network, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    return lambda: request.infer({0: images}, share_inputs=True)


ENGINES = {"onnxruntime": with_onnxruntime, "openvino": with_openvino}
