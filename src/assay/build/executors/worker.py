"""One process that runs tasks, seen from its parent: started when first needed, and again after it died.

A message is its length in eight bytes and then its bytes. To the worker: `sys.path` where it changed, pickled, and the
pickled call. From it: a pickled dictionary that says how the task ended, and the pickled result, which may be empty.
"""

import contextlib
import fcntl
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.build.executors import child
from assay.build.executors.executor import Outcome
from assay.build.executors.log_ends import LogEnds
from assay.build.executors.losses import lost, out_of_memory_kills
from assay.build.executors.sending import arrived
from assay.errors import WorkerLost

__all__ = ["Call", "Worker"]

_LENGTH = struct.Struct("<Q")
_PIPE_BYTES = 1 << 16
_DYING_S = 2.0  # from the closing of its socket to the end of a process that dies


@dataclass(slots=True)
class Call:
    """A task as a worker gets it; `is_dropped` once nobody wants it any more."""

    name: str
    pickled: bytes
    is_dropped: bool = False


class Worker:
    """Runs one task at a time, in one thread; `drop` may be called from another."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: _Process | None = None
        self._lock = threading.Lock()

    def run(self, call: Call) -> Outcome:
        """Run a call and wait for it; `lost` where the process dies, and the next call starts another."""
        with self._lock:
            if call.is_dropped:
                return Outcome(error=WorkerLost(f"task {call.name!r} was cancelled"), lost=True)
            try:
                if self._process is None or self._process.has_ended():
                    self._end()
                    self._process = _Process(self._environment)
            except OSError as error:
                return Outcome(error=WorkerLost(f"task {call.name!r}: no worker can be started: {error}"), lost=True)
            process = self._process
        log = LogEnds()
        place = f"process {process.pid}"
        answer = process.ask(call.pickled, log)
        if answer is None:
            with self._lock:
                died = lost(call.name, self._end(), is_memory_short=process.is_memory_short())
            return Outcome(error=died, lost=True, log=log.text(), worker=place)
        said, result = answer
        value, failure = arrived(call.name, place, said, result)
        return Outcome(
            value=value,
            error=failure,
            log=log.text(),
            worker=place,
            seconds=said["seconds"],
            cpu_s=said["cpu_s"],
            memory_mb=said["memory_mb"],
        )

    def drop(self, call: Call) -> None:
        """Kill the process, with all that it started, so that this call ends or never begins."""
        with self._lock:
            call.is_dropped = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _end(self) -> int | None:
        process, self._process = self._process, None
        return process.end() if process is not None else None


class _Process:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        watched, self._lifeline = os.pipe()
        self._log, output = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 # this interpreter and a file of ours
                [sys.executable, "-P", *_flags(), child.__file__, str(theirs.fileno()), str(watched)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(), watched),
                env=environment,
                start_new_session=True,  # a group of its own: killed whole, and no Ctrl-C from the terminal
            )
        except OSError:
            for descriptor in (self._lifeline, self._log):
                os.close(descriptor)
            self._control.close()
            raise
        finally:
            theirs.close()
            os.close(watched)
            os.close(output)
        self.pid = self._process.pid
        self._is_killed = False
        self._is_log_open = True
        self._kills_before = out_of_memory_kills()
        self._path: list[str] | None = None  # its sys.path
        os.set_blocking(self._log, False)
        self._exit = os.pidfd_open(self.pid)
        self._poll = select.poll()
        for descriptor in (self._control.fileno(), self._log, self._exit):
            self._poll.register(descriptor, select.POLLIN)

    def ask(self, call: bytes, log: LogEnds) -> tuple[dict[str, Any], bytearray] | None:
        """Send a call and give the two messages that answer it; None where the process ends before."""
        path = sys.path if sys.path != self._path else None
        head = pickle.dumps(path)
        self._path = list(sys.path)
        inbox = _Inbox()
        try:
            self._control.sendall(_LENGTH.pack(len(head)) + head + _LENGTH.pack(len(call)))
            self._control.sendall(call)
            while len(inbox.messages) < 2:
                ready = {descriptor for descriptor, _ in self._poll.poll()}
                if self._log in ready:
                    self._read_log(log, _PIPE_BYTES)
                if self._control.fileno() in ready:
                    inbox.read(self._control)
                elif self._exit in ready:
                    break
        except OSError:  # it dies, or the task has closed what it should not
            select.select([self._exit], [], [], _DYING_S)
        self._drain(log)
        if len(inbox.messages) < 2:
            return None
        said, result = inbox.messages
        return pickle.loads(said), result  # noqa: S301 # from a worker of our own

    def has_ended(self) -> bool:
        """True where it has died or will at once."""
        return self._is_killed or bool(select.select([self._exit], [], [], 0)[0])

    def is_memory_short(self) -> bool:
        """True where the kernel has killed something since this process began, because memory ran out."""
        now = out_of_memory_kills()
        return now is not None and self._kills_before is not None and now > self._kills_before

    def kill(self) -> None:
        """Kill it and all that it started."""
        self._is_killed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill what is left of it; its status as `subprocess` tells it."""
        self.kill()  # before its number is given up
        status = self._process.wait()
        for descriptor in (self._lifeline, self._log, self._exit):
            os.close(descriptor)
        self._control.close()
        return status

    def _drain(self, log: LogEnds) -> None:
        """Read what is in the pipe now, and not what others may go on to write."""
        left = int.from_bytes(fcntl.ioctl(self._log, termios.FIONREAD, bytes(4)), sys.byteorder)
        while left > 0 and (got := self._read_log(log, left)):
            left -= got

    def _read_log(self, log: LogEnds, at_most: int) -> int:
        try:
            data = os.read(self._log, at_most)
        except BlockingIOError:
            return 0
        if not data and self._is_log_open:  # closed by the task; poll would tell it for ever
            self._poll.unregister(self._log)
            self._is_log_open = False
        log.add(data)
        return len(data)


class _Inbox:
    """Messages as they come in pieces."""

    def __init__(self) -> None:
        self.messages: list[bytearray] = []
        self._next = bytearray(_LENGTH.size)
        self._filled = 0
        self._is_length = True

    def read(self, control: socket.socket) -> None:
        """Take a piece; OSError where the other end is closed."""
        got = control.recv_into(memoryview(self._next)[self._filled :])
        if not got:
            raise ConnectionResetError
        self._filled += got
        while self._filled == len(self._next):
            if self._is_length:
                self._next = bytearray(*_LENGTH.unpack(self._next))
            else:
                self.messages.append(self._next)
                self._next = bytearray(_LENGTH.size)
            self._filled = 0
            self._is_length = not self._is_length
            if len(self.messages) == 2:
                return


def _flags() -> list[str]:
    """This interpreter's own: warnings, optimisation, development mode."""
    return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined,no-any-return] # as multiprocessing does
