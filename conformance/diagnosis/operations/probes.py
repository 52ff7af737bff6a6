"""The probes of dependence, run on a target's operation."""

from dataclasses import replace

import numpy as np

from sasakit.reference import AttentionOptions

from ...case import Case
from ...estimate import Array
from ..dependence import Arrays, Run, hidden_state, stray_reach
from .asking import Asked


class NoResult(Exception):
    """A call that gave no array; nothing can be said of what follows."""


def runner(asked: Asked, case: Case) -> Run:
    """The target's operation as a function of arrays; what it changes in them is changed there."""
    def run(arrays: Arrays) -> Array:
        asked.clock.check()
        probe = replace(case, arrays=dict(arrays))
        native = asked.target.native(probe)
        result = asked.result(probe, native)
        if result is None:
            raise NoResult
        for name, array in arrays.items():
            if array is not None:
                array[...] = asked.target.read(native[name])
        return result.astype(np.float64)
    return run


def state_of(asked: Asked, case: Case) -> list[str]:
    """Hidden state, randomness and changed inputs, in words. Raises OutOfTime."""
    try:
        return [f"{case.operation}: {words}" for words in hidden_state(runner(asked, case),
                                                                      case.arrays)]
    except NoResult:
        return []


def strays_of(asked: Asked, case: Case) -> list[str]:
    """What reaches outputs that must not see it, in words. Raises OutOfTime."""
    options = case.options
    reach = (0, 0)
    if case.operation not in ("local_attention", "attention_layer", "relative_logits",
                              "value_mixture"):
        return []
    if isinstance(options, AttentionOptions) and case.operation != "relative_logits":
        before = options.slots_before
        # A window that shifts may begin or end at its own pixel.
        reach = (options.extent - 1, options.extent - 1) if options.padding == "shift" \
            else (before, options.extent - 1 - before)
    try:
        found = stray_reach(runner(asked, case), case.arrays, reach,
                            heads=case.operation in ("local_attention", "relative_logits"))
    except NoResult:
        return []
    return [f"{case.operation}: {words}" for words in found]
