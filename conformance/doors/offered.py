"""What the targets of every door share: they say what they offer, and take NumPy arrays."""

from typing import Any

from ..case import Case
from ..offer import Offer
from ..profiles import Profile
from ..target import native_arrays


class OfferedTarget:
    """The part of a target that follows from its name and its offer."""

    name: str
    offer: Offer

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Types of the arrays that it takes."""
        return tuple(self.offer.profiles)

    def profile(self, dtype: str) -> Profile:
        """How it says that it rounds."""
        return self.offer.profiles[dtype]

    @property
    def has_gradients(self) -> bool:
        """Whether it offers the gradients of some operation."""
        return bool(self.offer.gradients)

    def close(self) -> None:
        """Let go of what it holds."""

    def native(self, case: Case) -> dict[str, Any]:
        """NumPy arrays."""
        return native_arrays(case, lambda array, dtype=None: array)
