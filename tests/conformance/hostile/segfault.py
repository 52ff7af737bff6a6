import ctypes


def average_pool(x):
    ctypes.string_at(0)
