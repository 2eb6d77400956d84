"""The worker's side on a Ray cluster. It travels there as code, since what Assay a worker has is only checked here.

Only the standard library is imported, and from child.py and log_ends.py what imports nothing else either.
"""

import contextlib
import ctypes
import fcntl
import importlib.metadata
import os
import pickle
import select
import signal
import socket
import sys
import termios
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from assay.build.executors.child import flush_output, run_call
from assay.build.executors.log_ends import LogEnds

__all__ = ["runner", "said_and_result", "versions"]

T = TypeVar("T")

_PIPE_BYTES = 1 << 20


def runner(wanted: dict[str, str]) -> Callable[[bytes, bytes], bytes]:
    """The function that workers run: pickled bytes in and out, since Ray takes longest over anything else.

    In come `sys.path` entries to add, and a pickled call; out come what `run_call` says, its length before it, and the
    pickled result. Nothing runs where versions are not those `wanted`.
    """
    here: dict[str, Any] = {}  # in each process once

    def run_on_ray(head: bytes, call: bytes) -> bytes:
        if not here:
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # docs/decisions/0004
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Ray makes it a SystemExit, which the task seems to raise
            here["place"] = f"{socket.gethostname()}, process {os.getpid()}"
            here["versions"] = versions()
            here["output"] = _Output()
        if here["versions"] != wanted:
            said, value, log = {"stage": "versions", "versions": here["versions"]}, b"", ""
        else:
            sys.path[:0] = [entry for entry in pickle.loads(head) if entry not in sys.path]  # noqa: S301 # the driver's
            (said, value), log = here["output"].of(lambda: run_call(call))
        how = pickle.dumps(said | {"log": log, "worker": here["place"]})
        return len(how).to_bytes(8, "little") + how + value

    return run_on_ray


def said_and_result(message: bytes) -> tuple[dict[str, Any], memoryview]:
    """What a worker sent, taken apart on the driver."""
    begin = 8 + int.from_bytes(message[:8], "little")
    return pickle.loads(message[8:begin]), memoryview(message)[begin:]  # noqa: S301 # from a worker of our own


def versions() -> dict[str, str]:
    """What must be the same on the worker as on the driver, or results could differ unseen."""
    try:
        assay = importlib.metadata.version("assay-mlops")
    except importlib.metadata.PackageNotFoundError:
        assay = "not installed"
    return {"Python": f"{sys.version_info.major}.{sys.version_info.minor}", "assay-mlops": assay}


class _Output:
    """What this process writes to stdout and stderr while a task runs, whoever in it writes; one for each process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._log = LogEnds()
        self._lock = threading.Lock()
        self._reads, self._writes = os.pipe()
        self._usual = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
        with contextlib.suppress(OSError):  # compiled code may write so much while it holds Python's lock
            fcntl.fcntl(self._reads, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        threading.Thread(target=self._watch, name="task-output", daemon=True).start()

    def of(self, work: Callable[[], T]) -> tuple[T, str]:
        """Do it, and give what was written meanwhile."""
        self._log = LogEnds()
        for descriptor, _ in self._usual:
            os.dup2(self._writes, descriptor)
        try:
            result = work()
        finally:
            flush_output(self._library)
            for descriptor, usual in self._usual:
                os.dup2(usual, descriptor)
            self._read()
        return result, self._log.text()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._reads, select.POLLIN)
        while True:
            poll.poll()
            self._read()

    def _read(self) -> None:
        """Take what is in the pipe now, and not what others may go on to write."""
        with self._lock:
            left = int.from_bytes(fcntl.ioctl(self._reads, termios.FIONREAD, bytes(4)), sys.byteorder)
            while left > 0:
                data = os.read(self._reads, min(left, 65536))
                self._log.add(data)
                left -= len(data)
