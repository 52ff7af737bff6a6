import numpy as np


def average_pool(x):
    kept = []
    while True:
        kept.append(np.empty(8 << 20))
