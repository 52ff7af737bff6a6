"""A target that lives in a child process: the kit keeps the cases, the child only computes."""

import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..case import UPSTREAM, Case, asked_name
from ..estimate import Array
from ..offer import MODULE_PARAMETERS, NAMED_RESULTS, Offer, read_offer
from ..profiles import Profile
from ..target import native_arrays
from .child import Child, Limits
from .failure import OutOfTime, TargetFailure, read_failure
from .frames import decode_arrays, encode_case

# A result is no larger than so many times its inputs: extent * extent logits for a query.
MOST_GROWTH = 64
LEAST_ROOM = 1 << 20
# Parameters are as large as they are; nothing of their size is sent to ask for them.
MOST_PARAMETERS = 1 << 30
# What a child may tell of and be asked again.
GOES_ON = ("exception", "bad answer")


@dataclass(frozen=True)
class Answer:
    """One result as the child gave it: its numbers, and the dtype that it says they have."""

    array: Array
    dtype: str


class IsolatedTarget:
    """Runs every case in a child process; whatever happens there is a TargetFailure here.

    description  what `doors.load_described` takes, in JSON's types
    losses       what happened whenever its process was lost
    """

    def __init__(self, name: str, description: Mapping[str, Any],
                 limits: Limits | None = None) -> None:
        self.name = name
        self.description = description
        self._limits = limits or Limits()
        self._child: Child | None = None
        self._offer: Offer | None = None
        self._given_up: TargetFailure | None = None
        self.losses: list[str] = []
        self._asked = 0
        self._end: float | None = None

    def __enter__(self) -> "IsolatedTarget":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, if one runs."""
        if self._child is not None:
            self._child.end()
            self._child = None

    @property
    def trouble(self) -> str | None:
        """Why it cannot be judged, or not any more; None while it can. Starts the child."""
        if self._offer is None and self._given_up is None:
            try:
                self._running()
            except TargetFailure as failure:
                self._given_up = TargetFailure("crash", str(failure))
        return None if self._given_up is None else self._given_up.text

    @property
    def offer(self) -> Offer:
        """What it offers. Raises TargetFailure where it cannot be started."""
        trouble = self.trouble
        if self._offer is None:
            raise TargetFailure("crash", f"{trouble}")
        return self._offer

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Types of the arrays that it takes."""
        return tuple(self.offer.profiles)

    def profile(self, dtype: str) -> Profile:
        """How it says that it rounds."""
        return self.offer.profiles[dtype]

    def native(self, case: Case) -> dict[str, Any]:
        """The case's arrays; the child makes its own, laid out as the case asks."""
        return native_arrays(case, lambda array, dtype=None: array.copy())

    def read(self, result: Any) -> Array:
        """The numbers of a result, or an input as it is."""
        return result.array if isinstance(result, Answer) else np.asarray(result)

    def result_dtype(self, result: Any) -> str:
        """The dtype that the result had in the child."""
        return result.dtype if isinstance(result, Answer) else str(result.dtype)

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """Ask the child; an input that it changed is changed in `arrays` too."""
        child = self._running()
        what = f"in {asked_name(case)}"
        header, data = self._exchange(child, case, what)
        if "failure" in header:
            told = read_failure(header["failure"])
            if told.kind not in GOES_ON:
                told.text += child.last_output()
                self._lose(told)
            raise told
        return _results(case, header, decode_arrays(header, data), arrays)

    @property
    def has_gradients(self) -> bool:
        """Whether it offers the gradients of some operation."""
        return bool(self.offer.gradients)

    def gradients(self, case: Case, arrays: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
        """Ask the child for the gradients of the case, which carries its upstream gradient."""
        found: dict[str, Any] = self.call(case, {**arrays, UPSTREAM: upstream})
        return found

    @property
    def command_words(self) -> tuple[str, ...]:
        """What the command line calls it, options and limits included."""
        description, limits = self.description, self._limits
        words = ["--process", str(description["command"])] if description["door"] == "process" \
            else [str(description["spec"])]
        words += ["--operation", str(description["operation"])] \
            if description.get("operation") else []
        words += ["--tensors"] if description.get("tensors") else []
        for name, value in description.get("arguments", {}).items():
            words += ["--arg", f"{name}={value}"]
        usual = Limits()
        words += ["--time-limit", f"{limits.seconds:g}"] if limits.seconds != usual.seconds else []
        words += ["--memory-limit", f"{limits.memory / 2**30:g}"] \
            if limits.memory != usual.memory else []
        return tuple(words)

    def _exchange(self, child: Child, case: Case, what: str) -> tuple[dict[str, Any], bytes]:
        """The child's reply to one case."""
        self._asked += 1
        frame = encode_case(case, self._asked)
        room = MOST_PARAMETERS if case.operation == MODULE_PARAMETERS else LEAST_ROOM
        most = room + MOST_GROWTH * len(frame)
        left = self._seconds_left()
        try:
            header, data = child.ask(frame, min(self._limits.seconds, left), most, what)
            if header.get("id") != self._asked:
                raise TargetFailure("bad answer", f"an answer to another case, {what}.")
        except TargetFailure as failure:
            if failure.kind == "hang" and left < self._limits.seconds:
                raise self._out_of_time() from None
            self._lose(failure)
            raise
        return header, data

    def _running(self) -> Child:
        if self._given_up is not None:
            raise self._given_up
        if self._end is None:
            self._end = time.monotonic() + self._limits.total
        if self._seconds_left() <= 0:
            raise self._out_of_time()
        if self._child is None:
            child = Child(self.description, self._limits)
            weakref.finalize(self, child.end)
            hello = child.hello()
            failure = read_failure(hello["failure"]) if "failure" in hello else None
            if failure is None:
                try:
                    self._offer = read_offer(hello)
                except (ValueError, TypeError) as error:
                    failure = TargetFailure("bad answer", str(error))
            if failure is not None:
                child.end()
                raise failure
            self._child = child
        return self._child

    def _seconds_left(self) -> float:
        return self._limits.total if self._end is None else self._end - time.monotonic()

    def _out_of_time(self) -> TargetFailure:
        """The end of all that it may take; who is cut short by it is not to blame."""
        self.close()
        self._given_up = OutOfTime(f"out of time: all of its {self._limits.total:g} s are spent.")
        return self._given_up

    def _lose(self, failure: TargetFailure) -> None:
        self.close()
        failure.lost = True
        self._count(str(failure))

    def _count(self, loss: str) -> None:
        self.losses.append(loss)
        if len(self.losses) > self._limits.restarts:
            self._given_up = TargetFailure(
                "crash", f"given up after {len(self.losses)} failures, the last: {loss}")

    @property
    def elsewhere(self) -> "Callable[[], IsolatedTarget]":
        """What makes the same target in another process; `take_over` counts its losses here."""
        return partial(_elsewhere, self.name, self.description, self._limits, self._end)

    def take_over(self, losses: Sequence[str], trouble: str | None) -> None:
        """Take note of what happened to the same target in another process.

        trouble  why it could not be asked there any more
        """
        for loss in losses:
            self._count(loss)
        if trouble is not None and self._given_up is None:
            self._given_up = OutOfTime(trouble)


def _elsewhere(name: str, description: Mapping[str, Any], limits: Limits,
               end: float | None) -> IsolatedTarget:
    """The same target with the same end, which is never given up for its losses."""
    target = IsolatedTarget(name, description, replace(limits, restarts=sys.maxsize))
    target._end = end
    return target


def _results(case: Case, header: Mapping[str, Any], decoded: list[Array | None],
             arrays: Mapping[str, Any]) -> Any:
    """The results of a reply, checked; the inputs that changed are written back."""
    match header:
        case {"names": names, "dtypes": [*dtypes], "changed": [*changed]} if (
                (names is None and len(dtypes) == 1)
                or (isinstance(names, list) and len(names) == len(dtypes))):
            wanted = len(dtypes) + len(changed)
        case _:
            wanted = -1
    whole = [array for array in decoded if array is not None]
    if wanted != len(whole) or len(whole) != len(decoded) or not all(map(_fits, whole, dtypes)):
        raise TargetFailure("bad answer", f"the reply has no form that is known, "
                                          f"in {asked_name(case)}.")
    for name, after in zip(changed, whole[len(dtypes):], strict=True):
        if isinstance(name, str) and arrays.get(name) is not None \
                and arrays[name].shape == after.shape:
            arrays[name][...] = after
    answers = list(map(Answer, whole, dtypes))
    named = case.operation in NAMED_RESULTS or UPSTREAM in case.arrays
    if named != (names is not None):
        raise TargetFailure("bad answer", f"{asked_name(case)} returned "
                                          f"{'no ' if named else ''}results by name.")
    return dict(zip(map(str, names), answers, strict=False)) if named else answers[0]


def _fits(array: Array, dtype: object) -> bool:
    """Whether an array may have been sent for a result of this dtype."""
    return dtype == array.dtype.name or (dtype == "bfloat16" and array.dtype.name == "float32")


