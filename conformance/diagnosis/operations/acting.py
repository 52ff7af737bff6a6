"""Where a deviation of attention over a window may act, and short ways to write one down."""

from collections.abc import Callable
from typing import Any

from sasakit.reference import AttentionOptions

from ...case import Case
from ...report import Deviation
from ..choices import DEVIATIONS
from .twist import Twist, always

Acts = Callable[[Case], bool]


def say(name: str, clause: str, sentence: str, acts: Acts = always, asked: str = "",
        **changes: Any) -> Twist:
    """A deviation by its name, its clause, what is computed, and the fields that it changes."""
    return Twist(Deviation(name, clause, sentence), changes, acts, asked)


def known(choice: tuple[str, Any], acts: Acts, asked: str = "", **changes: Any) -> Twist:
    """A deviation that a module may have too, by the same name and in the same words."""
    return Twist(DEVIATIONS[choice], changes or dict([choice]), acts, asked)


def asked_for(**wanted: Any) -> Acts:
    """Cases whose options have these values."""
    return lambda case: all(getattr(case.options, name) == value
                            for name, value in wanted.items())


def both(one: Acts, other: Acts) -> Acts:
    """Cases of which both say that it may act."""
    return lambda case: one(case) and other(case)


def extent_is(rest: int) -> Acts:
    """Cases of odd extents (1) or even ones (0)."""
    return lambda case: isinstance(case.options, AttentionOptions) \
        and case.options.extent % 2 == rest


def _any(case: Case, *names: str) -> bool:
    return any(case.arrays.get(name) is not None and bool(case.arrays[name].any())
               for name in names)


def relative_acts(case: Case) -> bool:
    """Whether there are relative logits that are not zero."""
    asked = getattr(case.options, "position", "") == "relative"
    return asked and _any(case, "rel_row", "rel_col")


def absolute_acts(case: Case) -> bool:
    """Whether there is an absolute embedding."""
    return getattr(case.options, "position", "") == "absolute"


def content_acts(case: Case) -> bool:
    """Whether there is content and a key that is not zero."""
    return bool(getattr(case.options, "content", True)) and _any(case, "key", "w_key")


def position_acts(case: Case) -> bool:
    """Whether there is a position's term."""
    return relative_acts(case) or absolute_acts(case)


def has_keys(case: Case) -> bool:
    """Whether there is content, be its keys zero."""
    return bool(getattr(case.options, "content", True))


def logits_act(case: Case) -> bool:
    """Whether there is any term of the logit."""
    return content_acts(case) or relative_acts(case) or absolute_acts(case)
