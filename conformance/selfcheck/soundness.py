"""Sound implementations against the suites: cases of every property, of which none may fail."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import suites  # noqa: F401
from ..draw import Draw
from ..offer import offer_of
from ..property import PROPERTIES, NotApplicable, Property
from .sound import SOUND, Sound

# Draws of one property that may say nothing of it, before another's turn comes.
PATIENCE = 20


@dataclass
class SoundResult:
    """What the suites made of one sound implementation.

    cases    how many were judged
    rho      the worst distance in units of the budget
    refused  case id and reason of every case that was refused
    """

    name: str
    cases: int
    rho: float
    refused: list[tuple[str, str]]


def questions(target: Sound) -> list[tuple[Property, str]]:
    """Every property and dtype that can be asked of a target."""
    offer = offer_of(target)
    return [(prop, dtype) for prop in PROPERTIES if not prop.gradients for dtype in target.dtypes
            if (prop.dtypes is None or dtype in prop.dtypes) and offer.covers(prop, dtype)]


def judge_sound(task: tuple[str, int, int]) -> SoundResult:
    """Judge so many cases of the sound implementation of a name: (name, cases, seed).

    The properties come in turn, so that each has its share.
    """
    name, wanted, seed = task
    [target] = [each for each in SOUND if each.name == name]
    result = SoundResult(name, 0, 0.0, [])
    rng = np.random.default_rng([seed, len(name), wanted])
    asked = questions(target)
    order = rng.permutation(len(asked))
    for place in itertools.cycle(order):
        if result.cases >= wanted:
            return result
        prop, dtype = asked[place]
        _ask(target, prop, dtype, rng, result)
    return result


def _ask(target: Sound, prop: Property, dtype: str, rng: np.random.Generator,
         result: SoundResult) -> None:
    """Judge one case of a property, if one comes that the target takes."""
    offer = offer_of(target)
    for _ in range(PATIENCE):
        draw = Draw(lambda label, most: int(rng.integers(0, most, endpoint=True)))
        case = prop.cases(draw, dtype)
        if not offer.takes(case):
            continue
        try:
            rho = prop.check(case, target)
        except NotApplicable:
            continue
        # Whatever a sound implementation is refused for is the kit's to answer.
        except Exception as error:
            recipe = ".".join(map(str, draw.recipe))
            case_id = f"{prop.clause}/{prop.name}/{dtype}/{recipe}"
            result.refused.append((case_id, f"{type(error).__name__}: {error}"))
            rho = 0.0
        result.cases += 1
        result.rho = max(result.rho, rho)
        return


def shares(cases: int, seed: int) -> Sequence[tuple[str, int, int]]:
    """Tasks of `judge_sound` that add up to so many cases."""
    each, more = divmod(cases, len(SOUND))
    return [(target.name, each + (place < more), seed) for place, target in enumerate(SOUND)]
