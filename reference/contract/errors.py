"""The wording of every input error: the argument first, the rule, then what was given (INV-1)."""

import sys


def broken(name: str, rule: str, got: object) -> str:
    """Text of one error: "`extent` must be at least 1; got 0."."""
    return f"`{name}` must {rule}; got {got}."


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not one of the allowed names.

    Raises ValueError.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(broken(name, f"be one of {', '.join(allowed)}", repr(value)))


def whole_number(name: str, value: object, *, least: int = 1) -> None:
    """Refuse a value that is not an integer of at least `least`; booleans are not integers here.

    Raises TypeError for the type, ValueError for the range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(broken(name, "be an integer", repr(value)))
    if value < least:
        raise ValueError(broken(name, f"be at least {least}", value))


def true_or_false(name: str, value: object) -> None:
    """Refuse a value that is not a bool. Raises TypeError."""
    if not isinstance(value, bool):
        raise TypeError(broken(name, "be True or False", repr(value)))


def finite_number(name: str, value: object) -> None:
    """Refuse a value that is not a finite real number. Raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(broken(name, "be a number", repr(value)))
    if value != value or abs(value) > sys.float_info.max:
        got = value if isinstance(value, float) else "a larger integer"
        raise ValueError(broken(name, "be finite in float64", got))
