"""A property asked of many random cases: under which conditions it fails, and its widest failure.

The smallest counterexample is often one pixel, which shows what is wrong but not where and when.
"""

from dataclasses import dataclass

import numpy as np

from sasakit.reference import AttentionOptions, NetworkSpec, StemOptions

from .case import Case
from .draw import Draw
from .inspection import Inspection, inspect_case
from .offer import offered_options
from .runner import parse_id
from .target import Target

CASES = 16
# Cases that must lie on either side before what tells them apart is no accident.
LEAST = 3
# Conditions that are told of one survey.
MOST = 3


@dataclass(frozen=True, eq=False)
class Survey:
    """What random cases of one property gave.

    asked       how many the property judges
    failed      how many of them failed
    conditions  what the failing ones share and the passing ones lack, in words
    widest      the failing case that shows most, with outputs that are right where there is one
                and as many numbers as there are; None where nothing was compared
    """

    asked: int
    failed: int
    conditions: tuple[str, ...]
    widest: Inspection | None

    def __str__(self) -> str:
        told = f": {'; '.join(self.conditions)}" if self.conditions else ""
        return f"{self.failed} of {self.asked} random cases fail{told}"


def survey_property(case_id: str, target: Target, cases: int = CASES) -> Survey:
    """Judge random cases of the property and dtype that an id names, the same ones every time.

    Raises ValueError for an id that names no property.
    """
    prop, dtype, _ = parse_id(case_id)
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(cases):
        draw = Draw(lambda label, most: int(rng.integers(0, most, endpoint=True)),
                    offered_options(target))
        prop.cases(draw, dtype)
        recipe = ".".join(map(str, draw.recipe))
        try:
            seen.append(inspect_case(f"{prop.clause}/{prop.name}/{dtype}/{recipe}", target))
        except ValueError:
            continue  # The property passes over this case, or the target was not asked.
    failed = [each for each in seen if each.failure is not None]
    pictured = [each for each in failed if each.numbers is not None]
    widest = max(pictured, key=_telling, default=None)
    passed = [each.case for each in seen if each.failure is None]
    return Survey(len(seen), len(failed),
                  tuple(conditions([each.case for each in failed], passed)), widest)


def _telling(seen: Inspection) -> tuple[bool, int]:
    """Cases in which only a part is wrong say more than larger ones in which everything is."""
    rho = np.zeros(0) if seen.numbers is None else seen.numbers.rho
    return bool((rho <= 1).any()), int(rho.size)


def conditions(failed: list[Case], passed: list[Case]) -> list[str]:
    """What tells the failing cases from the passing ones, in words, the sharpest first."""
    if len(failed) < LEAST or len(passed) < LEAST:
        return []
    bad, good = [traits(case) for case in failed], [traits(case) for case in passed]
    exact, only = [], []
    for words in {words: None for each in (*bad, *good) for words in each}:
        if not all(each.get(words, False) for each in bad):
            continue
        lacking = sum(not each.get(words, False) for each in good)
        if lacking == len(good):
            exact.append(f"exactly those with {words}")
        elif lacking >= LEAST:
            only.append(f"only cases with {words}")
    return (exact or only)[:MOST]


def traits(case: Case) -> dict[str, bool]:
    """Whether each thing that may matter holds for a case, by its words."""
    found: dict[str, bool] = {}
    images = next((case.arrays[name] for name in ("query", "x", "images")
                   if case.arrays.get(name) is not None), None)
    options = case.options
    extent = getattr(options, "extent", None)
    if images is not None and images.ndim >= 4:
        batch, height, width = images.shape[:3]
        _both(found, "several batch items", "one batch item", batch > 1)
        _both(found, "an odd height or width", "even height and width", (height | width) % 2 == 1)
        if extent is not None:
            _both(found, "an image smaller than the window", "an image not smaller than the window",
                  min(height, width) < extent)
        heads = images.shape[3] if images.ndim == 5 else getattr(options, "heads", 1)
        _both(found, "several heads", "one head", heads > 1)
    if extent is not None:
        _both(found, "an even extent", "an odd extent", extent % 2 == 0)
    _both(found, "contiguous arrays", "arrays that are not contiguous", case.layout == "contiguous")
    found[f"operation {case.operation}"] = True
    if isinstance(options, AttentionOptions | StemOptions | NetworkSpec):
        for name, value in vars(options).items():
            if isinstance(value, str | bool | float):
                found[f"{name} {value}"] = True
    return found


def _both(found: dict[str, bool], words: str, opposite: str, holds: bool) -> None:
    found[words], found[opposite] = holds, not holds
