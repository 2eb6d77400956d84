"""A model that never comes back, in the thread that answers everybody: it is interrupted, and if that does not help the
process ends, so that whoever watches over it starts another.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

__all__ = ["Guard", "ModelTimeout"]

_SIGNAL = signal.SIGUSR1
_STUCK_EXIT = 70  # EX_SOFTWARE


class ModelTimeout(Exception):
    """Raised inside a model that takes too long."""


class Guard:
    """Whoever asks a model in the main thread sets `since` to `time.perf_counter()` before and to 0 after it.

    Python code is interrupted after `timeout_s` seconds. Compiled code cannot be: after twice as long the process ends.
    """

    def __init__(self, timeout_s: float = 30.0, end: Callable[[int], object] = os._exit) -> None:
        self.since = 0.0
        self.timeout_s = timeout_s
        self._end = end
        self._stop = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch inside the block, which runs in the main thread."""
        before = signal.signal(_SIGNAL, self._interrupt)
        thread = threading.Thread(target=self._watch, name="guard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            signal.signal(_SIGNAL, before)

    def _took(self) -> float:
        since = self.since
        return time.perf_counter() - since if since else 0.0

    def _interrupt(self, *_: object) -> None:
        if self._took() > self.timeout_s:
            raise ModelTimeout(f"no answer in {self.timeout_s:g} s")

    def _watch(self) -> None:
        while not self._stop.wait(self.timeout_s / 4):
            took = self._took()
            if took > 2 * self.timeout_s:
                sys.stderr.write(
                    f"a model has not answered for {took:.0f} s and cannot be interrupted; this process ends\n"
                )
                sys.stderr.flush()
                self._end(_STUCK_EXIT)
            elif took > self.timeout_s:
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)
