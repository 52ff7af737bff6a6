"""What only a process of its own can tell: the memory of one layer, and how long a start takes.

This file is also the program of those processes: `python -m sasakit.cli.bench_child TASK SIZES`,
which prints one number.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sasakit.accel import resolve_backend
from sasakit.accel.weights_file import read_weights, write_weights

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Memory that is given back leaves the process at once, so that it is not taken for free later on.
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
# A layer whose kernels are those of the measured one, and whose memory is next to nothing.
SMALL = 8
# Names the file of a child's weights.
WEIGHTS = "SASAKIT_BENCH_WEIGHTS"


def ask(task: str, sizes: dict[str, int], environment: dict[str, str] | None = None) -> float:
    """The number that a child prints. Raises RuntimeError with the end of its complaint."""
    done = subprocess.run([sys.executable, "-m", __spec__.name, task, json.dumps(sizes)],
                          capture_output=True, text=True, check=False,
                          env=os.environ | (environment or {}))
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(lines[-1])
    return float(done.stdout.split()[-1])


def extra_memory(task: str, sizes: dict[str, int]) -> float:
    """Bytes that one call of a layer held at most beyond its input, weights and output.

    task  sasakit, unfold
    The high-water mark of the process, reset before the first call at this size.
    """
    if not RESET.exists():
        raise RuntimeError("this system keeps no high-water mark that can be reset")
    return ask(task, sizes, RETURNING)


def start_seconds(task: str, sizes: dict[str, int], *, cold: bool) -> float:
    """Seconds from the start of a process to its first result; a network's weights are in a file.

    task  first-layer, first-network
    cold  whether every kernel is compiled, into a cache that is empty
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {WEIGHTS: str(Path(folder) / "weights.safetensors")}
        if task == "first-network":
            from .bench_network import SIZE, SPEC, draw_weights
            sizes = sizes | {"size": SIZE}
            write_weights(environment[WEIGHTS], SPEC, draw_weights(SPEC))
        if cold:
            environment["NUMBA_CACHE_DIR"] = folder
        return _since(task, sizes, environment)


def _since(task: str, sizes: dict[str, int], environment: dict[str, str]) -> float:
    began = time.time()
    return ask(task, sizes, environment) - began


def _sasakit_layer(sizes: dict[str, int], size: int) -> Callable[[], Any]:
    from .bench_layer import OPTIONS, Shape, draw, our_layer
    return our_layer(draw(Shape(size, sizes["channels"]), sizes["batch"], OPTIONS), OPTIONS)


def _unfold_layer(sizes: dict[str, int], size: int) -> Callable[[], Any]:
    import torch

    from .bench_layer import OPTIONS, Shape, draw
    from .bench_torch import LayerPeers
    torch.set_num_threads(sizes["threads"])
    inputs = draw(Shape(size, sizes["channels"]), sizes["batch"], OPTIONS)
    return LayerPeers(inputs.x, inputs.core, inputs.weights, OPTIONS.heads).layer("unfold, einsum")


def _status(name: str) -> int:
    """Bytes of one line of the kernel's account of this process."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not tell {name}")


def measure_memory(make: Callable[[dict[str, int], int], Callable[[], Any]],
                   sizes: dict[str, int]) -> float:
    """Bytes that the first call at this size held at most beyond its output, in this process."""
    # Code, threads and their stacks are there before anything is measured.
    make(sizes, SMALL)()
    run = make(sizes, sizes["size"])
    RESET.write_text("5", encoding="ascii")
    before = _status("VmRSS")
    y = run()
    return _status("VmHWM") - before - int(y.nbytes)


def _first_layer(sizes: dict[str, int]) -> float:
    _sasakit_layer(sizes, sizes["size"])()
    return time.time()


def _first_network(sizes: dict[str, int]) -> float:
    file = read_weights(os.environ[WEIGHTS])
    model = resolve_backend("numba").load(file.spec, file.weights)
    size, channels = sizes["size"], file.spec.image_channels
    model(np.zeros((sizes["batch"], size, size, channels), np.float32))
    return time.time()


TASKS: dict[str, Callable[[dict[str, int]], float]] = {
    "sasakit": lambda sizes: measure_memory(_sasakit_layer, sizes),
    "unfold": lambda sizes: measure_memory(_unfold_layer, sizes),
    "first-layer": _first_layer, "first-network": _first_network,
}


def main(task: str, sizes: str) -> None:
    """Do one task, on as many of Numba's threads as the sizes say, and print its number."""
    given: dict[str, int] = json.loads(sizes)
    import numba
    numba.set_num_threads(given["threads"])
    print(repr(TASKS[task](given)))


if __name__ == "__main__":
    main(*sys.argv[1:])
