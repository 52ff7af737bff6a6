"""Ways in which a foreign module may want its image: how its axes stand, and what goes along.

Nothing here imports torch: an image is anything with its methods.
"""

import inspect
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..diagnosis.instance import Facts

MOST_MESSAGE = 200
LAYOUTS = ("channels first", "channels last", "tokens")
# What modules ask of the sides of an image: nothing, multiples, squares.
FRAMES = (Facts(), Facts(step=4), Facts(step=8), Facts(square=True))


@dataclass(frozen=True)
class Call:
    """One way to call a module.

    layout   one of LAYOUTS
    along    what goes along with the image: "", "height, width", "(height, width)", "itself"
             once or twice
    """

    layout: str
    along: str = ""

    def arguments(self, x: Any) -> tuple[Any, ...]:
        """The arguments of a call with x (batch, height, width, channels)."""
        height, width = x.shape[1:3]
        if self.layout == "channels first":
            x = x.permute(0, 3, 1, 2)
        elif self.layout == "tokens":
            x = x.reshape(x.shape[0], height * width, x.shape[-1])
        x = x.contiguous()
        return {"": (x,), "height, width": (x, height, width),
                "(height, width)": (x, (height, width)), "itself": (x, x),
                "itself twice": (x, x, x)}[self.along]

    def image(self, y: Any, height: int, width: int) -> Any:
        """(batch, rows, cols, channels) of a result; None where it is no such image."""
        if self.layout == "tokens":
            return y.reshape(y.shape[0], height, width, y.shape[-1]) \
                if y.ndim == 3 and y.shape[1] == height * width else None
        if y.ndim != 4:
            return None
        return y.permute(0, 2, 3, 1) if self.layout == "channels first" else y


def calls_of(forward: Callable[..., Any]) -> Iterator[Call]:
    """Ways to call a module, the likeliest first."""
    try:
        needed = [p for p in inspect.signature(forward).parameters.values()
                  if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY,
                                                         p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        needed = []
    along = {2: ("(height, width)", "itself"), 3: ("height, width", "itself twice")}
    for layout in LAYOUTS:
        for extra in along.get(len(needed), ("",)):
            yield Call(layout, extra)


def own_words(error: Exception, module: object) -> str:
    """Type and message of what a module raised, and the line of its own file where it did."""
    try:
        source = inspect.getsourcefile(type(module))
    except (TypeError, OSError):
        source = None
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if frame.filename == source]
    where = f" ({Path(source).name}, line {lines[-1]})" if source and lines else ""
    message = " ".join(str(error).split())
    if len(message) > MOST_MESSAGE:
        message = f"{message[:MOST_MESSAGE]} ..."
    return f"{type(error).__name__}: {message}{where}"
