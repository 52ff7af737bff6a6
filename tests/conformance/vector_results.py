"""What anyone's program does with golden vectors, written with the reference."""

import json

import numpy as np
from safetensors.numpy import save_file

from sasakit import reference
from sasakit.conformance.case import UPSTREAM, call, call_vjp
from sasakit.conformance.network_layers import expected_layers
from sasakit.conformance.profiles import round_to
from sasakit.conformance.vector_files import read_manifest, read_vector, stored
from sasakit.conformance.vector_kinds import profile_of


def compute(directory, results, change=lambda result: result):
    """Write a file of results, or of an error, for every case; each array changed."""
    results.mkdir()
    for entry in read_manifest(directory)["cases"]:
        case, path = read_vector(directory, entry).case, results / entry["file"]
        if entry["kind"] == "error":
            document = {"error": {"argument": entry["error"]["argument"]}}
            path.with_suffix(".json").write_text(json.dumps(document))
            continue
        with np.errstate(all="ignore"):
            found = named(entry["kind"], case)
        save_file({f"result.{name}".rstrip("."): np.ascontiguousarray(change(
            stored(round_to(np.asarray(array), case.dtype), case.dtype)))
            for name, array in found.items()}, path)


def named(kind, case):
    """Results by name."""
    if kind == "gradients":
        arrays = dict(case.arrays)
        return call_vjp(reference, case, arrays, arrays.pop(UPSTREAM))
    if kind == "layers":
        # Each layer must be what the next one is computed from, so rounded before that.
        trace = {}
        for name, value, _ in expected_layers(case, trace, profile_of(case.dtype)):
            trace[name] = round_to(np.asarray(value), case.dtype)
        return trace
    return {"": call(reference, case, case.arrays)}
