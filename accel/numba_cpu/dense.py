"""Matrix products: projections, 1 x 1 and larger convolutions, the classifier.

axis       meaning                                        memory
pixel      batch, rows, columns of the output             x: the strides of Walk
tap        kernel row and, in it, columns x channels      x: segments of contiguous numbers
lane       PANEL output channels                          contiguous in the packed weights

Weights are packed (panel, tap, lane), zero past the last channel. A convolution reads, for each
of its kernel's rows, the contiguous run of pixels and channels below it in an image with its
zeros around it; a product of matrices is the case of one such run. Four pixels share every load
of the weights, and four taps every load and store of the sums.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .arrays import Floats, Integers, zeros
from .jit import helper, kernel, launch, prange, signed
from .lanes import U, clear

PANEL = 64
PIXELS = 64  # of one task
WIDE, ONE, TWO, THREE = U(PANEL), U(1), U(2), U(3)


class Walk(NamedTuple):
    """Where the numbers of every output pixel lie in x, in numbers from x's first.

    batch, height, width      pixels of the output
    by_image, by_row, by_col  from one output pixel's first number to the next one's
    segments, by_segment      runs of taps, and from one run to the next
    taps                      numbers in a run
    """

    batch: int
    height: int
    width: int
    by_image: int
    by_row: int
    by_col: int
    segments: int
    by_segment: int
    taps: int


class Packed(NamedTuple):
    """Weights of one or more products that read the same pixels.

    weights   flat (panels, taps of all segments, PANEL)
    panels    flat (panels, 3): first tap of the pixel's own numbers, first channel of the output,
              channels
    channels  of the output
    """

    weights: Floats
    panels: Integers
    channels: int


def pack_weights(matrices: Sequence[tuple[Floats, int, int]], channels: int) -> Packed:
    """Pack (taps, channels) matrices, each with its first tap and its first output channel."""
    weights, panels = [], []
    for matrix, tap, channel in matrices:
        for first in range(0, matrix.shape[1], PANEL):
            part = matrix[:, first:first + PANEL]
            panel = np.zeros((matrix.shape[0], PANEL), matrix.dtype.newbyteorder("="))
            panel[:, :part.shape[1]] = part
            weights.append(panel)
            panels.append((tap, channel + first, part.shape[1]))
    return Packed(np.concatenate(weights).reshape(-1), np.array(panels, np.int64).reshape(-1),
                  channels)


@helper
def add_four(sums: Any, x: Any, at: Any, tap: int, weights: Any, place: int) -> None:
    """Add four taps of four pixels to (4, PANEL) sums."""
    t, w0 = U(tap), U(place)
    w1, w2, w3 = w0 + WIDE, w0 + WIDE + WIDE, w0 + WIDE + WIDE + WIDE
    s1, s2, s3 = WIDE, WIDE + WIDE, WIDE + WIDE + WIDE
    i, j, k, m = U(at[0]) + t, U(at[1]) + t, U(at[2]) + t, U(at[3]) + t
    i0, i1, i2, i3 = x[i], x[i + ONE], x[i + TWO], x[i + THREE]
    j0, j1, j2, j3 = x[j], x[j + ONE], x[j + TWO], x[j + THREE]
    k0, k1, k2, k3 = x[k], x[k + ONE], x[k + TWO], x[k + THREE]
    m0, m1, m2, m3 = x[m], x[m + ONE], x[m + TWO], x[m + THREE]
    for lane in range(WIDE):
        a, b = weights[w0 + lane], weights[w1 + lane]
        c, d = weights[w2 + lane], weights[w3 + lane]
        sums[lane] += i0 * a + i1 * b + i2 * c + i3 * d
        sums[s1 + lane] += j0 * a + j1 * b + j2 * c + j3 * d
        sums[s2 + lane] += k0 * a + k1 * b + k2 * c + k3 * d
        sums[s3 + lane] += m0 * a + m1 * b + m2 * c + m3 * d


@helper
def add_one(sums: Any, x: Any, at: Any, tap: int, weights: Any, place: int) -> None:
    """Add one tap of four pixels to (4, PANEL) sums."""
    w = U(place)
    for pixel in range(4):
        number, s = x[at[pixel] + tap], U(pixel * PANEL)
        for lane in range(WIDE):
            sums[s + lane] += number * weights[w + lane]


@helper
def add_taps(sums: Any, x: Any, at: Any, weights: Any, panel: int, walk: Walk) -> None:
    """Add every tap of four pixels to (4, PANEL) sums."""
    place = panel * walk.segments * walk.taps * PANEL
    for segment in range(walk.segments):
        first = segment * walk.by_segment
        for tap in range(0, walk.taps - 3, 4):
            add_four(sums, x, at, first + tap, weights, place + tap * PANEL)
        for tap in range(walk.taps - walk.taps % 4, walk.taps):
            add_one(sums, x, at, first + tap, weights, place + tap * PANEL)
        place += walk.taps * PANEL


@helper
def start(sums: Any, bias: Any, channel: int, count: int) -> None:
    """Set the sums of four pixels to the bias of `count` channels."""
    first = U(channel)
    for pixel in range(4):
        s = U(pixel * PANEL)
        for lane in range(U(count)):
            sums[s + lane] = bias[first + lane]


@helper
def finish(out: Any, target: int, sums: Any, pixel: int, residual: Any, relu: bool,
           count: int) -> None:
    """Write one pixel's sums + residual, then ReLU when asked; NaN passes it."""
    t, s, zero = U(target), U(pixel * PANEL), out.dtype.type(0)
    if residual.size > 0:
        for lane in range(U(count)):
            sums[s + lane] += residual[t + lane]
    if relu:
        for lane in range(U(count)):
            sums[s + lane] = zero if sums[s + lane] < zero else sums[s + lane]
    for lane in range(U(count)):
        out[t + lane] = sums[s + lane]


@helper
def write_block(block: int, panel: int, out: Any, x: Any, weights: Any, panels: Any,
                channels: int, bias: Any, residual: Any, relu: bool, walk: Walk) -> None:
    """Write PIXELS pixels of one panel's channels."""
    tap, channel, count = panels[panel * 3], panels[panel * 3 + 1], panels[panel * 3 + 2]
    image = walk.height * walk.width
    total = walk.batch * image
    sums, at = np.empty(4 * PANEL, out.dtype), np.empty(4, np.int64)
    clear(sums, 0, sums.size)
    for four in range(block * PIXELS, min((block + 1) * PIXELS, total), 4):
        for pixel in range(4):
            # Past the last pixel the sums are those of the last, and are not written.
            p = min(four + pixel, total - 1)
            at[pixel] = (tap + p // image * walk.by_image + p % image // walk.width * walk.by_row
                         + p % walk.width * walk.by_col)
        start(sums, bias, channel, count)
        add_taps(sums, x, at, weights, panel, walk)
        for pixel in range(min(4, total - four)):
            finish(out, (four + pixel) * channels + channel, sums, pixel, residual, relu, count)


@kernel
def dense_kernel(out: Any, x: Any, weights: Any, panels: Any, channels: int, bias: Any,
                 residual: Any, relu: bool, walk: Walk) -> None:
    """Write every number of `out`, flat (batch, height, width, channels)."""
    blocks = (walk.batch * walk.height * walk.width + PIXELS - 1) // PIXELS
    for index in prange(blocks * (panels.size // 3)):
        task = signed(index)
        write_block(task % blocks, task // blocks, out, x, weights, panels, channels, bias,
                    residual, relu, walk)


def dense(x: Floats, packed: Packed, walk: Walk, *, bias: Floats | None = None,
          residual: Floats | None = None, relu: bool = False) -> Floats:
    """Flat (batch, height, width, channels): x W + bias + residual, then ReLU when asked.

    x  flat; `walk` says where each pixel's numbers are
    """
    out = np.empty(walk.batch * walk.height * walk.width * packed.channels, x.dtype)
    launch(dense_kernel, out, x, packed.weights, packed.panels, packed.channels,
           zeros(packed.channels, x) if bias is None else bias,
           zeros(0, x) if residual is None else residual, relu, walk)
    return out


def pixel_walk(shape: tuple[int, ...], taps: int | None = None, stride: int = 1) -> Walk:
    """Walk of a 1 x 1 convolution over (batch, height, width, channels), every stride-th pixel."""
    batch, height, width, channels = shape
    return Walk(batch, -(-height // stride), -(-width // stride), height * width * channels,
                stride * width * channels, stride * channels, 1, 0,
                channels if taps is None else taps)


def convolve(x: Floats, shape: tuple[int, ...], packed: Packed, kernel_size: int, *, stride: int,
             before: int, bias: Floats | None = None, relu: bool = False) -> Floats:
    """Flat (batch, ceil(height / stride), ceil(width / stride), channels): a square convolution.

    x        flat (batch, height, width, channels), zero outside
    packed   weights (kernel_size kernel_size channels_in, channels), from `pack_weights`
    before   rows and columns between the kernel's first and the output's own pixel
    """
    batch, height, width, channels = shape
    rows, cols = -(-height // stride), -(-width // stride)
    canvas_width = (cols - 1) * stride + kernel_size
    canvas = np.zeros((batch, (rows - 1) * stride + kernel_size, canvas_width, channels), x.dtype)
    canvas[:, before:before + height, before:before + width] = x.reshape(shape)
    by_row = canvas_width * channels
    walk = Walk(batch, rows, cols, canvas.shape[1] * by_row, stride * by_row, stride * channels,
                kernel_size, by_row, kernel_size * channels)
    return dense(canvas.reshape(-1), packed, walk, bias=bias, relu=relu)
