"""Images of the user's: files read with Pillow into arrays that a network can take.

Two preparations, chosen by the network: handwritten digits as MNIST has them for one channel and
28 x 28 pixels; otherwise the shorter side resized and the centre cropped.
"""

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sasakit.reference import NetworkSpec

from .digit_image import SIDE, digit_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[np.uint8]
Images = npt.NDArray[np.float32]

FORMATS = ("PNG", "JPEG")
MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Preparation:
    """What a network's weights say about the images that it takes.

    channels   1 for grey, 3 for RGB
    size       rows and columns
    mean, std  what is subtracted and divided by, one number or one per channel
    """

    channels: int
    size: int
    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]

    @property
    def digits(self) -> bool:
        """Whether the network reads digits as MNIST has them."""
        return self.channels == 1 and self.size == SIDE

    @classmethod
    def of_weights(cls, spec: NetworkSpec, metadata: Mapping[str, str]) -> "Preparation":
        """Read from a weights file's metadata: image_size, mean and std.

        Raises ValueError for metadata that cannot be read and for channels other than 1 and 3.
        """
        if spec.image_channels not in MODES:
            raise ValueError(f"`weights` must take images of 1 or 3 channels; "
                             f"got {spec.image_channels}.")
        std = _number("std", metadata.get("std", "1"), spec.image_channels)
        if (std <= 0).any():
            raise ValueError(f"`weights` must say a std above 0 in their metadata; "
                             f"got {metadata['std']!r}.")
        return cls(spec.image_channels, _image_size(metadata.get("image_size")),
                   _number("mean", metadata.get("mean", "0"), spec.image_channels), std)

    def normalize(self, pixels: Sequence[Pixels]) -> Images:
        """(batch, height, width, channels) float32: pixels in 0 to 1, less mean, over std."""
        batch = np.stack(pixels).astype(np.float32) / np.float32(255)
        batch = batch.reshape(len(pixels), self.size, self.size, self.channels)
        return ((batch - self.mean) / self.std).astype(np.float32)


def _image_size(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"`weights` must say image_size in their metadata, a whole number; "
                         f"got {text!r}.")
    return int(text)


def _number(name: str, text: str, channels: int) -> npt.NDArray[np.float32]:
    try:
        numbers = np.array(json.loads(text), dtype=np.float32)
    except (ValueError, TypeError):
        numbers = np.array(np.nan, dtype=np.float32)
    if numbers.shape not in ((), (channels,)) or not np.isfinite(numbers).all():
        raise ValueError(f"`weights` must say {name} in their metadata, one number or one per "
                         f"channel; got {text!r}.")
    return numbers


def read_image(path: str | os.PathLike[str], preparation: Preparation) -> Pixels:
    """(size, size) grey or (size, size, 3) pixels of one file, prepared for the network.

    Raises ValueError, naming the file, for what is no whole PNG or JPEG image; ImportError
    without Pillow.
    """
    image = _open(Path(path)).convert(MODES[preparation.channels])
    if preparation.digits:
        return digit_pixels(image)
    return _centre(image, preparation.size)


def _pillow() -> ModuleType:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImportError("Reading images needs Pillow: pip install 'sasakit[images]'") from error
    return PIL


def _refuse(rule: str, path: Path, why: object = None) -> ValueError:
    detail = "" if why is None else f" ({' '.join(str(why).split())})"
    return ValueError(f"`image` must {rule}; got {os.fspath(path)!r}{detail}.")


def _open(path: Path) -> "Image":
    """A whole image of mode L or RGB, upright, on white where it was transparent."""
    pillow = _pillow()
    try:
        if path.is_dir():
            raise _refuse("be a file, not a directory", path)
        if not path.is_file():
            raise _refuse("be a file" if path.exists() else "be a file that exists", path)
        if path.stat().st_size == 0:
            raise _refuse("not be an empty file", path)
        with path.open("rb") as file:
            return _decode(pillow, file, path)
    except OSError as error:
        raise _refuse("be readable", path, error.strerror or error) from None


def _decode(pillow: ModuleType, file: Any, path: Path) -> "Image":
    bombs = (pillow.Image.DecompressionBombWarning, pillow.Image.DecompressionBombError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pillow.Image.DecompressionBombWarning)
        try:
            image = pillow.Image.open(file, formats=FORMATS)
        except bombs as error:
            raise _refuse("have a size that is safe to decode", path, error) from None
        except Exception:
            raise _refuse("be a PNG or JPEG image", path) from None
        try:
            # The decoders raise OSError, SyntaxError, struct.error and more on damaged files.
            return _flatten(pillow, pillow.ImageOps.exif_transpose(image))
        except Exception as error:
            raise _refuse("be a whole image", path, error) from None


def _flatten(pillow: ModuleType, image: "Image") -> "Image":
    """The same picture in mode L or RGB; 16 bits become 8, transparency becomes white."""
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.float64)
        return pillow.Image.fromarray(np.rint(wide / 257).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = pillow.Image.new("RGBA", seen.size, "white")
        return pillow.Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _centre(image: "Image", size: int) -> Pixels:
    """The largest square in the middle, resized."""
    from PIL.Image import Resampling
    width, height = image.size
    shorter = min(width, height)
    left, top = (width - shorter) / 2, (height - shorter) / 2
    box = (left, top, left + shorter, top + shorter)
    return np.asarray(image.resize((size, size), Resampling.BILINEAR, box=box))
