"""Which processes descend from one, and their end. Reads /proc; without one, it finds none."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def children(pid: int) -> list[int]:
    """Living children of a process, whichever of its threads started them."""
    found: list[int] = []
    try:
        for task in os.listdir(PROC / str(pid) / "task"):
            text = (PROC / str(pid) / "task" / task / "children").read_text("ascii")
            found += [int(child) for child in text.split()]
    except OSError:
        # Not every kernel lists children; every one names a process's parent.
        return [child for child, parent, _ in _table() if parent == pid]
    return found


def _table() -> Iterator[tuple[int, int, int]]:
    """Process, parent and session of every process."""
    if not PROC.is_dir():
        return
    for name in os.listdir(PROC):
        with suppress(OSError, ValueError, IndexError):
            after_name = (PROC / name / "stat").read_text("utf-8", "replace").rpartition(")")[2]
            _, parent, _, session = after_name.split()[:4]
            yield int(name), int(parent), int(session)


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in children(waiting.pop()):
            if child not in found:
                found.append(child)
                waiting.append(child)
    return found


def kill(pid: int) -> None:
    """End one process at once; one that is gone already is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def kill_descendants(pid: int, seconds: float = 5.0) -> None:
    """End all that descend from this process, which goes on, and all that they start meanwhile.

    Stopped before they are killed, or one might start another while the next is looked for.
    """
    deadline = time.monotonic() + seconds
    while (alive := living_descendants(pid)) and time.monotonic() < deadline:
        for child in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGSTOP)
        for child in alive:
            kill(child)
        time.sleep(0.002)
        reap()


def living_descendants(pid: int) -> list[int]:
    """Descendants that have not ended."""
    return [child for child in descendants(pid) if not _is_dead(child)]


def kill_session(session: int) -> None:
    """End every process of a session; the last resort, when its supervisor is gone."""
    for pid, _, of in _table():
        if of == session:
            kill(pid)


def _is_dead(pid: int) -> bool:
    """Whether a process has ended, though its parent may not have asked yet."""
    try:
        state = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2]
    except OSError:
        return True
    return state.split()[0] in ("Z", "X")


def reap() -> None:
    """Take note of children that have ended, so that they leave the table of processes."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def control(option: int, value: int) -> None:
    """Linux's prctl; nothing elsewhere."""
    import ctypes
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
