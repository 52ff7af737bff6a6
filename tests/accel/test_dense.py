"""Matrix products of whole numbers, which float32 adds exactly, wherever something is fetched."""

from typing import NamedTuple

import numpy as np
import pytest
from kernel_processes import OTHER_WIDTHS, words_printed

from sasakit.accel.numba_cpu.dense import dense, pixel_pitch, pixel_walk
from sasakit.accel.numba_cpu.panels import pack_weights
from sasakit.accel.numba_cpu.plan import Plan

FLOAT32 = np.dtype(np.float32)


class Product(NamedTuple):
    """One 1 x 1 convolution: images, channels in and out, stride, and what is added."""

    batch: int
    size: int
    channels: int
    channels_out: int
    stride: int
    residual: bool


PRODUCTS = [
    Product(2, 13, 256, 64, 1, False),   # blocks of pixels, whose next ones are asked for
    Product(1, 20, 132, 20, 1, True),    # the same, and a panel that is not full
    Product(1, 5, 640, 512, 1, True),    # few pixels: the next weights are, piece by piece
    Product(1, 3, 128, 256, 2, False),
    Product(1, 1, 512, 40, 1, False),
    Product(1, 9, 130, 24, 1, True),     # taps that are no multiple of those taken together
    Product(2, 4, 7, 5, 2, True),
]


def is_exact(product):
    batch, size, channels, count, stride, has_residual = product
    rng = np.random.default_rng(0)
    side, pitch, pitch_out = -(-size // stride), channels + 3, pixel_pitch(count, FLOAT32)
    x = np.full((batch, size, size, pitch), np.nan, np.float32)
    x[..., :channels] = rng.integers(-9, 10, (batch, size, size, channels))
    w = rng.integers(-9, 10, (channels, count)).astype(np.float32)
    bias = rng.integers(-9, 10, count).astype(np.float32)
    added = rng.integers(-999, 1000, (batch, side, side, pitch_out)).astype(np.float32)
    out, plan = np.full(added.shape, np.nan, np.float32), Plan()
    walk = pixel_walk((batch, size, size, channels), count, stride=stride, pitch=pitch,
                      pitch_out=pitch_out)
    dense(plan, out.reshape(-1), x.reshape(-1), pack_weights([(w, 0, 0)], count, bias), walk,
          residual=added.reshape(-1) if has_residual else None, relu=True)
    plan.run()
    expected = x[:, ::stride, ::stride, :channels] @ w + bias
    if has_residual:
        expected += added[..., :count]
    between = out[..., count:]
    return bool((out[..., :count] == np.maximum(expected, 0)).all() and np.isnan(between).all())


@pytest.mark.parametrize("product", PRODUCTS, ids=str)
def test_products_are_exact(product):
    assert is_exact(product)


def test_crowded_pixels_are_parted():
    assert pixel_pitch(256, FLOAT32) == 256 + 16
    assert pixel_pitch(128, np.dtype(np.float64)) == 128 + 8
    assert pixel_pitch(192, FLOAT32) == 192


SCRIPT = """
from test_dense import PRODUCTS, is_exact
print(*map(is_exact, PRODUCTS))
"""


@pytest.mark.parametrize("setting", [*OTHER_WIDTHS, {"NUMBA_BOUNDSCHECK": "1"}], ids=str)
def test_every_width_and_within_bounds(setting, tmp_path):
    words = words_printed(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path), **setting)
    assert words == ["True"] * len(PRODUCTS)
