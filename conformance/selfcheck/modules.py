"""The diagnosis against modules made at random: known readings, and changes that no list holds.

What is claimed of a module must be true of it: the recipe that has exactly the named deviations is
made with the module's own parameters, and must compute the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..diagnosis.choices import PADDINGS, Choices
from ..diagnosis.diagnose import diagnose
from ..diagnosis.instance import ModuleError, Sizes, same
from ..report import Diagnosis
from .recipes import DEVIATIONS, Recipe, applied, random_recipe

RIGHT, UNKNOWN, WRONG, EQUIVALENT = "right", "unknown", "wrong", "equivalent"
# What claims nothing.
MODEST = ("unknown", "not judged")
# Unlike the sizes at which modules are diagnosed.
SIZES = (Sizes(20, 32, 4, 5), Sizes(18, 24, 2, 3))
# Deviations that the known modules have, in turn.
MOST_DEVIATIONS = 3


@dataclass(frozen=True)
class ModuleResult:
    """What the diagnosis said of one module.

    change    what the module does besides its recipe, a name of OUTSIDE; None for a known one
    verdict   right, unknown or wrong for a known one; unknown, equivalent or wrong for another
    wanted    deviations of its recipe, in order
    answer    what was found, the deviations that were named, and where it stopped
    """

    seed: int
    change: str | None
    verdict: str
    wanted: tuple[str, ...]
    answer: str


def judge_module(seed: int) -> ModuleResult:
    """Diagnose a known module: its deviations must be named, all of them and nothing else."""
    recipe = random_recipe(seed, seed % (MOST_DEVIATIONS + 1))
    diagnosis = _diagnosed(recipe, None)
    wanted = recipe.names_of_deviations()
    if diagnosis.found in MODEST:
        verdict = UNKNOWN
    else:
        verdict = RIGHT if _names(diagnosis) == wanted else WRONG
    return ModuleResult(seed, None, verdict, tuple(sorted(wanted)), _spelled(diagnosis))


def judge_outside(task: tuple[int, str]) -> ModuleResult:
    """Diagnose a module with a change that no list holds: (seed, name of the change).

    Nothing may be claimed of it that does not reproduce it.
    """
    from .outside import POSITIONED
    seed, change = task
    recipe = random_recipe(seed, seed % 2, tables=change in POSITIONED)
    diagnosis = _diagnosed(recipe, change)
    verdict = WRONG
    if diagnosis.found in MODEST:
        verdict = UNKNOWN
    elif any(_reproduces(each, recipe, change) for each in _claimed(diagnosis, recipe)):
        verdict = EQUIVALENT
    return ModuleResult(seed, change, verdict, tuple(sorted(recipe.names_of_deviations())),
                        _spelled(diagnosis))


def outside_tasks(count: int, seed: int) -> list[tuple[int, str]]:
    """So many tasks of `judge_outside`, the changes in turn."""
    from .outside import OUTSIDE
    names = tuple(OUTSIDE)
    return [(seed + at, names[at % len(names)]) for at in range(count)]


def _builder(recipe: Recipe, change: str | None) -> Any:
    from ..doors.torch_module import TorchBuilder
    from .factory import module_class
    from .outside import OUTSIDE
    return TorchBuilder(module_class(recipe, None if change is None else OUTSIDE[change]))


def _diagnosed(recipe: Recipe, change: str | None) -> Diagnosis:
    return diagnose(_builder(recipe, change))


def _names(diagnosis: Diagnosis) -> set[str]:
    return {each.name for each in diagnosis.deviations}


def _spelled(diagnosis: Diagnosis) -> str:
    if diagnosis.found in MODEST:
        return f"{diagnosis.found}: {diagnosis.stopped_at}"
    options = ", ".join(f"{name}={value}" for name, value in diagnosis.options.items())
    return f"{diagnosis.found}: {', '.join(sorted(_names(diagnosis))) or 'none'} ({options})"


def _claimed(diagnosis: Diagnosis, recipe: Recipe) -> Iterator[Recipe]:
    """Recipes written like this one that have exactly the deviations named, and the padding."""
    nearby = [recipe, replace(recipe, bias=False), replace(recipe, out=False)]
    for padding in PADDINGS:
        choices = recipe.choices.but(padding=padding)
        nearby.append(replace(recipe, choices=choices))
        nearby += [applied(change, replace(recipe, choices=choices)) for change in DEVIATIONS]
    canonical = Choices()
    nearby += [replace(recipe, choices=recipe.choices.but(**{name: getattr(canonical, name)}))
               for name in recipe.choices.differences() if name != "arrangement"]
    found = diagnosis.options.get("padding", "zero")
    for each in nearby:
        own = each.choices.padding if each.choices.padding in ("exclude", "shift") else "zero"
        if each.names_of_deviations() == _names(diagnosis) and own == found:
            yield each


def _reproduces(claimed: Recipe, recipe: Recipe, change: str) -> bool:
    """Whether a recipe, given the module's own parameters, computes what the module does."""
    rng = np.random.default_rng(0)
    for sizes in SIZES:
        try:
            module, other = (_builder(recipe, change).build(sizes),
                             _builder(claimed, None).build(sizes))
        except ModuleError:
            return False
        if dict(module.shapes) != dict(other.shapes):
            return False
        own = {name: rng.standard_normal(shape) / 2 for name, shape in module.shapes.items()}
        module.set(own)
        other.set(own)
        x = rng.standard_normal((2, 7, 9, sizes.channels_in))
        if not same(module.run(x), other.run(x)):
            return False
    return True
