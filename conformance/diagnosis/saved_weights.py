"""Weights of a module that a user has: at which sizes, and, converted, in a file of their own."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from math import prod
from pathlib import Path

import numpy as np

from sasakit.reference import SPEC_VERSION

from ..estimate import Array
from .convert import Converted
from .instance import ModuleError, Sizes
from .placement import Explanation
from .roles import LENGTHS, without_numbers

FORMAT = "sasakit attention_layer"
MOST_EXTENT = 63


def sizes_of(explanation: Explanation, parameters: Mapping[str, Array],
             given: Mapping[str, int]) -> Sizes:
    """Sizes of the build that has these parameters.

    given  what is known of channels_in, channels_out, heads and extent
    Raises ModuleError where they fit no sizes, or several.
    """
    subject = explanation.subject
    parts = {without_numbers(p.name): p for p in subject.parts.projections}
    found = [(parts[without_numbers(name)], array.shape) for name, array in parameters.items()
             if without_numbers(name) in parts]
    if not found:
        raise ModuleError(f"none of its tensors is a projection of the module "
                          f"({', '.join(parts)}); it has {', '.join(parameters)}")
    rows = sum(prod(shape) // shape[part.inputs] for part, shape in found)
    channels_out = rows * subject.sizes.channels_out // subject.row_count
    old_groups = {p.name: p.groups for p in subject.projections}
    fits = []
    for heads in range(1, channels_out + 1):
        if channels_out % heads or heads != given.get("heads", heads):
            continue
        part, shape = found[0]
        width = shape[part.inputs]
        channels_in = width * (heads if old_groups[_old_name(part.name, explanation)] > 1 else 1)
        fits += [Sizes(channels_in, channels_out, heads, extent)
                 for extent in _extents(explanation, given)
                 if _tables_fit(explanation, parameters,
                                Sizes(channels_in, channels_out, heads, extent))]
    fits = [sizes for sizes in fits if all(asdict(sizes)[name] == value
                                           for name, value in given.items() if name != "depth")]
    if len(fits) != 1:
        several = sorted({name for one in fits for name, value in asdict(one).items()
                          if value != asdict(fits[0])[name]})
        raise ModuleError(f"its tensors fit several sizes; say {' and '.join(several)} with --arg"
                          if fits else "its tensors fit no sizes of the module")
    return fits[0]


def _old_name(name: str, explanation: Explanation) -> str:
    return next(p.name for p in explanation.subject.parts.projections
                if without_numbers(p.name) == without_numbers(name))


def _extents(explanation: Explanation, given: Mapping[str, int]) -> Iterator[int]:
    if "extent" in given:
        yield given["extent"]
    elif explanation.subject.parts.tables:
        yield from range(1, MOST_EXTENT)
    else:
        raise ModuleError("its tensors do not tell the extent; say it with --arg")


def _tables_fit(explanation: Explanation, parameters: Mapping[str, Array], sizes: Sizes) -> bool:
    """Whether every axis of the tables has a length that its label has at these sizes."""
    return all(
        name in parameters and len(parameters[name].shape) == len(labels) and all(
            length in [LENGTHS[label](sizes) for label in axis.split("|") if label]
            for axis, length in zip(labels, parameters[name].shape, strict=True))
        for name, labels in explanation.subject.parts.tables.items())


def checked_parameters(saved: Mapping[str, Array], own: Mapping[str, Array],
                       buffers: Mapping[str, Array]) -> dict[str, Array]:
    """The saved tensors that are the module's parameters.

    Raises ModuleError for tensors that are missing, unknown, or of another shape, and for buffers
    that are not those of a new build.
    """
    missing = [name for name in own if name not in saved]
    unknown = [name for name in saved if name not in own and name not in buffers]
    if missing or unknown:
        raise ModuleError(f"its weights must be {', '.join(own)}; missing: "
                          f"{', '.join(missing) or 'none'}; unknown: "
                          f"{', '.join(unknown) or 'none'}")
    for name, value in own.items():
        if saved[name].shape != value.shape:
            raise ModuleError(f"its weight {name} must have shape {value.shape}; "
                              f"got {saved[name].shape}")
    for name in set(buffers) & set(saved) - set(own):
        if not np.array_equal(saved[name], buffers[name]):
            raise ModuleError(f"its buffer {name} differs from a new build's, and is no weight")
    return {name: saved[name] for name in own}


def write_converted(path: Path, found: Converted, mapping: list[tuple[str, str]],
                    target: str) -> None:
    """Write a safetensors file that is there whole or not at all.

    Weights that float32 holds exactly are written so, others in float64.
    """
    from safetensors.numpy import save
    metadata = {
        "format": FORMAT, "spec_version": SPEC_VERSION, "module": target,
        "options": json.dumps(asdict(found.options)), "heads": str(found.options.heads),
        "extent": str(found.options.extent), "parameters": json.dumps(dict(mapping)),
        "changes": json.dumps(found.changes),
        "output_order": json.dumps(found.output_order)}
    data = save({name: _narrow(w) for name, w in found.weights.items()}, metadata)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        # mkstemp keeps its file to its owner; this one may be read by whom the umask allows.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _narrow(w: Array) -> Array:
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(w, dtype=np.float32)
    return narrow if np.array_equal(narrow, w) else np.ascontiguousarray(w)
