"""Cases that tell deviations apart: each isolates one part of an operation, what is simplest first.

All inputs are the kit's own, so that whole terms are switched off by arrays of zeros.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sasakit.reference import AttentionOptions
from sasakit.reference.contract import options as choices
from sasakit.reference.contract.parameters import layer_parameters

from ...builders import (
    EVERY_OPTION,
    attention_cases,
    layer_cases,
    mixture_cases,
    network_cases,
    pool_cases,
    values,
)
from ...case import Case
from ...draw import Draw
from ...offer import Offer
from ...profiles import round_to
from .stem_cases import drawn_stem, staged_stems

Staged = tuple[str, Case]
VALUES, CONTENT = "values: equal logits", "content: tables zero or none"
RELATIVE, POSITION, ALL = "relative: keys zero", "absolute positions", "all terms together"
# Draws that may be passed over for each case that is wanted.
TRIES = 20

# What each case of attention isolates, and the options that matter there.
_ATTENTION: tuple[tuple[str, dict[str, Any]], ...] = (
    (VALUES, {"extent": 3}), (VALUES, {"extent": 5}), (VALUES, {"extent": 4}),
    (VALUES, {"extent": 2}), (VALUES, {"extent": 1}),
    (VALUES, {"extent": 4, "even_window": "after"}),
    (VALUES, {"extent": 3, "padding": "exclude"}), (VALUES, {"extent": 3, "padding": "shift"}),
    (CONTENT, {"extent": 3, "content": True}), (CONTENT, {"extent": 5, "content": True}),
    (CONTENT, {"extent": 3, "content": True, "position": "none"}),
    (CONTENT, {"extent": 3, "content": True, "padding": "exclude"}),
    (RELATIVE, {"extent": 3, "position": "relative"}),
    (RELATIVE, {"extent": 5, "position": "relative"}),
    (RELATIVE, {"extent": 4, "position": "relative"}),
    (RELATIVE, {"extent": 3, "position": "relative", "content": False}),
    (RELATIVE, {"extent": 3, "position": "relative", "first_half": "column"}),
    (RELATIVE, {"extent": 3, "position": "relative", "relative": "per_head"}),
    (RELATIVE, {"extent": 3, "position": "relative", "relative": "layer_halves"}),
    (RELATIVE, {"extent": 3, "position": "relative", "padding": "exclude"}),
    (RELATIVE, {"extent": 3, "position": "relative", "padding": "shift"}),
    (POSITION, {"extent": 3, "position": "absolute", "content": False}),
    (POSITION, {"extent": 3, "position": "absolute", "first_half": "column"}),
    (ALL, {"extent": 3, "position": "relative", "content": True}),
    (ALL, {"extent": 5, "position": "relative", "content": True}),
    (ALL, {"extent": 3, "position": "relative", "content": True, "scale": 0.5}),
    (ALL, {"extent": 3, "position": "relative", "content": True, "scale": 0.3,
           "scale_terms": "content"}),
    (ALL, {"extent": 3, "projection": "per_head"}),
)


def staged_cases(operation: str, offer: Offer, dtype: str) -> list[Staged]:
    """Cases of one operation that are offered, each with what it isolates."""
    made = {"value_mixture": _mixture, "stem": staged_stems, "average_pool": _pools}
    cases = made[operation](dtype) if operation in made else \
        _attention(operation, offer, dtype)
    return [(stage, case) for stage, case in cases if offer.takes(case)]


def drawn_cases(operation: str, offer: Offer, dtype: str, count: int, seed: int) -> list[Staged]:
    """Random cases of one operation over everything that is offered."""
    rng = np.random.default_rng(seed)
    found: list[Staged] = []
    for _ in range(TRIES * count):
        draw = Draw(lambda label, most: int(rng.integers(0, most, endpoint=True)))
        case = _drawn(operation, offer, draw, dtype)
        if offer.takes(case):
            found.append(("random cases", case))
        if len(found) == count:
            break
    return found


def _drawn(operation: str, offer: Offer, draw: Draw, dtype: str) -> Case:
    options = {name: offer.options.get(name, default) for name, default in EVERY_OPTION.items()}
    regimes = ("normal", "integers")
    match operation:
        case "local_attention":
            return attention_cases(draw, dtype, regimes=regimes, **options)
        case "relative_logits":
            without = {"position": "relative", "content": True, "scale": 1.0}
            return attention_cases(draw, dtype, operation=operation, regimes=regimes,
                                   **options | without)
        case "attention_layer":
            projections = offer.options.get("projection", choices.PROJECTIONS)
            return layer_cases(draw, dtype, regimes=regimes, projection=projections, **options)
        case "value_mixture":
            return mixture_cases(draw, dtype)
        case "stem":
            kinds = offer.options.get("kind", choices.STEM_KINDS)
            return drawn_stem(draw.numbers(), kinds, dtype)
        case "network":
            # Heads and their depth differ from case to case, so that factors show.
            return network_cases(draw, dtype, width=(8, 12), stem_heads=(1, 2, 4),
                                 stem=offer.options.get("kind", choices.STEM_KINDS),
                                 stages=((1, 2), (2,), ()), padding=("zero", "exclude"))
    return pool_cases(draw, dtype)



def _attention(operation: str, offer: Offer, dtype: str) -> Iterator[Staged]:
    for number, (stage, wanted) in enumerate(_ATTENTION):
        options = _offered(offer, wanted, number)
        if options is None or (operation == "relative_logits" and (
                stage != RELATIVE or options.position != "relative")):
            continue
        if "projection" in wanted and operation != "attention_layer":
            continue
        yield stage, attention_case(operation, stage, options, dtype, number)


def _offered(offer: Offer, wanted: dict[str, Any], number: int) -> AttentionOptions | None:
    """The options that matter as they are wanted, the others canonical where that is offered."""
    asked = {"heads": (2, 3)[number % 2], **wanted}
    for name, allowed in offer.options.items():
        if name not in AttentionOptions.__dataclass_fields__:
            continue
        if name in ("extent", "heads", "scale"):
            near = min(allowed, key=lambda value: abs(value - asked.get(name, 1.0)))
            asked[name] = near if name in asked or 1.0 not in allowed else 1.0
        elif name in wanted and wanted[name] not in allowed:
            return None
        elif name not in wanted:
            canonical = getattr(AttentionOptions(), name)
            asked[name] = canonical if canonical in allowed else allowed[0]
    try:
        return AttentionOptions(**asked)
    except (ValueError, TypeError):
        return None


def attention_case(operation: str, stage: str, options: AttentionOptions, dtype: str,
                   seed: int) -> Case:
    """One case, all logits zero for VALUES, no position for CONTENT, no content for RELATIVE."""
    rng = np.random.default_rng([seed, options.extent])
    heads, depth = options.heads, (4, 6)[seed % 2]
    height, width = options.extent + 1, options.extent + 2
    batch = 2 if options.extent <= 3 else 1
    silent = {VALUES: ("query", "key", "rel_row", "rel_col"), CONTENT: ("rel_row", "rel_col"),
              RELATIVE: ("key",)}.get(stage, ())
    if operation == "attention_layer":
        channels_in = (5, 7)[seed % 2] * (heads if options.projection == "per_head" else 1)
        channels_in += channels_in % 2 if options.position == "absolute" else 0
        shapes: dict[str, tuple[int, ...] | None] = {
            "x": (batch, height, width, channels_in),
            **layer_parameters(channels_in, heads * depth, options)}
    else:
        image = (batch, height, width, heads, depth)
        table = layer_parameters(1, heads * depth, _dense(options)).get("rel_row")
        shapes = {"query": image}
        if operation == "local_attention":
            shapes |= {"key": image if options.content else None, "value": image}
        shapes |= {"rel_row": table, "rel_col": table}
    arrays = {name: None if shape is None else round_to(
        values(rng, shape, "zeros" if name.removeprefix("w_") in silent else "normal"), dtype)
        for name, shape in shapes.items()}
    return Case(operation, arrays, options, dtype)


def _dense(options: AttentionOptions) -> AttentionOptions:
    given = {name: getattr(options, name) for name in options.__dataclass_fields__}
    return AttentionOptions(**given | {"projection": "dense"})


def _mixture(dtype: str) -> Iterator[Staged]:
    stages = (("equal weights", ("nu",)), ("weights by rows alone", ("emb_col",)),
              ("weights by columns alone", ("emb_row",)), ("all weights", ()), ("all weights", ()))
    for number, (stage, zero) in enumerate(stages):
        rng = np.random.default_rng(number)
        rows, cols = ((2, 3), (3, 2), (4, 3))[number % 3]
        shapes = {"x": (2, 5 + number % 2, 7, 3), "w_value": (3, 3, 5), "emb_row": (rows, 2),
                  "emb_col": (cols, 2), "nu": (3, 2)}
        arrays = {name: round_to(values(rng, shape, "zeros" if name in zero else "normal"), dtype)
                  for name, shape in shapes.items()}
        yield stage, Case("value_mixture", arrays, None, dtype)


def _pools(dtype: str) -> Iterator[Staged]:
    for number, (height, width) in enumerate(((4, 6), (5, 7), (1, 2))):
        rng = np.random.default_rng(number)
        x = round_to(rng.standard_normal((2, height, width, 3)), dtype)
        yield ("even sizes", "odd sizes", "one row")[number], Case(
            "average_pool", {"x": x}, None, dtype)
