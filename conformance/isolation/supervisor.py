"""The first process of a child: it starts the one that runs foreign code, and outlives it.

Whatever that one starts and leaves behind becomes this one's child, so that nothing is lost; when
it ends, or when the kit lets go of the control pipe, dead or alive, all of them are killed.
"""

import json
import os
import select
import signal
import traceback
from collections.abc import Callable
from typing import NoReturn

from .processes import (
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
    control,
    kill,
    kill_descendants,
)

POLL_SECONDS = 0.2


def supervise(control_fd: int, status_fd: int, work: Callable[[], None]) -> NoReturn:
    """Run `work` in a process of its own and tell how it ended, in JSON on the status pipe.

    control_fd  read end of a pipe that the kit closes, and never writes, to end everything
    """
    control(PR_SET_CHILD_SUBREAPER, 1)
    own = os.getpid()
    worker = os.fork()
    if worker == 0:
        os.close(control_fd)
        os.close(status_fd)
        control(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != own:
            os._exit(1)
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Only the worker may hold the other pipes: their end tells the kit that it is gone.
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    keep = {0, 1, 2, control_fd, status_fd}
    for descriptor in set(map(int, os.listdir("/dev/fd"))) - keep:
        try:
            os.close(descriptor)
        except OSError:
            continue
    status = _wait(worker, control_fd)
    kill_descendants(own)
    os.write(status_fd, json.dumps(status).encode())
    os._exit(0)


def _wait(worker: int, control_fd: int) -> dict[str, int]:
    watched = [control_fd]
    if hasattr(os, "pidfd_open"):
        watched.append(os.pidfd_open(worker))
    while True:
        ready, _, _ = select.select(watched, [], [], POLL_SECONDS)
        try:
            pid, status = os.waitpid(worker, os.WNOHANG)
        except ChildProcessError:
            return {"exit": 0}
        if pid == worker:
            return {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) \
                else {"exit": os.WEXITSTATUS(status)}
        if control_fd in ready:
            kill(worker)
            os.waitpid(worker, 0)
            return {"ended": 0}
