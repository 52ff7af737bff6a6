import numpy as np


def average_pool(x):
    return np.ones(100 * 2**27)
