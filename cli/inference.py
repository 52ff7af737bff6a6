"""A network out of a weights file, ready to classify images with one backend."""

import importlib.resources
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sasakit.accel import resolve_backend
from sasakit.accel.weights_file import WeightsFile, read_weights
from sasakit.reference.contract.backend import Backend, Model

from .images import Images, Preparation

DEFAULT_WEIGHTS = "digits.safetensors"
Logits = npt.NDArray[np.float64]


@dataclass
class Classifier:
    """One network in one backend; `seconds` is the time spent in the network so far."""

    backend: Backend
    model: Model
    preparation: Preparation
    labels: tuple[str, ...]
    dtype: str
    seconds: float = 0.0

    def logits(self, images: Images) -> Logits:
        """(batch, classes) logits of prepared images, timed."""
        start = time.perf_counter()
        out = self.backend.to_numpy(self.model(self.backend.from_numpy(images, self.dtype)))
        self.seconds += time.perf_counter() - start
        return np.asarray(out, np.float64)

    def warm_up(self) -> None:
        """Run one blank image untimed, so that compiling is not counted as classifying."""
        side = self.preparation.size
        before = self.seconds
        self.logits(np.zeros((1, side, side, self.preparation.channels), np.float32))
        self.seconds = before


def load_classifier(weights: WeightsFile, backend_name: str | None) -> Classifier:
    """Network of a weights file in a backend; None leaves the choice to SASAKIT_BACKEND or auto.

    Raises ValueError for a backend that cannot be had and for metadata that cannot be read.
    """
    backend = resolve_backend(backend_name)
    dtype = str(weights.weights["classifier.w"].dtype)
    arrays = {name: backend.from_numpy(w) for name, w in weights.weights.items()}
    return Classifier(backend, backend.load(weights.spec, arrays),
                      Preparation.of_weights(weights.spec, weights.metadata),
                      _labels(weights.metadata, weights.spec.classes), dtype)


def open_weights(path: str | None) -> WeightsFile:
    """The weights of a file, or the digits network that comes with the package."""
    if path is not None:
        return read_weights(Path(path))
    shipped = importlib.resources.files("sasakit.cli") / DEFAULT_WEIGHTS
    with importlib.resources.as_file(shipped) as file:
        return read_weights(file)


def _labels(metadata: Mapping[str, str], classes: int) -> tuple[str, ...]:
    try:
        labels = json.loads(metadata["labels"]) if "labels" in metadata else [*range(classes)]
    except ValueError:
        labels = None
    if not isinstance(labels, list) or len(labels) != classes:
        raise ValueError(f"`weights` must say labels in their metadata, a JSON list of {classes}; "
                         f"got {metadata.get('labels')!r}.")
    return tuple(str(label) for label in labels)


def probabilities(logits: Logits) -> Logits:
    """Softmax over the classes. Raises ValueError where the logits are not finite."""
    if not np.isfinite(logits).all():
        raise ValueError("`weights` must give finite logits; got NaN or infinity.")
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
