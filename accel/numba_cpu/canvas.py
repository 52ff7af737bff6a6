"""Copies images into canvases with zeros around them.

axis     meaning                        memory
line     image rows                     stride of Canvas
number   pixels, channels               contiguous
"""

from typing import Any, NamedTuple

from .jit import kernel, prange, signed
from .lanes import U


class Canvas(NamedTuple):
    """Where the numbers of an image go.

    batch, height, numbers    images, rows, and numbers of a row that are copied
    by_row                    numbers of a row of the image
    start, to_image, to_row   in the canvas
    """

    batch: int
    height: int
    numbers: int
    by_row: int
    start: int
    to_image: int
    to_row: int


@kernel
def canvas_kernel(out: Any, x: Any, canvas: Canvas) -> None:
    """Write the numbers of every image row; what is around them is left alone."""
    for index in prange(canvas.batch * canvas.height):
        line = signed(index)
        source = U(line * canvas.by_row)
        target = U(canvas.start + line // canvas.height * canvas.to_image
                   + line % canvas.height * canvas.to_row)
        for number in range(U(canvas.numbers)):
            out[target + number] = x[source + number]
