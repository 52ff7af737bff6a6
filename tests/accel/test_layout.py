"""Copies between the two layouts, at sizes that fill vectors and at others."""

import numpy as np
import pytest

from sasakit.accel.numba_cpu import channels_first, channels_last
from sasakit.conformance.judge import same_bits

SHAPES = [(1, 64, 14, 14), (2, 3, 5, 7), (1, 16, 8, 8), (3, 70, 1, 9), (1, 1, 1, 1), (2, 5, 20, 30),
          (0, 4, 3, 3)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_there_and_back(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    x.flat[::37] = np.nan
    last = channels_last(x)
    same_bits("last", last, np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    same_bits("first", channels_first(last), x)


def test_what_is_not_contiguous_is_read_as_it_is():
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 12))[:, ::2, 1:, ::-1]
    same_bits("first", channels_first(x), np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


@pytest.mark.parametrize("convert", [channels_first, channels_last])
@pytest.mark.parametrize(("x", "error"), [
    (np.zeros((2, 3, 4)), ValueError), (np.zeros((1, 2, 3, 4), np.int32), TypeError),
    ([[[[1.0]]]], TypeError),
])
def test_what_is_no_image_is_refused(convert, x, error):
    with pytest.raises(error, match="`x` must"):
        convert(x)
