"""Gradients by complex steps: no difference is taken, so that nothing cancels.

f(x + i h) has the imaginary part h f'(x), and an h this small leaves no other term in float64.
"""

import numpy as np

from . import attention, stems

STEP = 1e-100

OPERATIONS = {
    "relative_logits": lambda arrays, options: attention.separable_logits(
        *arrays.values(), options),
    "local_attention": lambda arrays, options: attention.attend(*arrays.values(), options),
    "attention_layer": lambda arrays, options: attention.layer(arrays["x"], arrays, options),
    "value_mixture": lambda arrays, options: stems.mix(*arrays.values()),
    "stem": lambda arrays, options: stems.run_stem(arrays["images"], arrays, options),
    "average_pool": lambda arrays, options: stems.means(arrays["x"]),
}


def gradient(operation, arrays, upstream, options, name):
    """The gradient of one argument, one number of it at a time."""
    run, result = OPERATIONS[operation], np.zeros(arrays[name].shape)
    for at in np.ndindex(*result.shape):
        stepped = arrays[name].astype(complex)
        stepped[at] += 1j * STEP
        y = run({**arrays, name: stepped}, options)
        result[at] = (upstream * (y.imag / STEP)).sum()
    return result
