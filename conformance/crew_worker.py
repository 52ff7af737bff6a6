"""A process that answers tasks, started by crew.py with the number of its end of a pipe."""

import signal
import sys
import traceback
from multiprocessing.connection import Connection

from .isolation.processes import PR_SET_PDEATHSIG, control
from .target import Target
from .task import Found, Task, answer


def main() -> None:
    """Make the target, then answer one task after the other until the pipe ends."""
    # Ctrl-C is the parent's to answer, which ends its processes; so does its own end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control(PR_SET_PDEATHSIG, signal.SIGKILL)
    connection = Connection(int(sys.argv[1]))
    try:
        target = connection.recv()()
        while True:
            task, failed = connection.recv()
            connection.send(_answered(task, failed, target))
    except (EOFError, BrokenPipeError):
        return


def _answered(task: Task, failed: frozenset[str], target: Target) -> Found | str:
    """What the target gives for a task; the trace of an error of the kit's own."""
    known = len(getattr(target, "losses", ()))
    try:
        found = answer(task, target, failed)
    except Exception:
        return traceback.format_exc()
    found.losses = tuple(getattr(target, "losses", ())[known:])
    return found


if __name__ == "__main__":
    main()
