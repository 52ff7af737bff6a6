"""The vector emitter: compiled, every function gives what it says in NumPy, at every width."""

import numpy as np
import pytest
from numba import njit

from sasakit.accel.numba_cpu import vector_exp, vector_rows, vector_tiles, vectors
from sasakit.accel.numba_cpu.jit import FASTMATH
from sasakit.accel.numba_cpu.vector_exp import FLOAT32, FLOAT64, scaled_powers
from sasakit.accel.numba_cpu.vector_rows import (
    add_both,
    add_products,
    folded,
    largest_parts,
    loads,
    maximum,
    plus,
    plus_row,
    rectified,
    splats,
    stores,
    summed,
    summed_parts,
    times,
    transposed,
)
from sasakit.accel.numba_cpu.vector_tiles import (
    add_outers,
    plus_columns,
    plus_loaded,
    prefetch_rows,
    store_tile,
)
from sasakit.accel.numba_cpu.vector_types import Constant
from sasakit.accel.numba_cpu.vectors import larger, load, prefetch, span, splat, spread, store, take

COUNT, ROWS, HEADS = Constant(6), Constant(3), Constant(2)


def one_vector(out, a, b, lanes, count, rows, heads):
    x, y = load(lanes, a, 1), load(lanes, b, 2)
    store(out, 0, x + y)
    store(out, 100, (x - y) * splat(lanes, a[0]))
    store(out, 200, larger(x, y))
    store(out, 300, spread(lanes, a, 3, heads))
    store(out, 400, x / splat(lanes, a[5]))
    numbers, written = span(a), span(out)
    written[500] = numbers[7] + numbers.dtype.type(1)


def rows_of_vectors(out, a, b, lanes, count, rows, heads):
    row, step = loads(lanes, a, 1, 7, count), lanes.value
    stores(out, 0, step, add_products(row, load(lanes, b, 0), b, 2, 5))
    stores(out, 100, step, plus(times(row, load(lanes, b, 3)), load(lanes, b, 4)))
    stores(out, 200, step, plus_row(row, splats(lanes, a[2], count)))
    store(out, 300, summed(row))
    stores(out, 700, step, maximum(row, loads(lanes, b, 3, 2, count)))
    stores(out, 400, step, folded(row, loads(lanes, b, 0, 1, count)))
    first, second = add_both(row, row, load(lanes, a, 3), load(lanes, b, 5), b, 6)
    stores(out, 500, step, plus_row(times(first, load(lanes, a, 2)), second))
    stores(out, 800, step, plus_row(summed_parts((row[0], row[1]), heads),
                                    largest_parts((row[1], row[2]), heads)))
    prefetch(out, 10 ** 6)
    stores(out, 600, step, transposed(loads(lanes, a, 1, step, lanes)))


def tiles(out, a, b, lanes, count, rows, heads):
    places = take(np.array([9, 30, 4, 17]), 1, rows)
    targets = take(np.array([0, 100, 300]), 0, rows)
    columns = loads(lanes, b, 3, lanes.value, heads)
    tile = add_outers(splats(lanes, a[0], count), a, places, 2, b, 11, rows)
    prefetch_rows(out, places, 10 ** 6)
    store_tile(out, targets, 2, rectified(plus_loaded(plus_columns(tile, columns), b, places, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
@pytest.mark.parametrize("function", [one_vector, rows_of_vectors, tiles])
def test_compiled_is_what_it_says(function, lanes, dtype):
    # Whole numbers that divide by powers of two: no rounding, so that both must be equal.
    rng = np.random.default_rng(lanes)
    a, b = (rng.integers(-9, 9, 900).astype(dtype) for _ in range(2))
    a[5] = 4
    compiled, said = np.zeros(900, dtype), np.zeros(900, dtype)
    arguments = (a, b, Constant(lanes), COUNT, ROWS, HEADS)
    njit(function)(compiled, *arguments)
    function(said, *arguments)
    assert said.any()
    assert (compiled == said).all()


@njit(fastmath=FASTMATH)
def powers(out, x, lanes, count):
    for place in range(0, x.size, lanes.value):
        store(out, place, scaled_powers((load(lanes, x, place),))[0])


@njit(fastmath=FASTMATH)
def powers_of_rows(out, x, lanes, count):
    for place in range(0, x.size, 2 * lanes.value):
        row = loads(lanes, x, place, lanes.value, count)
        stores(out, place, lanes.value, scaled_powers(row))


@pytest.mark.parametrize("function", [powers, powers_of_rows])
@pytest.mark.parametrize(("dtype", "least"), [(np.float32, -155), (np.float64, -1080)])
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_power_is_within_two_ulp(function, lanes, dtype, least):
    x = np.linspace(least, 0, 16000).astype(dtype)
    found = np.empty_like(x)
    function(found, x, Constant(lanes), HEADS)
    found *= dtype(2.0 ** -(FLOAT32 if dtype == np.float32 else FLOAT64).spare)
    exact = np.exp2(x.astype(np.longdouble))
    ulp = np.spacing(np.maximum(exact.astype(dtype), np.finfo(dtype).smallest_subnormal))
    assert (np.abs(found - exact) <= 2 * ulp).all()


def test_power_of_what_is_no_number_or_has_no_end():
    x = np.array([0, -0.0, -np.inf, np.nan, -1e30, -200, 0, 0], np.float32)
    found = np.empty_like(x)
    powers(found, x, Constant(8), HEADS)
    found *= np.float32(2.0 ** -FLOAT32.spare)
    assert found[[0, 1, 2, 4, 5]].tolist() == [1, 1, 0, 0, 0]
    assert np.isnan(found[3])


def test_every_function_is_tried():
    ours = {name for module in (vectors, vector_rows, vector_tiles, vector_exp)
            for name, value in vars(module).items() if not isinstance(value, type)
            if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")}
    assert ours <= set(globals())
