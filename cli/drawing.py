"""Small grey images as characters, side by side."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SHADES = " .:-=+*#%@"
MARGIN = 3


def draw(image: npt.NDArray[np.uint8]) -> list[str]:
    """Lines of characters, two rows of pixels to a line; a character is twice as tall as wide."""
    height = image.shape[0] // 2 * 2
    pairs = image[:height].reshape(height // 2, 2, -1).mean(axis=1)
    shades = (pairs * (len(SHADES) - 1) / 255).round().astype(int)
    return ["".join(SHADES[shade] for shade in row) for row in shades]


def side_by_side(images: Sequence[npt.NDArray[np.uint8]], captions: Sequence[str]) -> list[str]:
    """Images without their dark margins, next to each other, each above its caption."""
    drawn = [draw(image[MARGIN - 1:1 - MARGIN, MARGIN:-MARGIN]) for image in images]
    width = max(len(line) for block in drawn for line in (*block, *captions))
    blocks = [[*block, caption] for block, caption in zip(drawn, captions, strict=True)]
    return ["  ".join(f"{line:<{width}}" for line in row).rstrip()
            for row in zip(*blocks, strict=True)]
