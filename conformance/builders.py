"""Builders of cases from drawn choices: labelled, small, axis lengths unlike each other."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sasakit.reference import AttentionOptions, NetworkSpec, StemOptions, random_weights
from sasakit.reference.contract import options as choices
from sasakit.reference.contract.parameters import layer_parameters

from .case import LAYOUTS, Case
from .draw import Draw
from .estimate import Array
from .profiles import round_to

# What every option may be, for cases that vary them all.
EVERY_OPTION: dict[str, Any] = {
    "extent": (1, 2, 3, 4, 5),
    "padding": choices.PADDINGS,
    "relative": choices.RELATIVE_KINDS,
    "position": choices.POSITIONS,
    "content": (True, False),
    "scale": (1.0, 0.5, 0.3),
    "scale_terms": choices.SCALE_TERMS,
    "first_half": choices.FIRST_HALVES,
    "even_window": choices.EVEN_WINDOWS,
}
# Options that a clause about something else may be asked under, whichever value they have.
FIXED = ("padding", "relative", "first_half", "even_window")
CANONICAL = AttentionOptions()
REGIMES = ("zeros", "integers", "normal", "saturated")


def attention_options(draw: Draw, **given: Any) -> AttentionOptions:
    """Options; a tuple is drawn from, anything else is taken; what is not given is canonical.

    Only what the draw's target offers is drawn, where that is any of it. Where a target does not
    offer what is canonical of FIXED, the first that it offers stands for that.
    """
    drawn = {name: draw.choice(name, _offered(draw, name, value)) if isinstance(value, tuple)
             else value for name, value in given.items()}
    for name in FIXED:
        offered = draw.offered.get(name, ())
        if name not in given and offered and getattr(CANONICAL, name) not in offered:
            drawn[name] = offered[0]
    if drawn.get("position") == "none":
        drawn["content"] = True
    return AttentionOptions(**drawn)


def _offered(draw: Draw, name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value for value in values if value in draw.offered.get(name, values)) or values


def unlike(sizes: Mapping[str, int]) -> dict[str, int]:
    """The same sizes, each raised until it differs from those before it; ones may repeat."""
    result: dict[str, int] = {}
    for name, size in sizes.items():
        while size > 1 and size in result.values():
            size += 1
        result[name] = size
    return result


def values(rng: np.random.Generator, shape: tuple[int, ...], regime: str) -> Array:
    """Array of one regime: zeros, small integers, normal numbers, or those tenfold."""
    if regime == "zeros":
        return np.zeros(shape)
    if regime == "integers":
        return rng.integers(-3, 4, shape).astype(np.float64)
    return rng.standard_normal(shape) * (10.0 if regime == "saturated" else 1.0)


def image_sizes(draw: Draw, options: AttentionOptions | None = None, *,
                interior: bool = False, most: int | None = None,
                least: int = 1) -> dict[str, int]:
    """Batch, height and width; with room for a whole window where the case needs one."""
    if options is not None and (interior or options.padding == "shift"):
        least = options.extent
        most = most or options.extent + 2
    sizes = {name: draw.integer(name, least, most or 5) for name in ("height", "width")}
    return {"batch": draw.integer("batch", 1, 2), **unlike(sizes)}


def interior_of(options: AttentionOptions, height: int, width: int) -> Array:
    """(1, height, width, 1, 1): pixels whose whole window lies in the image."""
    before, after = options.slots_before, options.extent - 1 - options.slots_before
    inside = [[before <= at < size - after for at in range(size)] for size in (height, width)]
    return (np.array(inside[0])[:, None] & np.array(inside[1]))[None, :, :, None, None]


def attention_cases(draw: Draw, dtype: str, *, operation: str = "local_attention",
                    look: str = "everywhere", zero: tuple[str, ...] = (),
                    regimes: tuple[str, ...] = REGIMES, layouts: tuple[str, ...] = ("contiguous",),
                    most: int | None = None, **given: Any) -> Case:
    """Cases of local_attention or relative_logits.

    look   everywhere, interior (whole windows) or border (the others)
    zero   arrays that are zero throughout
    most   rows and columns of the largest image; a few when None
    given  options, as for `attention_options`
    """
    options = attention_options(draw, **given)
    sizes = image_sizes(draw, options, interior=look == "interior", most=most)
    if look == "border":
        sizes["height"], sizes["width"] = max(sizes["height"], 2), max(sizes["width"], 3)
    heads = draw.choice("heads", (1, 2, 3))
    depth = draw.choice("depth", (2, 4, 6))
    shape = (sizes["batch"], sizes["height"], sizes["width"], heads, depth)
    regime = draw.choice("regime", regimes)
    rng = draw.numbers()
    layer = AttentionOptions(**{**_as_dict(options), "heads": heads})
    table = layer_parameters(1, heads * depth, layer).get("rel_row")
    shapes: dict[str, tuple[int, ...] | None] = {"query": shape}
    if operation == "local_attention":
        shapes |= {"key": shape if options.content else None, "value": shape}
    shapes |= {"rel_row": table, "rel_col": table}
    arrays = {name: None if size is None else round_to(
        values(rng, size, "zeros" if name in zero else _tamed(regime, name)), dtype)
        for name, size in shapes.items()}
    judged = None
    if look != "everywhere":
        judged = interior_of(options, sizes["height"], sizes["width"])
        judged = judged if look == "interior" else ~judged
    return Case(operation, arrays, options, dtype,
                draw.choice("layout", layouts), judged)


def _tamed(regime: str, name: str) -> str:
    """Saturated logits come from large queries; the other arrays stay as they are."""
    return "normal" if regime == "saturated" and name != "query" else regime


def _as_dict(options: Any) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.__dataclass_fields__}


def layer_cases(draw: Draw, dtype: str, *, regimes: tuple[str, ...] = REGIMES,
                layouts: tuple[str, ...] = ("contiguous",), **given: Any) -> Case:
    """Cases of attention_layer."""
    heads = draw.choice("heads", (1, 2, 3))
    options = attention_options(draw, heads=heads, **given)
    sizes = image_sizes(draw, options)
    depth = draw.choice("depth", (2, 4))
    channels_in = draw.integer("channels in", 1, 5) * (
        heads if options.projection == "per_head" else 1)
    regime = draw.choice("regime", regimes)
    rng = draw.numbers()
    shape = (sizes["batch"], sizes["height"], sizes["width"], channels_in)
    shapes = {"x": shape, **layer_parameters(channels_in, heads * depth, options)}
    arrays = {name: round_to(values(rng, size, _tamed(regime, name)), dtype)
              for name, size in shapes.items()}
    return Case("attention_layer", arrays, options, dtype,
                draw.choice("layout", layouts))


def mixture_cases(draw: Draw, dtype: str, *, zero: tuple[str, ...] = (),
                  layouts: tuple[str, ...] = ("contiguous",)) -> Case:
    """Cases of value_mixture, windows that are no squares among them."""
    sizes = image_sizes(draw, most=7)
    rows, cols = draw.integer("rows", 1, 4), draw.integer("cols", 1, 4)
    mixtures, embedding = draw.integer("m", 1, 4), draw.integer("e", 1, 3)
    channels_in, channels_out = unlike({"in": draw.integer("in", 1, 4), "out": 5}).values()
    regime = draw.choice("regime", REGIMES[:3])
    rng = draw.numbers()
    shapes = {"x": (sizes["batch"], sizes["height"], sizes["width"], channels_in),
              "w_value": (mixtures, channels_in, channels_out), "emb_row": (rows, embedding),
              "emb_col": (cols, embedding), "nu": (mixtures, embedding)}
    arrays = {name: round_to(values(rng, shape, "zeros" if name in zero else regime), dtype)
              for name, shape in shapes.items()}
    return Case("value_mixture", arrays, None, dtype,
                draw.choice("layout", layouts))


def network_cases(draw: Draw, dtype: str, *,
                  blocks: tuple[tuple[int, ...], ...] = ((1, 1),), least: int = 5,
                  plain_norms: bool = False, **given: Any) -> Case:
    """Cases of a whole small network, every layer of it to be judged.

    given  fields of NetworkSpec; a tuple of alternatives is drawn from
    """
    counts = draw.choice("blocks", blocks)
    fields = {name: draw.choice(name, value) for name, value in given.items()}
    fields.setdefault("stages", tuple(range(1, len(counts) + 1)))
    spec = NetworkSpec(**{"depth": 3 * sum(counts) + 2, "blocks": counts, "width": 8, "heads": 2,
                          "extent": 3, "classes": 3, "stem_heads": 2, "stem_mixtures": 3,
                          **fields})
    sizes = image_sizes(draw, least=least, most=least + 8)
    rng = draw.numbers()
    weights = random_weights(spec, seed=int(rng.integers(2**31)))
    if not plain_norms:
        weights = {name: _perturbed(rng, name, w) for name, w in weights.items()}
    images = rng.standard_normal((sizes["batch"], sizes["height"], sizes["width"],
                                  spec.image_channels))
    arrays = {name: round_to(array, dtype) for name, array in {"images": images, **weights}.items()}
    return Case("network", arrays, spec, dtype)


def _perturbed(rng: np.random.Generator, name: str, w: Array) -> Array:
    """Statistics, scales and biases as after training, so that each of them counts."""
    if name.endswith("norm_variance"):
        return rng.uniform(0.5, 2.0, w.shape)
    if name.endswith("norm_scale"):
        return rng.uniform(0.5, 1.5, w.shape) * rng.choice((-1.0, 1.0), w.shape)
    if name.rpartition(".")[2] in ("norm_shift", "norm_mean", "bias"):
        return w + 0.3 * rng.standard_normal(w.shape)
    return w


def stem_cases(draw: Draw, dtype: str, *, kinds: tuple[str, ...] = choices.STEM_KINDS,
               sizes: Callable[[Draw], dict[str, int]] | None = None,
               zero: tuple[str, ...] = (), plain_norms: bool = False) -> Case:
    """Cases of one stem, taken from a network's weights."""
    kind = draw.choice("kind", kinds)
    window = draw.choice("window", (4, 2, 3))
    spec = NetworkSpec(depth=5, blocks=(1,), stages=(), stem=kind, width=6, stem_heads=2,
                       stem_window=window, stem_mixtures=3, image_channels=2, classes=1)
    image = sizes(draw) if sizes is not None else image_sizes(draw, most=9)
    rng = draw.numbers()
    named = random_weights(spec, seed=int(rng.integers(2**31)))
    weights = {name.removeprefix("stem."): w if plain_norms else _perturbed(rng, name, w)
               for name, w in named.items() if name.startswith("stem.")}
    images = rng.standard_normal((image["batch"], image["height"], image["width"], 2))
    arrays = {name: round_to(np.zeros_like(array) if name in zero else array, dtype)
              for name, array in {"images": images, **weights}.items()}
    return Case("stem", arrays, StemOptions(kind=kind, heads=2, window=window), dtype)


def pool_cases(draw: Draw, dtype: str) -> Case:
    """Cases of average_pool, odd sizes among them."""
    sizes = image_sizes(draw, most=7)
    rng = draw.numbers()
    shape = (sizes["batch"], sizes["height"], sizes["width"], 3)
    regime = draw.choice("regime", REGIMES)
    return Case("average_pool", {"x": round_to(values(rng, shape, regime), dtype)}, None, dtype)


def every_layout() -> tuple[str, ...]:
    """Names of the memory layouts, contiguous first."""
    return tuple(LAYOUTS)
