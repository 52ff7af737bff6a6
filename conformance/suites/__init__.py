"""The suites, one file per chapter; importing them registers their properties."""

from . import (  # noqa: F401
    attention,
    gradients,
    invalid,
    mixture,
    networks,
    numerics,
    padding,
    position,
    relative,
    stems,
    window,
)
