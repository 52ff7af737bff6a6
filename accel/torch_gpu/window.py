"""Which pixels a query sees, and the three sums over what it sees, one slot at a time.

    products   logit[row, col] = sum over depth of query x seen[row, col]
    mix        out = sum over the slots of share[row, col] x seen[row, col]
    spread     image[pixel] = sum over the slots that see it of share[row, col] x query's own x

axes of a logit: rows, cols, batch, height, width, heads; the slots come first, so that each is one
block of memory. Axes of query and image here: depth, batch, height, width, heads; the depth comes
first, so that what a logit is multiplied with lies as the logits do.

Each is linear in either argument, and its gradients are the other two: so autograd keeps the
arguments alone, not a copy of the image per slot, and gradients of gradients exist. Products over
banded matrices would multiply pixels that a query does not see by zero, and zero times a NaN or an
infinity is NaN; here only pixels of the window are ever multiplied.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor
from torch.autograd import Function

from sasakit.reference.contract.options import AttentionOptions


def first_slots(size: int, options: AttentionOptions, device: torch.device) -> Tensor:
    """(size,) position of the first slot of every query's window along one axis, SPEC WIN-1."""
    start = torch.arange(size, device=device) - options.slots_before
    # SPEC PAD-3: the window keeps its extent and moves inside the image.
    return start.clamp(0, size - options.extent) if options.padding == "shift" else start


def inside_image(height: int, width: int, options: AttentionOptions,
                 device: torch.device) -> Tensor:
    """(rows, cols, 1, height, width, 1) whether each slot of each query lies in the image."""
    slots = torch.arange(options.extent, device=device)[:, None]
    rows, cols = (first_slots(size, options, device) + slots for size in (height, width))
    row_in, col_in = (rows >= 0) & (rows < height), (cols >= 0) & (cols < width)
    return row_in[:, None, None, :, None, None] & col_in[:, None, None, :, None]


def products(query: Tensor, image: Tensor, options: AttentionOptions) -> Tensor:
    """(rows, cols, batch, height, width, heads): every query with every pixel of its window.

    query, image  (depth, batch, height, width, heads); the image is zero outside, SPEC PAD-1
    """
    out: Tensor = _Products.apply(query, image, options)  # type: ignore[no-untyped-call]
    return out


def mix(share: Tensor, image: Tensor, options: AttentionOptions) -> Tensor:
    """(depth, batch, height, width, heads): every query's sum over its window, by its shares.

    share  (rows, cols, batch, height, width, heads)
    image  (depth, batch, height, width, heads); zero outside, SPEC PAD-1
    """
    out: Tensor = _Mix.apply(share, image, options)  # type: ignore[no-untyped-call]
    return out


def _spread(share: Tensor, own: Tensor, options: AttentionOptions) -> Tensor:
    out: Tensor = _Spread.apply(share, own, options)  # type: ignore[no-untyped-call]
    return out


class _Bilinear(Function):
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        first, second, ctx.options = inputs
        ctx.save_for_backward(first, second)


class _Products(_Bilinear):
    @staticmethod
    def forward(query: Tensor, image: Tensor, options: AttentionOptions) -> Tensor:
        extent = options.extent
        out = query.new_empty(extent, extent, *query.shape[1:])
        for row, col, seen in _slots(image, options):
            out[row, col] = (query * seen).sum(0)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, image = ctx.saved_tensors
        to_query, to_image, _ = ctx.needs_input_grad
        return (mix(grad, image, ctx.options) if to_query else None,
                _spread(grad, query, ctx.options) if to_image else None, None)


class _Mix(_Bilinear):
    @staticmethod
    def forward(share: Tensor, image: Tensor, options: AttentionOptions) -> Tensor:
        out = image.new_zeros(len(image), *share.shape[2:])
        for row, col, seen in _slots(image, options):
            out.addcmul_(share[row, col], seen)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        share, image = ctx.saved_tensors
        to_share, to_image, _ = ctx.needs_input_grad
        return (products(grad, image, ctx.options) if to_share else None,
                _spread(share, grad, ctx.options) if to_image else None, None)


class _Spread(_Bilinear):
    @staticmethod
    def forward(share: Tensor, own: Tensor, options: AttentionOptions) -> Tensor:
        if options.padding == "shift":
            return _spread_shifted(share, own, options)
        height, width = own.shape[2:4]
        before = options.slots_before
        canvas = _canvas(own.new_zeros(()).expand(own.shape), options)
        for row in range(options.extent):
            for col in range(options.extent):
                seen = canvas[:, :, row:row + height, col:col + width]
                seen.addcmul_(share[row, col], own)
        return canvas[:, :, before:before + height, before:before + width]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        share, own = ctx.saved_tensors
        to_share, to_own, _ = ctx.needs_input_grad
        return (products(own, grad, ctx.options) if to_share else None,
                mix(share, grad, ctx.options) if to_own else None, None)


def _spread_shifted(share: Tensor, own: Tensor, options: AttentionOptions) -> Tensor:
    rows, cols = (first_slots(size, options, own.device) for size in own.shape[2:4])
    out = torch.zeros_like(own)
    for row in range(options.extent):
        line = torch.zeros_like(own)
        for col in range(options.extent):
            line.index_add_(3, cols + col, share[row, col] * own)
        out.index_add_(2, rows + row, line)
    return out


def _canvas(image: Tensor, options: AttentionOptions) -> Tensor:
    """The image with the zeros around it that windows reach."""
    before, after = options.slots_before, options.extent - 1 - options.slots_before
    return F.pad(image, (0, 0, before, after, before, after))


def _slots(image: Tensor, options: AttentionOptions) -> Iterator[tuple[int, int, Tensor]]:
    """Row, column and (depth, batch, height, width, heads) what every query sees there."""
    height, width = image.shape[2:4]
    if options.padding == "shift":
        rows, cols = (first_slots(size, options, image.device) for size in (height, width))
        for row in range(options.extent):
            line = image.index_select(2, rows + row)
            for col in range(options.extent):
                yield row, col, line.index_select(3, cols + col)
        return
    canvas = _canvas(image, options)
    for row in range(options.extent):
        for col in range(options.extent):
            yield row, col, canvas[:, :, row:row + height, col:col + width]
