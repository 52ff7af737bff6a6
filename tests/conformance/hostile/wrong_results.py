import numpy as np


class Liar:
    shape = (1, 1, 1, 3)
    dtype = "float64"

    def __array__(self, dtype=None, copy=None):
        return np.array([object()])


def nothing(x):
    return None


def text(x):
    return "all passed"


def pair(x):
    return x, x


def numbers(x):
    return [1.0, 2.0]


def objects(x):
    return np.array([None, 1], dtype=object)


def integers(x):
    return np.zeros(x.shape, np.int64)


def complex_numbers(x):
    return x + 0j


def liar(x):
    return Liar()


def huge(x):
    return np.broadcast_to(np.float64(0), (10**6, 10**6))


def larger(x):
    return np.zeros((1, 512, 512, 3))


def shape(x):
    return x[0]


def zeros(x):
    return np.zeros_like(x[:, ::2, ::2])
