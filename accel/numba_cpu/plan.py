"""Plans: the kernels of one call and their memory, made once and run again and again.

What builds a plan asks it for buffers, gives back those that nothing later reads, and launches
kernels, which are compiled then and there but only run when the plan does. A run looks nothing up
and allocates nothing.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .arrays import Floats, aligned_zeros, flat
from .jit import compiled_for, run_together
from .locks import ForkSafeLock

MOST = 1 << 28  # bytes


class Input:
    """A flat array that every run is given anew, or a slice of one.

    like  an array of its type
    """

    def __init__(self, number: int, size: int, dtype: np.dtype, part: slice | None = None) -> None:
        self.size, self.dtype, self.like = size, dtype, np.zeros(0, dtype)
        self._number, self._part = number, part

    def __getitem__(self, part: slice) -> "Input":
        start, stop, _ = part.indices(self.size)
        before = 0 if self._part is None else self._part.start
        return Input(self._number, stop - start, self.dtype, slice(before + start, before + stop))

    def among(self, arrays: Sequence[Floats]) -> Floats:
        """What stands for it in a run."""
        array = arrays[self._number]
        return array if self._part is None else array[self._part]


Array = Floats | Input


class Plan:
    """Kernels in order, with their arguments, and the buffers between them."""

    def __init__(self) -> None:
        self.nbytes = 0
        self._inputs = 0
        self._whole: dict[int, Floats] = {}
        self._free: list[Floats] = []
        self._kept: dict[Hashable, Floats] = {}
        self._steps: list[tuple[Any, list[Any], list[tuple[int, Input]]]] = []

    def input(self, like: Floats) -> Input:
        """An array of the runs, in the order that `run` takes them; all are flat like this one."""
        self._inputs += 1
        return Input(self._inputs - 1, like.size, like.dtype)

    def zeros(self, kind: Hashable, size: int, dtype: np.dtype) -> Floats:
        """(size,) zeros, the same for all of a kind, who write in the same places."""
        key = (kind, size, dtype.str)
        if key not in self._kept:
            self._kept[key] = self._new(size, dtype)
        return self._kept[key]

    def buffer(self, size: int, dtype: np.dtype) -> Floats:
        """(size,) numbers, to be written in full before they are read."""
        large = [n for n, free in enumerate(self._free) if free.nbytes >= size * dtype.itemsize]
        if large:
            whole = self._free.pop(min(large, key=lambda n: self._free[n].nbytes))
        else:
            whole = self._new(size, dtype)
            self._whole[whole.ctypes.data] = whole
        return whole.view(dtype)[:size]

    def release(self, buffer: Floats) -> None:
        """Let what is launched from now on use a buffer."""
        self._free.append(self._whole[buffer.ctypes.data])

    def _new(self, size: int, dtype: np.dtype) -> Floats:
        self.nbytes += size * dtype.itemsize
        return aligned_zeros(size, dtype)

    def launch(self, kernel: Callable[..., None], *arguments: Any) -> None:
        """Add a kernel; its outputs are among the arguments."""
        given = [(place, argument) for place, argument in enumerate(arguments)
                 if isinstance(argument, Input)]
        known = [argument.like if isinstance(argument, Input) else argument
                 for argument in arguments]
        self._steps.append((compiled_for(kernel, known), known, given))

    def run(self, *inputs: Floats) -> None:
        """Run every kernel."""
        run_together(self._calls(inputs))

    def run_last(self) -> None:
        """Run the last kernel again, on what a run left in the buffers; no inputs among them."""
        entry, known, _ = self._steps[-1]
        run_together([(entry, known)])

    def _calls(self, inputs: tuple[Floats, ...]) -> Iterator[tuple[Any, list[Any]]]:
        for entry, known, given in self._steps:
            if given:
                known = known.copy()
                for place, argument in given:
                    known[place] = argument.among(inputs)
            yield entry, known


class Plans:
    """Plans that wait for the next call of their kind; a call has its plan to itself.

    most   bytes of them all; the longest unused are forgotten first
    least  of the last call's kind, so many wait whatever their size
    """

    def __init__(self, most: int = MOST, least: int = 0) -> None:
        self._most, self._least = most, least
        self._lock = ForkSafeLock()
        self._waiting: dict[Hashable, list[Plan]] = {}

    @contextmanager
    def plan(self, kind: Hashable, build: Callable[[Plan], None]) -> Iterator[Plan]:
        """A plan of a kind, built where none waits."""
        with self._lock:
            stack = self._waiting.get(kind)
            plan = stack.pop() if stack else None
        if plan is None:
            plan = Plan()
            build(plan)
        yield plan
        # One that failed is forgotten. Put last in the order of use.
        with self._lock:
            self._waiting[kind] = [*self._waiting.pop(kind, []), plan]
            self._forget()

    def run(self, kind: Hashable, build: Callable[..., None],
            arrays: Sequence[Floats | None]) -> None:
        """Run the plan of a call on its arrays, of any shape; the first one is written.

        kind   says everything that a plan of the call depends on
        build  is given a plan, and for every array what stands for it, flat
        """
        given = [None if array is None else flat(array) for array in arrays]

        def build_flat(plan: Plan) -> None:
            build(plan, *(None if array is None else plan.input(array) for array in given))

        with self.plan(kind, build_flat) as plan:
            plan.run(*(array for array in given if array is not None))

    def _forget(self) -> None:
        total = sum(plan.nbytes for stack in self._waiting.values() for plan in stack)
        *_, last = self._waiting
        for kind in list(self._waiting):
            stack, least = self._waiting[kind], self._least if kind == last else 0
            while total > self._most and len(stack) > least:
                total -= stack.pop(0).nbytes
            if not stack:
                del self._waiting[kind]
