"""The worker's side of a process pool. It is run as a file, in a fresh interpreter: `child.py SOCKET LIFELINE`.

Only the standard library is imported, and nothing of Assay, so that a worker is there in 30 ms. It reads a task from
the socket, runs it in its main thread, and writes how it ended; what the task prints goes to the pipe that stdout and
stderr are. See worker.py for the other side and the form of the messages.
"""

import contextlib
import ctypes
import faulthandler
import fcntl
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, TypeVar

__all__ = ["flush_output", "main", "run_call"]

T = TypeVar("T")

_STREAMS: list[TextIO] = []
_LENGTH = struct.Struct("<Q")


def main() -> None:
    """Work until the socket is closed."""
    _die_with_parent(int(sys.argv[2]))
    control = socket.socket(fileno=int(sys.argv[1]))
    for descriptor in (control.fileno(), int(sys.argv[2])):
        os.set_inheritable(descriptor, False)
    sys.argv = [""]
    faulthandler.enable()  # a crash of compiled code leaves the line of Python that called it in the log
    output = os.dup(1)
    with contextlib.suppress(OSError):  # when memory runs out the kernel should rather take a worker than its parent
        Path("/proc/self/oom_score_adj").write_text("500")
    library = ctypes.CDLL(None)
    while (head := _receive(control)) is not None:
        path, call = pickle.loads(head), _receive(control)  # noqa: S301 # from the parent
        if call is None:
            return
        if path is not None:
            sys.path[:] = path
        _write_to(output)
        said, value = run_call(call)
        flush_output(library)
        how = pickle.dumps(said)
        control.sendall(_LENGTH.pack(len(how)) + how + _LENGTH.pack(len(value)))
        control.sendall(value)
        del call, value


def _write_to(output: int) -> None:
    """Let stdout and stderr lead to the parent, whatever the last task did to them."""
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    if [sys.stdout, sys.stderr] != _STREAMS or any(stream.closed for stream in _STREAMS):
        _STREAMS[:] = [
            open(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115 # it stays
            for descriptor in (1, 2)
        ]
        sys.stdout, sys.stderr = _STREAMS


def run_call(call: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """Run a pickled call; how it ended, and its result pickled. Ray's workers run it too."""
    _forget_peak()
    said: dict[str, Any] = {"stage": "import"}
    value = b""
    began, cpu = time.perf_counter(), _cpu_s()
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 # from the parent
        said["stage"] = "run"
        result = function(*args, **kwargs)
        said["stage"], said["kind"] = "send", type(result).__qualname__
        value = pickle.dumps(result, protocol=5)
        said["stage"] = "done"
    except BaseException as error:  # noqa: BLE001 # the parent decides what it means
        said |= _as_message(error)
    return said | {"seconds": time.perf_counter() - began, "cpu_s": _cpu_s() - cpu, "memory_mb": _peak_mb()}, value


def flush_output(library: ctypes.CDLL) -> None:
    """Write out what Python, and compiled code in the C `library`, still hold for stdout and stderr."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a task may close them
            stream.flush()
    library.fflush(None)


def _as_message(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    shown = "".join(traceback.format_exception(error))
    try:
        pickled = pickle.dumps(error)
    except Exception:  # noqa: BLE001 # then its text has to do
        pickled = b""
    try:
        text = str(error)
    except Exception as failure:  # noqa: BLE001 # its __str__ is the task's code as well
        text = f"its text cannot be had: {failure}"
    return {"error": pickled, "class": f"{kind.__module__}.{kind.__qualname__}", "text": text, "traceback": shown}


def _die_with_parent(lifeline: int) -> None:
    """Let the kernel kill this process and all that it starts when the other end of the pipe is closed.

    Nothing is ever written to it: it closes when the parent ends, however it ends. A thread that watched it would wait
    for code that holds Python's lock.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        os.read(lifeline, 1)
    except BlockingIOError:
        return
    os._exit(0)  # it was closed before


def _receive(control: socket.socket) -> bytearray | None:
    """The next message; None where the parent is gone."""
    length = _exactly(control, _LENGTH.size)
    return None if length is None else _exactly(control, *_LENGTH.unpack(length))


def _exactly(control: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = control.recv_into(view)
        if not got:
            return None
        view = view[got:]
    return data


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _forget_peak() -> None:
    with contextlib.suppress(OSError):  # then the peak is that of the process so far
        _through("/proc/self/clear_refs", os.O_WRONLY, lambda descriptor: os.write(descriptor, b"5"))


def _peak_mb() -> float | None:
    # Not ru_maxrss: that begins with the size of the process that started this one.
    try:
        status = _through("/proc/self/status", os.O_RDONLY, lambda descriptor: os.read(descriptor, 8192))
    except OSError:
        return None
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(maxsplit=1)[0]) / 1024 if found else None


def _through(path: str, mode: int, use: Callable[[int], T]) -> T:
    descriptor = os.open(path, mode)  # `open` takes five times as long, and this is done for each task
    try:
        return use(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
