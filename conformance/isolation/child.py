"""One child process, seen from the kit: started, asked, ended; nothing in it can stop the kit."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .failure import TargetFailure
from .frames import MOST_HEADER, BadFrame, decode_header
from .processes import kill_session, living_descendants

CHUNK = 1 << 16
KEPT_OUTPUT = 1 << 15
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
              "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS", "NUMBA_NUM_THREADS")
LOOK_SECONDS = 0.1
END_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """What one child may use.

    seconds    for one answer, by the clock and of computing
    starting   seconds to start and load
    memory     bytes of address space of each process; 0 for no limit
    output     bytes that it may print during one answer
    processes  how many of them may live at once
    restarts   how often it is started again after it has crashed or hung
    total      seconds for all that it is asked, from its first start
    """

    seconds: float = 20.0
    starting: float = 60.0
    memory: int = 8 << 30
    output: int = 8 << 20
    processes: int = 16
    restarts: int = 3
    total: float = 1800.0


class Child:
    """A running worker. Every failure is a TargetFailure."""

    def __init__(self, description: Mapping[str, Any], limits: Limits) -> None:
        self.limits = limits
        self._kept = b""
        request_read, self._request = os.pipe()
        self._reply, reply_write = os.pipe()
        control_read, self._control = os.pipe()
        self._status, status_write = os.pipe()
        self._output, output_write = os.pipe()
        theirs = (request_read, reply_write, control_read, status_write)
        given = {"request": request_read, "reply": reply_write, "control": control_read,
                 "status": status_write, "memory": limits.memory, "seconds": limits.seconds,
                 "description": dict(description)}
        try:
            # -P: what lies in the current folder must not stand in for the worker's own imports.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-X", "faulthandler", "-m",
                 "sasakit.conformance.isolation.worker", json.dumps(given)],
                pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=output_write,
                stderr=output_write, start_new_session=True,
                env={**os.environ, **dict.fromkeys(THREADS, "1")})
        finally:
            for descriptor in (*theirs, output_write):
                os.close(descriptor)
        for descriptor in (self._request, self._reply, self._output):
            os.set_blocking(descriptor, False)

    def hello(self) -> dict[str, Any]:
        """What the worker says once it has loaded its target."""
        return self.ask(b"", self.limits.starting, MOST_HEADER, "starting")[0]

    def ask(self, frame: bytes, seconds: float, most: int,
            what: str) -> tuple[dict[str, Any], bytes]:
        """Header and bytes of the next reply, after sending a frame. Raises TargetFailure.

        most  bytes that the reply's arrays may have
        what  for the failure's text: during which operation
        """
        pending, got, printed = memoryview(frame), bytearray(), 0
        header: tuple[dict[str, Any], int, int] | None = None
        deadline = time.monotonic() + seconds
        looked = time.monotonic()
        while header is None or len(got) < header[2]:
            now = time.monotonic()
            if now > deadline:
                raise self._failure("hang", f"no answer within {seconds:g} s, {what}.")
            if now - looked > LOOK_SECONDS:
                self._count_processes(what)
                looked = now
            readable, writable, _ = select.select(
                [self._reply, self._output, self._status], [self._request] if pending else [], [],
                min(LOOK_SECONDS, deadline - now))
            if self._output in readable:
                printed += self._keep_output()
                if printed > self.limits.output:
                    raise self._failure("endless output",
                                        f"more than {self.limits.output} bytes, {what}.")
            if writable:
                pending = self._send(pending)
            if self._reply in readable:
                got += self._receive(what)
                header = header or self._header(got, most, what)
            elif self._status in readable:
                # The supervisor has spoken or is gone, whoever else may hold the reply's pipe.
                raise self._ended(what)
        if len(got) > header[2]:
            raise self._failure("bad answer", f"bytes that nobody asked for, {what}.")
        self._count_processes(what)
        return header[0], bytes(got[header[1]:])

    def _send(self, pending: memoryview) -> memoryview:
        try:
            return pending[os.write(self._request, pending):]
        except BlockingIOError:
            return pending
        except BrokenPipeError:
            # The worker is gone; the reply's end says so.
            return pending[:0]

    def _receive(self, what: str) -> bytes:
        chunk = os.read(self._reply, CHUNK)
        if not chunk:
            raise self._ended(what)
        return chunk

    def _header(self, got: bytearray, most: int,
                what: str) -> tuple[dict[str, Any], int, int] | None:
        """Header, where the arrays begin, where they end; None until its line is whole."""
        end = got.find(b"\n")
        try:
            if end < 0 and len(got) <= MOST_HEADER:
                return None
            header, size = decode_header(bytes(got[:end] if end >= 0 else got[:200]))
        except BadFrame as error:
            raise self._failure("bad answer", f"{error}, {what}.") from None
        if size > most:
            raise self._failure("bad answer", f"{size} bytes of arrays, {what}.")
        return header, end + 1, end + 1 + size

    def _keep_output(self) -> int:
        try:
            chunk = os.read(self._output, CHUNK)
        except BlockingIOError:
            return 0
        self._kept = (self._kept + chunk)[-KEPT_OUTPUT:]
        # An end of output is no output; without the pause it would be reported without end.
        if not chunk:
            time.sleep(0.001)
        return len(chunk)

    def _count_processes(self, what: str) -> None:
        count = len(living_descendants(self._process.pid))
        if count > self.limits.processes:
            raise self._failure("fork", f"{count} processes at once, {what}; "
                                        f"{self.limits.processes} are allowed.")

    def _ended(self, what: str) -> TargetFailure:
        """The worker has let go of its pipe: how did it end?"""
        readable, _, _ = select.select([self._status], [], [], END_SECONDS)
        status: dict[str, int] = {}
        with suppress(ValueError):
            status = json.loads(os.read(self._status, CHUNK)) if readable else {}
        match status:
            case {"signal": int(number)} if number == signal.SIGXCPU:
                return self._failure("hang", f"computed for more than {self.limits.seconds:g} s, "
                                             f"{what}.")
            case {"signal": int(number)}:
                return self._failure("crash", f"ended by {signal.Signals(number).name}, {what}.")
            case {"exit": int(code)}:
                return self._failure("exit", f"the process ended with status {code}, {what}.")
        return self._failure("crash", f"the process closed its pipe, {what}.")

    def _failure(self, kind: str, text: str) -> TargetFailure:
        text += self.last_output()
        self.end()
        return TargetFailure(kind, text)

    def last_output(self) -> str:
        """The last lines that it has printed, for the text of a failure."""
        for _ in range(KEPT_OUTPUT // CHUNK + 1):
            if not self._keep_output():
                break
        printed = self._kept[-4096:].decode("utf-8", "replace").strip()
        lines = [f"\n| {line[:400]}" for line in printed.splitlines()[-30:]]
        return "".join(["\nIts last output:", *lines]) if lines else ""

    def end(self) -> None:
        """End the process and all that descend from it; a second time does nothing."""
        if self._control < 0:
            return
        with suppress(OSError):
            os.write(self._control, b"x")
        os.close(self._control)
        self._control = -1
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # For the case that the supervisor was killed before it could kill the others.
        if self._process.returncode != 0:
            kill_session(self._process.pid)
        for descriptor in (self._request, self._reply, self._status, self._output):
            os.close(descriptor)
