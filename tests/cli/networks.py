"""A tiny network in a weights file, whose answer is known: its bias alone decides."""

import json

import numpy as np

from sasakit.accel.weights_file import read_weights, write_weights
from sasakit.reference import NetworkSpec, random_weights

SPEC = NetworkSpec(depth=5, blocks=(1,), stages=(1,), width=8, heads=2, extent=3, classes=3,
                   image_channels=1)


def tiny_weights(path, labels=("ant", "bee", "cat"), probabilities=(0.25, 0.5, 0.25), **metadata):
    """Path of a weights file whose network gives every image these probabilities."""
    weights = random_weights(SPEC, seed=0, dtype="float32")
    weights["classifier.w"] = np.zeros_like(weights["classifier.w"])
    weights["classifier.bias"] = np.log(np.float32(probabilities))
    metadata = {"labels": json.dumps(labels), "image_size": "28"} | metadata
    write_weights(path, SPEC, weights, **metadata)
    return path


def tiny_file(path, **choices):
    return read_weights(tiny_weights(path, **choices))
