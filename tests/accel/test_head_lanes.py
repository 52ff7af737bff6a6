"""Attention with heads as lanes, judged under every option, width and arrangement of the heads."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from kernel_processes import OTHER_WIDTHS, words_printed

from sasakit.accel import resolve_backend
from sasakit.accel.numba_cpu.head_layout import head_lanes
from sasakit.accel.numba_cpu.vector_width import WIDTHS
from sasakit.conformance.case import Case
from sasakit.conformance.property import agrees
from sasakit.conformance.target import backend_target
from sasakit.reference import AttentionOptions, random_layer_weights

TARGET = backend_target("numba", resolve_backend("numba"))
OPTIONS = [
    *({"padding": padding, "relative": relative} for padding, relative in product(
        ("zero", "exclude", "shift"), ("shared", "per_head", "layer_halves"))),
    {"content": False}, {"position": "none"}, {"position": "absolute"}, {"scale": 0.25},
    {"scale": 0.25, "scale_terms": "content"}, {"scale": 2.0, "scale_terms": "content",
                                                "position": "absolute"},
    {"first_half": "column"}, {"projection": "per_head"},
]


def core_case(shape, options, dtype, seed=0):
    rng = np.random.default_rng(seed)
    depth, tables = shape[-1], {}
    if options.position == "relative":
        lead = {"shared": (), "per_head": (shape[3],), "layer_halves": ()}[options.relative]
        half = depth // 2 * (shape[3] if options.relative == "layer_halves" else 1)
        tables = dict.fromkeys(("rel_row", "rel_col"), (*lead, options.table_rows, half))
    shapes = {"query": shape, "key": shape, "value": shape} | tables
    arrays = {name: rng.standard_normal(each).astype(dtype).astype(np.float64)
              for name, each in shapes.items()}
    arrays |= {name: None for name in ("rel_row", "rel_col") if name not in tables}
    return Case("local_attention", arrays, options, dtype)


def layer_case(options, dtype, channels=64, size=(6, 5)):
    x = np.random.default_rng(1).standard_normal((2, *size, 16)).astype(dtype).astype(np.float64)
    weights = random_layer_weights(16, channels, 2, options=options, dtype=np.dtype(dtype))
    arrays = {name: array.astype(np.float64) for name, array in weights.items()}
    return Case("attention_layer", {"x": x} | arrays, options, dtype)


@pytest.mark.parametrize("changes", OPTIONS, ids=str)
def test_every_option(changes):
    options = AttentionOptions(extent=3, heads=8, **changes)
    assert head_lanes(8, 8, np.dtype("float32")) is not None
    assert agrees(layer_case(options, "float32"), TARGET) <= 1
    if options.projection == "dense":
        assert agrees(core_case((1, 4, 3, 8, 10), options, "float32"), TARGET) <= 1


@pytest.mark.parametrize(("heads", "depth", "dtype"), [
    (4, 18, "float32"), (16, 4, "float32"), (8, 8, "float64")])
def test_every_arrangement(heads, depth, dtype):
    options = AttentionOptions(extent=3, heads=heads, padding="exclude")
    assert head_lanes(heads, depth, np.dtype(dtype)) is not None
    assert agrees(core_case((1, 5, 4, heads, depth), options, dtype), TARGET) <= 1


@pytest.mark.parametrize("extent", [1, 2])
def test_small_windows(extent):
    options = AttentionOptions(extent=extent, heads=8)
    assert agrees(core_case((2, 3, 1, 8, 8), options, "float32"), TARGET) <= 1


SCRIPT = """
from test_head_lanes import AttentionOptions, TARGET, agrees, core_case, layer_case
for padding in ("zero", "exclude", "shift"):
    options = AttentionOptions(extent=3, heads=8, padding=padding)
    print(agrees(core_case((1, 4, 3, 8, 8), options, "float32"), TARGET) <= 1,
          agrees(layer_case(options, "float32"), TARGET) <= 1)
"""


@pytest.mark.parametrize("setting", [
    *OTHER_WIDTHS, {"NUMBA_BOUNDSCHECK": "1"}, {"NUMBA_DISABLE_JIT": "1"}], ids=str)
def test_every_width_and_mode(setting, tmp_path):
    words = words_printed(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path), **setting)
    assert words == ["True"] * 6


# Interpreted, a write outside its array is an error.
LAYERS = """
from test_head_lanes import AttentionOptions, TARGET, agrees, layer_case
for heads, depth in ((12, 6), (2, 36), (4, 20), (20, 4), (6, 12), (8, 10), (16, 4)):
    options = AttentionOptions(extent=2, heads=heads)
    print(*(agrees(layer_case(options, dtype, heads * depth, (2, 3)), TARGET) <= 1
            for dtype in ("float32", "float64")))
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_layers_of_any_heads_at_every_width(width):
    words = words_printed(LAYERS, NUMBA_DISABLE_JIT="1", SASAKIT_VECTOR_BYTES=str(width))
    assert words == ["True"] * 14


def test_a_width_that_is_none_is_refused():
    code = "from sasakit.accel.numba_cpu.vector_width import vector_bytes; vector_bytes()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env={**os.environ, "SASAKIT_VECTOR_BYTES": "48"})
    assert "`SASAKIT_VECTOR_BYTES` must be one of 64, 32, 16; got '48'." in done.stderr
