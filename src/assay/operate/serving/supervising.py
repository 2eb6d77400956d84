"""Several processes that answer for one endpoint, on one socket that all of them listen on.

A worker that ends or falls silent is replaced; what waits on the socket meanwhile is answered by the others.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from assay.errors import AssayError
from assay.listening import url_of
from assay.operate.predictions.log import Policy
from assay.operate.serving.client import store_address
from assay.operate.serving.process import Served, Serving
from assay.operate.serving.protocols.oip import SERVER_NAME
from assay.operate.serving.worker import Said, Told
from assay.progress import announce
from assay.record.sqlstore import SqlStore
from assay.record.store import Store

__all__ = ["Supervisor", "full_address"]

_TICK_S = 0.05
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.25, 30.0
_LASTING_S = 60.0  # a worker that lived so long is started again at once
_SILENT_S = 30.0  # a worker that has not said for so long that it is alive answers nobody
_SHUTDOWN_S = 35.0  # a little longer than workers take for the requests under way


class Supervisor:
    """Keeps `count` workers going; each of them opens the store for itself. They keep what they count in `counts`."""

    def __init__(
        self,
        store: Store,
        endpoint: str,
        listener: socket.socket,
        count: int,
        *,
        parent: int | None = None,
        grpc_port: int | None = None,
        full_disk: Policy = "refuse",
        name: str = SERVER_NAME,
        silent_s: float = _SILENT_S,
        counts: Path,
    ) -> None:
        self.restarts = 0
        self._store = store
        self._endpoint = endpoint
        self._listener = listener
        self._parent = parent
        self._grpc_port = grpc_port
        self._full_disk = full_disk
        self._name = name
        self._silent_s = silent_s
        self._counts = counts
        self._threads = max(1, (os.cpu_count() or 1) // count)
        self._workers = [_Worker() for _ in range(count)]
        self._selector = selectors.DefaultSelector()
        self._is_stopping = False
        self._is_ready = False

    def run(self) -> Served:
        """Start the workers, announce `Serving` when all are ready, and end them after SIGINT or SIGTERM.

        AssayError where one cannot start at the beginning. Runs in the main thread.
        """
        started = time.monotonic()
        with self._signals():
            try:
                for worker in self._workers:
                    self._start(worker)
                while not self._is_stopping:
                    self._hear(_TICK_S)
                    self._look()
            finally:
                self._end()
        served = [one for worker in self._workers for one in worker.served]
        return Served(
            self._endpoint,
            url_of(self._listener),
            sum(one.requests for one in served),
            sum(one.predictions for one in served),
            round(time.monotonic() - started, 3),
            self.restarts,
        )

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(*_: object) -> None:
            self._is_stopping = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self, worker: "_Worker") -> None:
        hear, say = os.pipe()
        os.set_blocking(hear, False)
        os.set_blocking(say, False)
        told = Told(
            full_address(self._store),
            str(self._store.blobs.root),
            self._endpoint,
            self._listener.fileno(),
            say,
            os.getpid(),
            str(self._counts),
            self._threads,
            self._grpc_port,
            self._full_disk,
            self._name,
        )
        process = subprocess.Popen(
            [sys.executable, "-c", "from assay.operate.serving.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(self._listener.fileno(), say),
        )
        os.close(say)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(msgspec.json.encode(told) + b"\n")
            process.stdin.close()
        worker.begin(process, hear)
        self._selector.register(hear, selectors.EVENT_READ, worker)

    def _hear(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            worker: _Worker = key.data
            if not worker.hear():
                self._selector.unregister(key.fd)
                os.close(key.fd)

    def _look(self) -> None:
        now = time.monotonic()
        if self._parent is not None and os.getppid() != self._parent:
            self._is_stopping = True
        for worker in self._workers:
            if worker.process is None:
                if now >= worker.start_at:
                    self.restarts += 1
                    self._start(worker)
            elif worker.process.poll() is not None:
                self._replace(worker, now)
            elif self._is_ready and worker.is_ready and now - worker.heard_at > self._silent_s:
                self._say(f"worker {worker.process.pid} has not said for {self._silent_s:g} s that it is alive")
                worker.process.kill()
        if not self._is_ready and all(worker.is_ready for worker in self._workers):
            self._is_ready = True
            first = self._workers[0].ready
            assert first is not None
            pid, count = os.getpid(), len(self._workers)
            announce(Serving(first.url, pid, first.endpoint, first.model, first.version, count, first.grpc_port))

    def _replace(self, worker: "_Worker", now: float) -> None:
        assert worker.process is not None
        self._hear(0)  # what it said last
        code = worker.process.returncode
        if not self._is_ready:
            raise AssayError(worker.failed or f"a worker ended with exit code {code} before it was ready")
        wait = worker.end(now)
        said = f": {worker.failed}" if worker.failed else ""
        self._say(f"a worker ended with exit code {code}{said}; another is started in {wait:g} s")

    def _end(self) -> None:
        """Let all end after the requests under way, and kill what does not."""
        living = [worker.process for worker in self._workers if worker.process is not None]
        for process in living:
            process.terminate()
        deadline = time.monotonic() + _SHUTDOWN_S
        while any(process.poll() is None for process in living) and time.monotonic() < deadline:
            self._hear(_TICK_S)
        for process in living:
            process.kill()
            process.wait()
        self._hear(0)
        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()

    def _say(self, text: str) -> None:
        sys.stderr.write(f"endpoint {self._endpoint}: {text}\n")


def full_address(store: Store) -> str:
    """What another process opens the store by. It goes through a pipe, since an address may hold a password."""
    if isinstance(store, SqlStore) and store.backend == "postgresql":
        return store.engine.url.render_as_string(hide_password=False)
    return store_address(store)


class _Worker:
    """A place for a process, and what was heard of it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.ready: Serving | None = None
        self.is_ready = False
        self.failed: str | None = None
        self.served: list[Served] = []
        self.heard_at = 0.0
        self.start_at = 0.0
        self._began_at = 0.0
        self._backoff_s = 0.0
        self._hear = -1
        self._rest = b""

    def begin(self, process: subprocess.Popen[bytes], hear: int) -> None:
        """A process is there now."""
        self.process, self._hear, self._rest = process, hear, b""
        self.is_ready, self.failed = False, None
        self._began_at = time.monotonic()

    def hear(self) -> bool:
        """Read what it says; False at the end."""
        content = os.read(self._hear, 65536)
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            said = msgspec.json.decode(line, type=Said)
            self.heard_at = time.monotonic()
            self.failed = said.failed or self.failed
            if said.ready:
                self.ready, self.is_ready = said.ready, True
            if said.served:
                self.served.append(said.served)
        return bool(content)

    def end(self, now: float) -> float:
        """The process has gone; seconds until another is started."""
        lasted = now - self._began_at > _LASTING_S
        self._backoff_s = 0.0 if lasted else min(max(self._backoff_s * 2, _FIRST_BACKOFF_S), _LAST_BACKOFF_S)
        self.process, self.is_ready, self.start_at = None, False, now + self._backoff_s
        return self._backoff_s
