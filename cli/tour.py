"""What the guided tour finds out, step by step; `demo` prints it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sasakit.accel.weights_file import WeightsFile
from sasakit.reference import count_cost

from .classify import classify_files
from .digit_image import SIDE
from .digits import split_digits
from .inference import Classifier, Logits, load_classifier, probabilities
from .lazy import one_line

BACKENDS = ("reference", "numba", "torch")
BATCH = 100
DRAWN = 3


@dataclass
class Answer:
    """What one backend says of the same digits.

    missing           why it could not be asked, or None
    classes           its answers, in order
    same_classes      whether they are the reference's
    worst_difference  the largest distance of a logit from the reference's, for the record only
    """

    backend: str
    missing: str | None = None
    classes: list[str] | None = None
    same_classes: bool | None = None
    worst_difference: float | None = None


@dataclass(frozen=True)
class Drawing:
    """One held-out digit with what the network says of it."""

    pixels: npt.NDArray[np.uint8]
    says: str
    probability: float
    label: str


@dataclass
class Tour:
    """The network in every backend that works, and the held-out digits where they can be read.

    missing  what is not there, by name, with the reason
    """

    weights: WeightsFile
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classifiers: dict[str, Classifier] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    drawings: list[Drawing] = field(default_factory=list)

    @classmethod
    def start(cls, weights: WeightsFile) -> "Tour":
        """Load the network into every backend, and the digits; what fails is in `missing`."""
        tour = cls(weights, np.empty((0, SIDE, SIDE), np.uint8), np.empty(0, np.int64))
        for name in BACKENDS:
            try:
                classifier = load_classifier(weights, name)
                classifier.warm_up()
                tour.classifiers[name] = classifier
            # A broken installation raises whatever it likes; the tour goes on with the others.
            except Exception as error:
                tour.missing[name] = one_line(error)
        try:
            tour.pixels, tour.labels = held_out_digits()
        except ImportError as error:
            tour.missing["digits"] = one_line(error)
        return tour

    @property
    def fast(self) -> Classifier:
        """The Numba kernels, or the reference where they are missing."""
        return self.classifiers.get("numba", self.classifiers["reference"])

    def network(self) -> dict[str, Any]:
        """How large the network is."""
        side = self.fast.preparation.size
        cost = count_cost(self.weights.spec, side, side)
        return {"parameters": cost.parameters, "flops": cost.flops}

    def held_out(self) -> dict[str, Any] | None:
        """The held-out digits through the fast backend in batches; None without digits."""
        if not len(self.labels):
            return None
        network = self.fast
        before = network.seconds
        logits = np.concatenate([
            network.logits(network.preparation.normalize(list(batch)))
            for batch in np.split(self.pixels, range(BATCH, len(self.pixels), BATCH))])
        seconds = network.seconds - before
        right = np.array(network.labels)[logits.argmax(axis=-1)] == self.labels.astype(str)
        self._keep_drawings(probabilities(logits), right)
        return {"backend": network.backend.name, "images": len(right), "correct": int(right.sum()),
                "accuracy": float(right.mean()), "seconds": seconds,
                "images_per_second": len(right) / seconds}

    def _keep_drawings(self, chances: Logits, right: npt.NDArray[np.bool_]) -> None:
        # The first digits, with the first mistake in place of the last of them: it is honest.
        chosen = [*range(min(DRAWN, len(right)))]
        if right[chosen].all() and not right.all():
            chosen[-1] = int(np.flatnonzero(~right)[0])
        self.drawings = [
            Drawing(self.pixels[index], self.fast.labels[chances[index].argmax()],
                    float(chances[index].max()), str(self.labels[index]))
            for index in chosen]

    def answers(self, count: int) -> list[dict[str, Any]]:
        """Every backend's answer to the first held-out digits, beside the reference's."""
        pixels, answers = list(self.pixels[:count]), []
        if not pixels:
            return []
        expected = None
        for name in BACKENDS:
            answer = Answer(name, self.missing.get(name))
            if name in self.classifiers:
                network = self.classifiers[name]
                logits = network.logits(network.preparation.normalize(pixels))
                expected = logits if expected is None else expected
                answer.classes = [network.labels[best] for best in logits.argmax(axis=-1)]
                answer.same_classes = bool((logits.argmax(-1) == expected.argmax(-1)).all())
                answer.worst_difference = float(np.abs(logits - expected).max())
            answers.append(asdict(answer))
        return answers

    def images(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """The user's own images, classified by the fast backend."""
        return list(classify_files(self.fast, files, BATCH, DRAWN))


def held_out_digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (digits, 28, 28) that the shipped network was not trained on, and their labels.

    Raises ImportError where the package that holds them is not installed.
    """
    digits = split_digits()
    return digits.held_out_images, digits.held_out_labels
