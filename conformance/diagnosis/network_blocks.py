"""One bottleneck block against NET-2, NET-3 and NET-10, from the ways through it."""

from dataclasses import dataclass, field

from ..report import Deviation
from .network_flow import POOLS, Way

REDUCED = ("conv1", "norm", "relu")
LAYER = "the layer"


@dataclass
class BlockFacts:
    """What one block is.

    path          of the module
    attention     path of its attention layer; None where it convolves
    channels      in, middle and out
    stride        by what it divides the size
    deviations    named differences; problem  what could not be followed
    """

    path: str
    attention: str | None
    channels: tuple[int, int, int]
    stride: int
    deviations: list[Deviation] = field(default_factory=list)
    problem: str | None = None


def judge_block(facts: BlockFacts, way: Way | None) -> None:
    """Add to the facts what a block's way to its output says."""
    if way is None or way.joined is None:
        facts.problem = "its output could not be followed back to its input as a sum of two ways"
        return
    main, shortcut = sorted((each.tokens for each in way.joined), key=_is_main, reverse=True)
    if not _is_main(main) or any(each.joined is not None for each in way.joined):
        facts.problem = f"its ways are {' '.join(main)} and {' '.join(shortcut)}"
        return
    names = [*_order(main, way.tokens), *_pools(main, facts), *_shortcut(shortcut, facts)]
    if None in names:
        facts.problem = (f"the way {' '.join(main)}, beside {' '.join(shortcut) or 'the input'}, "
                         f"then {' '.join(way.tokens) or 'nothing'}, has no name")
    facts.deviations += [Deviation(*each) for each in names if each is not None]


def _is_main(tokens: tuple[str, ...]) -> bool:
    return any(token.startswith("attention") or _plain(token) == "conv3" for token in tokens)


def _plain(token: str) -> str:
    return token.partition("/")[0]


# Name, clause and sentence of a deviation; None stands for one without a name.
Name = tuple[str, str, str]


def _order(main: tuple[str, ...], after: tuple[str, ...]) -> list[Name | None]:
    """Deviations of the order of layers, normalizations and ReLUs; None for one without a name."""
    core = tuple(LAYER if _plain(token) in ("attention", "conv3") else _plain(token)
                 for token in main if token not in (*POOLS, "even", "odd"))
    if core == ("norm", "relu", "conv1", "norm", "relu", LAYER, "norm", "relu", "conv1") \
            and not after:
        return [("preactivation", "NET-2", "normalization and ReLU come before each layer")]
    bare = tuple(token for token in core if token != "relu")
    if bare != ("conv1", "norm", LAYER, "norm", "conv1", "norm") or after not in ((), ("relu",)):
        return [None]
    # A ReLU's place is the number of layers and normalizations before it.
    places = [len([t for t in core[:at] if t != "relu"])
              for at, token in enumerate(core) if token == "relu"]
    found: list[Name | None] = []
    if set(places) - {2, 4, 6} or len(set(places)) != len(places):
        return [None]
    if 6 in places:
        found.append(("relu-before-sum", "NET-2", "a ReLU comes before the shortcut is added"))
    missing = [name for place, name in ((2, "the first 1 x 1"), (4, "the layer"))
               if place not in places]
    if not after and 6 not in places:
        missing.append("the sum")
    if missing:
        found.append(("relu-missing", "NET-2", f"no ReLU follows {' and '.join(missing)}"))
    return found


def _pools(main: tuple[str, ...], facts: BlockFacts) -> list[Name | None]:
    """Deviations of what makes the size smaller, and where it stands."""
    layer = next(n for n, token in enumerate(main) if _plain(token) in ("attention", "conv3"))
    relus = [n for n, token in enumerate(main) if token == "relu" and n > layer]
    last = relus[0] if relus else len(main)
    found: list[Name | None] = []
    divided = 1
    for at, token in enumerate(main):
        divided *= 2 if token in (*POOLS, "even", "odd") else int(token.partition("/")[2] or 1)
        if token in ("conv1/2", "even") and at < layer:
            found.append(("stride-in-first", "NET-10", "the first 1 x 1 takes every second pixel"))
        elif token == "even" and at < last and facts.attention is not None:
            found.append(("strided-queries", "NET-3", "only every second pixel of the attention's "
                                                      "output is kept; no average follows"))
        elif token in POOLS and facts.attention is not None:
            found += _pool_names(token, before=at < layer, late=at > last)
        elif token in (*POOLS, "even", "odd") or (token == "conv1/2" and at > layer):
            found.append(None)
    return found if divided == facts.stride else [*found, None]


def _pool_names(token: str, *, before: bool, late: bool) -> list[Name]:
    found: list[Name] = []
    if token.startswith("maximum"):
        found.append(("pool-maximum", "NET-3", "a maximum is taken, not an average"))
    if before:
        found.append(("pool-before-attention", "NET-3", "the pool comes before the attention, "
                                                        "which then sees half the resolution"))
    if late:
        found.append(("pool-after-expand", "NET-3", "the pool comes after the attention's "
                                                    "normalization and ReLU"))
    return found + size_names(token)


def size_names(token: str) -> list[Name]:
    """Deviations of what a pool does to an odd size."""
    found: list[Name] = []
    if token.endswith("floor"):
        found.append(("pool-floor-size", "NET-11", "the last row or column of an odd size is "
                                                   "dropped"))
    if token.endswith("counted"):
        found.append(("pool-counts-padding", "NET-11", "an average at the end counts pixels "
                                                       "outside the image"))
    return found


def _shortcut(tokens: tuple[str, ...], facts: BlockFacts) -> list[Name | None]:
    """Deviations of the shortcut."""
    if facts.stride == 1 and tokens in ((), ("conv1", "norm")):
        return []
    if tokens in (("conv1/2", "norm"), ("even", "conv1", "norm")) and facts.stride == 2:
        return []
    bare = tuple(_plain(token) for token in tokens if token not in (*POOLS, "even", "odd"))
    if bare != ("conv1", "norm") or facts.stride != 2:
        return [None]
    if "odd" in tokens:
        return [("shortcut-odd-pixels", "NET-10", "the shortcut takes every second pixel from the "
                                                  "second")]
    if any(token in POOLS for token in tokens):
        return [("shortcut-pooled", "NET-10", "a pool stands in the shortcut")]
    return [None]
