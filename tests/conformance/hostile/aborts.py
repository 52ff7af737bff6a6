import os


def average_pool(x):
    os.abort()
