"""Returns twice: once in each of two processes."""
import os


def average_pool(x):
    os.fork()
    return x
