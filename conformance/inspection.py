"""One case looked at closely: what was given, what was expected, and where the two part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sasakit.reference import AttentionOptions

from .builders import interior_of
from .case import Case
from .estimate import Array
from .judge import Comparison, element_rho, watched
from .offer import asked_again
from .runner import Failure, parse_id, replay
from .target import Target
from .where_wrong import where_wrong

# Axes of results and of arrays, by their number.
IMAGES = {5: ("batch", "height", "width", "heads", "depth"),
          6: ("batch", "height", "width", "heads", "rows", "cols"),
          4: ("batch", "height", "width", "channels"),
          2: ("batch", "classes")}
TABLES = {2: ("entries", "depth"), 3: ("heads", "entries", "depth")}
IMAGE_ARRAYS = ("query", "key", "value", "x", "images")
RESULTS = ("local_attention", "relative_logits", "attention_layer", "value_mixture", "stem",
           "average_pool", "network")


@dataclass(frozen=True, eq=False)
class Numbers:
    """One result and what it must be, element by element.

    axes    names of the axes; a layer's channels are seen as heads x depth
    actual  the result as it was given
    value   what it must be
    budget  how far it may be from that
    rho     distance in units of the budget; 0 where nothing is judged
    looked  boolean: what is judged
    worst   index of the largest rho, the first of several
    """

    axes: tuple[str, ...]
    actual: Array
    value: Array
    budget: Array
    rho: Array
    looked: Array
    worst: tuple[int, ...]

    def at_worst(self) -> tuple[float, float, float, float]:
        """Given, expected, budget and rho where rho is largest."""
        given, due, within, rho = (float(array[self.worst]) for array in (
            self.actual, self.value, self.budget, self.rho))
        return given, due, within, rho


@dataclass(frozen=True, eq=False)
class Inspection:
    """One case judged again, with everything that was seen on the way.

    case_id   its id
    case      what was asked
    failure   what did not hold; None where the property holds
    compared  the comparison that was refused, or without a failure the last; None for an exception,
              a wrong error, and whatever else is no comparison of numbers
    numbers   the same element by element; None also for unequal shapes and empty results
    where     which outputs are wrong, in words
    agreed    what was compared before and agreed, such as a network's earlier layers
    described what opens the foreign target again; None for one of this process
    """

    case_id: str
    case: Case
    failure: Failure | None
    compared: Comparison | None
    numbers: Numbers | None
    where: str
    agreed: tuple[str, ...] = ()
    described: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """What was compared: the operation, a layer, an array; empty where nothing was."""
        return "" if self.compared is None else self.compared.name

    @property
    def window(self) -> AttentionOptions | None:
        """The options of the window, where each output has one that slides."""
        return _window(self.case, self.name)


def inspect_case(case_id: str, target: Target) -> Inspection:
    """Judge one case by its id, and keep what was seen.

    Raises ValueError as `replay` does, and for a target that does not take the case or is gone;
    what the target raises is part of the result.
    """
    prop, dtype, recipe = parse_id(case_id)
    case = asked_again(prop, recipe, dtype, target)
    with watched() as seen:
        verdict = replay(case_id, target)
    if verdict.reason is not None:
        raise ValueError(f"`case` must be one that can be judged; got {case_id!r}: "
                         f"{verdict.reason}")
    failure = verdict.failures[0] if verdict.failures else None
    return replace(_inspected(case_id, case, failure, seen),
                   described=getattr(target, "description", None))


def _inspected(case_id: str, case: Case, failure: Failure | None,
               seen: list[Comparison]) -> Inspection:
    compared = _shown(seen, failure)
    agreed = tuple(each.name for each in seen if each is not compared)
    if compared is None:
        return Inspection(case_id, case, failure, None, None,
                          "nothing was compared number by number", agreed)
    if compared.actual.shape != compared.want.value.shape:
        return Inspection(case_id, case, failure, compared, None, _unequal_shapes(case, compared),
                          agreed)
    if compared.actual.size == 0:
        return Inspection(case_id, case, failure, compared, None, "the result is empty", agreed)
    numbers = _measured(case, compared)
    where = where_wrong(numbers.rho, numbers.axes, numbers.looked,
                        _leaving(_window(case, compared.name), numbers))
    return Inspection(case_id, case, failure, compared, numbers, where + _not_numbers(numbers),
                      agreed)


def _shown(seen: list[Comparison], failure: Failure | None) -> Comparison | None:
    """The comparison that was refused; without a failure the last one that was made."""
    if not seen or failure is None:
        return seen[-1] if seen else None
    last = seen[-1]
    return last if failure.reason.startswith(f"{last.name}: ") else None


def _measured(case: Case, compared: Comparison) -> Numbers:
    actual, want, options = compared.actual, compared.want, case.options
    looked = np.ones(actual.shape, bool) if compared.judged is None else \
        np.broadcast_to(compared.judged, actual.shape)
    rho = np.where(looked, element_rho(actual, want), 0.0)
    axes, shape = axes_of(case, compared), actual.shape
    if case.operation == compared.name == "attention_layer" \
            and isinstance(options, AttentionOptions) and shape[-1] % options.heads == 0:
        axes, shape = IMAGES[5], (*shape[:-1], options.heads, shape[-1] // options.heads)
    rho = rho.reshape(shape)
    worst = tuple(int(at) for at in np.unravel_index(np.argmax(rho), shape))
    return Numbers(axes, actual.reshape(shape), want.value.reshape(shape),
                   want.budget.reshape(shape), rho, looked.reshape(shape), worst)


def _window(case: Case, name: str) -> AttentionOptions | None:
    sliding = ("local_attention", "relative_logits", "attention_layer")
    options = case.options
    return options if case.operation == name and name in sliding \
        and isinstance(options, AttentionOptions) else None


def axes_of(case: Case, compared: Comparison) -> tuple[str, ...]:
    """Names of the axes of what was compared; axis 0, axis 1, ... where they have none."""
    rank = compared.want.value.ndim
    array = compared.name.replace(",", " ").split()[-1]
    known: dict[int, tuple[str, ...]] = {}
    if compared.name in RESULTS or case.operation == "network" or array in IMAGE_ARRAYS:
        known = IMAGES
    elif array in ("rel_row", "rel_col"):
        known = TABLES
    elif array.startswith("w_"):
        known = {2: ("channels in", "channels out")}
    return known.get(rank, tuple(f"axis {axis}" for axis in range(rank)))


def _leaving(options: AttentionOptions | None, numbers: Numbers) -> Array | None:
    """(height, width): pixels whose window leaves the image; None where no window slides."""
    if options is None:
        return None
    inside: Array = interior_of(options, *numbers.rho.shape[1:3])[0, :, :, 0, 0]
    return ~inside


def _unequal_shapes(case: Case, compared: Comparison) -> str:
    given, due = compared.actual.shape, compared.want.value.shape
    if len(given) != len(due):
        return f"the result has {len(given)} axes instead of {len(due)}"
    differing = [f"{name} is {got} instead of {want}" for name, got, want
                 in zip(axes_of(case, compared), given, due, strict=True) if got != want]
    return f"the shape: {', '.join(differing)}"


def _not_numbers(seen: Numbers) -> str:
    spoiled = int((seen.looked & np.isfinite(seen.value) & ~np.isfinite(seen.actual)).sum())
    missing = int((seen.looked & ~np.isfinite(seen.value) & np.isfinite(seen.actual)).sum())
    return (f"; {spoiled} are NaN or infinite where numbers are due" if spoiled else "") + \
        (f"; {missing} are numbers where NaN or infinity is due" if missing else "")
