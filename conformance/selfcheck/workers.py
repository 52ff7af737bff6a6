"""Tasks spread over a few processes, each as a kernel's mutant needs it: uncompiled, one thread."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

ENVIRONMENT = {"NUMBA_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


def _prepare() -> None:
    """Run in every process before it imports anything that reads its environment."""
    os.environ |= ENVIRONMENT
    # Ctrl-C is the parent's to answer; it ends its processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes; they see that it is gone."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def spread(work: Callable[[Task], Result], tasks: Sequence[Task],
           processes: int) -> Iterator[tuple[int, Result]]:
    """Every task's place and result, as they are ready.

    work       a function of a module, for it is found by name in the other processes
    processes  how many, at least 1
    Raises what `work` raises; tasks that have not begun are then left.
    """
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _prepare)
    try:
        places = {pool.submit(work, task): place for place, task in enumerate(tasks)}
        for done in as_completed(places):
            yield places[done], done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
