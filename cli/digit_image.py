"""A grey image of one handwritten digit, made into what MNIST holds: 28 x 28, bright on dark.

MNIST scaled every digit's ink to fit 20 x 20 and put its centre of mass in the middle; the same is
done here, after finding the ink.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 28
INK_SIDE = 20
# Levels of 255: less contrast than this is paper, and so is this share of the contrast.
LEAST_CONTRAST = 16
PAPER_SHARE = 0.25

# A longer side is first made this long: a photograph has far more pixels than a digit needs.
LARGEST = 1024

Pixels = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.float64]


def digit_pixels(image: "Image") -> Pixels:
    """(28, 28) pixels, bright on dark, of an image of mode L.

    An image of 28 x 28 is taken as it is but for inverting. Any other is cropped to its ink,
    scaled and centred; without ink it is black.
    """
    if image.size == (SIDE, SIDE):
        pixels = np.asarray(image)
        return 255 - pixels if _is_dark_ink(_above_paper(pixels)) else pixels
    small = image.copy()
    small.thumbnail((LARGEST, LARGEST))
    return _as_mnist(_ink(_above_paper(np.asarray(small))))


def _above_paper(pixels: Pixels) -> Levels:
    """How much brighter every pixel is than the paper, which is the plane through the border.

    Light falls on paper from one side: a level for all of it would take the far side for ink.
    """
    height, width = pixels.shape
    rows, cols = np.mgrid[:height, :width]
    border = np.ones(pixels.shape, np.bool_)
    border[1:-1, 1:-1] = False
    axes = np.stack([np.ones(pixels.shape), rows, cols], axis=-1)
    plane = np.linalg.lstsq(axes[border], pixels[border].astype(np.float64), rcond=None)[0]
    return np.asarray(pixels - axes @ plane)


def _is_dark_ink(above: Levels) -> bool:
    """Whether the ink, which is what lies farthest from the paper, is darker than it."""
    return bool(-above.min() > max(above.max(), LEAST_CONTRAST))


def _ink(above: Levels) -> Pixels:
    """Paper black and the strongest ink white, whatever the light was."""
    above = -above if _is_dark_ink(above) else above
    if above.max() < LEAST_CONTRAST:
        return np.zeros(above.shape, np.uint8)
    share = above / above.max()
    return np.rint(np.where(share < PAPER_SHARE, 0, share) * 255).astype(np.uint8)


def _as_mnist(ink: Pixels) -> Pixels:
    out = np.zeros((SIDE, SIDE), np.uint8)
    if not ink.any():
        return out
    scaled = _scale(_crop(ink))
    # Specks far apart are dust: they fade to nothing.
    if not scaled.any():
        return out
    height, width = scaled.shape
    top, left = (_start(scaled, axis) for axis in (0, 1))
    out[top:top + height, left:left + width] = scaled
    return out


def _crop(ink: Pixels) -> Pixels:
    rows, cols = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    return ink[rows[0]:rows[-1] + 1, cols[0]:cols[-1] + 1]


def _scale(ink: Pixels) -> Pixels:
    """The longest side made 20, the shape kept, the brightest pixel white again.

    Thin strokes fade when a large image shrinks; MNIST's do not.
    """
    from PIL import Image
    height, width = ink.shape
    longest = max(height, width)
    size = (max(1, round(width * INK_SIDE / longest)), max(1, round(height * INK_SIDE / longest)))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR), np.float64)
    return np.rint(small * (255 / max(small.max(), 1))).astype(np.uint8)


def _start(scaled: Pixels, axis: int) -> int:
    """Where the image begins along one axis, for its centre of mass to be where MNIST has it.

    That is at index 14, half a pixel after the middle; it was measured on the digits.
    """
    mass = scaled.sum(axis=1 - axis, dtype=np.float64)
    centre = float((mass * np.arange(mass.size)).sum() / mass.sum())
    return min(max(round(SIDE // 2 - centre), 0), SIDE - mass.size)
