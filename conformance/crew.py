"""Who answers tasks: this process, or several others, each with the target to itself."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Protocol

from .isolation.child import END_SECONDS, THREADS
from .target import Target
from .task import Found, Task, answer
from .verdict import Verdict

# How many tasks may be begun before it is their turn, for each process.
AHEAD = 4
# A process starts in about the time that so many tasks take.
LEAST_TASKS = 12
# How many processes may end by themselves before no more are started.
RESTARTS = 3


class Crew(Protocol):
    """Answers tasks.

    trouble  why it cannot any more; None while it can
    """

    trouble: str | None

    def found(self, tasks: Sequence[Task], failed: frozenset[str]) -> Found:
        """What the first task gives; those after it may be begun meanwhile.

        failed  the rungs that are known not to hold
        """
        ...


class Alone:
    """Nobody else: one task after the other in this process."""

    trouble: str | None = None

    def __init__(self, target: Target) -> None:
        self._target = target

    def __enter__(self) -> "Alone":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""

    def found(self, tasks: Sequence[Task], failed: frozenset[str]) -> Found:
        """What the first task gives."""
        return answer(tasks[0], self._target, failed)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C wait until the process that is being started is known, and ended with the rest."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        signal.raise_signal(signal.SIGINT)


class _Worker:
    """One process, and the task that it has."""

    def __init__(self, make: Callable[[], Target], threads: int) -> None:
        self.connection, theirs = Pipe()
        # Not by multiprocessing, which runs the user's own script again in every process. -P: what
        # lies in the current folder must not stand in for the worker's own imports.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.crew_worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={**os.environ, **dict.fromkeys(THREADS, str(threads))})
        theirs.close()
        self.task: Task | None = None
        self.failed: frozenset[str] = frozenset()
        with suppress(OSError):
            self.connection.send(make)

    def begin(self, task: Task, failed: frozenset[str]) -> None:
        """Send a task; a process that is gone is found out when its answer is awaited."""
        self.task, self.failed = task, failed
        with suppress(OSError):
            self.connection.send((task, failed))

    def end(self) -> None:
        """End the process at once; a child of its own ends when its pipes do."""
        self.process.kill()
        self.process.wait()
        self.connection.close()


class Processes:
    """Several processes, each with a target of its own, asked ahead of the task that is awaited."""

    def __init__(self, target: Target, make: Callable[[], Target], number: int) -> None:
        self.trouble: str | None = None
        self._target, self._make, self._number = target, make, number
        self._workers: list[_Worker] = []
        # What was found, and which rungs were known to fail when it was asked.
        self._done: dict[Task, tuple[Found, frozenset[str]]] = {}
        self._ended = 0

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them, whatever they do."""
        for worker in self._workers:
            worker.end()

    def found(self, tasks: Sequence[Task], failed: frozenset[str]) -> Found:
        """What the first task gives; as many as there are processes are begun meanwhile."""
        while True:
            if tasks[0] in self._done:
                found, knew = self._done.pop(tasks[0])
                if not (failed - knew) & found.rested:
                    self._take_over(found)
                    return found
            self._begin(tasks[:AHEAD * self._number], failed)
            self._collect()

    def _begin(self, tasks: Sequence[Task], failed: frozenset[str]) -> None:
        """Give a task to every process that has none, the first one first."""
        taken = {worker.task for worker in self._workers}
        for task in tasks:
            if task in self._done or task in taken:
                continue
            free = next((worker for worker in self._workers if worker.task is None), None)
            if free is None and len(self._workers) < self._number:
                with _undisturbed():
                    free = _Worker(self._make, max(1, cores() // self._number))
                    self._workers.append(free)
            if free is None:
                return
            free.begin(task, failed)

    def _collect(self) -> None:
        """Wait until some process has answered, or is gone."""
        busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
        for ready in wait(list(busy)):
            worker = busy[ready]  # type: ignore[index]
            if worker.task is None:
                continue
            try:
                got = worker.connection.recv()
            except (EOFError, OSError):
                got = self._lost(worker, worker.task)
            if isinstance(got, str):
                raise RuntimeError(got)
            self._done[worker.task] = got, worker.failed
            worker.task = None

    def _lost(self, worker: _Worker, task: Task) -> Found:
        """The verdict on a task whose process has ended; another will take its place."""
        self._workers.remove(worker)
        # It has let go of its pipe, and may need a moment more to end.
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(END_SECONDS)
        worker.end()
        status = worker.process.returncode
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 \
            else f"ended with status {status}"
        self._ended += 1
        reason = f"could not be judged: the process that judged it {how}."
        if self._ended > RESTARTS:
            self.trouble = f"could not be judged: {self._ended} processes that judged it ended; " \
                           f"the last {how}."
        return Found(Verdict(self._target.name, task.prop[0], reason=reason))

    def _take_over(self, found: Found) -> None:
        """Count here what happened to the target there."""
        take_over = getattr(self._target, "take_over", None)
        if take_over is not None:
            take_over(found.losses, found.trouble)


def crew_of(target: Target, number: int) -> Alone | Processes:
    """So many processes, where the target can be made there; this one where it cannot."""
    make: Callable[[], Target] | None = getattr(target, "elsewhere", None)
    return Alone(target) if make is None or number < 2 else Processes(target, make, number)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
