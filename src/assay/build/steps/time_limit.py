"""A limit on the time that a block of code takes, in this process.

The main thread is interrupted by a signal, also while it sleeps or waits for input and output; any other thread by an
exception that Python raises between two of its own instructions, so that a call which waits ends first. Neither stops
a computation inside compiled code before it returns, nor threads and processes that the block started. A block that
catches BaseException can go on. What must end for certain belongs into a process of its own.
"""

import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import TimedOut

__all__ = ["time_limit"]


class _Late(BaseException):
    """Raised inside the block; no Exception, so that `except Exception` does not take it for a failure of its own.

    Every block has a class of its own, so that a block inside another does not catch what is meant for the outer one.
    """


@contextmanager
def time_limit(seconds: float | None, what: str) -> Iterator[None]:
    """TimedOut, naming `what`, when the block takes longer; no limit for None."""
    if seconds is None:
        yield
        return
    in_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")

    class LateHere(_Late):
        """Of this block."""

    try:
        with _by_signal(seconds, LateHere) if in_main else _by_exception(seconds, LateHere):
            yield
    except LateHere:
        raise TimedOut(
            f"{what} took longer than {seconds:g} s",
            hint="raise its timeout, give it less to do, or leave timeout= out",
        ) from None


@contextmanager
def _by_signal(seconds: float, late: type[_Late]) -> Iterator[None]:
    began = time.monotonic()
    outer = signal.getitimer(signal.ITIMER_REAL)[0]
    if 0 < outer <= seconds:  # the limit of a block around this one comes first
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise late

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - began), 1e-6))


@contextmanager
def _by_exception(seconds: float, late: type[_Late]) -> Iterator[None]:
    thread = ctypes.c_ulong(threading.get_ident())
    lock = threading.Lock()
    ended = False

    def interrupt() -> None:
        with lock:
            if not ended:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(late))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            ended = True
        timer.cancel()
