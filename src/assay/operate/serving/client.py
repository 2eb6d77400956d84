"""Talking to an endpoint's server, and running one as a child process."""

import contextlib
import http.client
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

import msgspec

from assay.errors import AssayError, InvalidInput
from assay.operate.serving.app import EVENT_TIME_HEADER
from assay.record.clock import iso
from assay.record.store import Store

__all__ = ["PredictionClient", "ServerProcess", "store_address"]

_START_POLL_S = 0.02
_TERMINATE_S = 10
_SHOWN_LINES = 20


class PredictionClient:
    """Asks one server over one connection that stays open; for one thread.

    Rows are mappings of column to number, text or None, and bring the keys of features that the server looks up. A
    connection that the server closed while it was idle is opened again. After that nothing is repeated: whether rows
    were logged is not known where an answer did not come.
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise InvalidInput(f"{url!r} is not the address of a server", expected="http://host:port")
        self.url = url
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)

    def predict(
        self,
        rows: Sequence[Mapping[str, object]],
        *,
        ids: Sequence[str] | None = None,
        units: Sequence[str | None] | None = None,
        event_ts: datetime | None = None,
    ) -> list[tuple[str, float]]:
        """Id and probability of each row, in their order. All of them are in the prediction log.

        `event_ts`, aware, is the simulated moment of a replay. InvalidInput where the server refused the rows,
        AssayError for any other fault.
        """
        request: dict[str, object] = {"rows": rows}
        request |= {"ids": ids} if ids is not None else {}
        request |= {"units": units} if units is not None else {}
        answer = self._send("/predict", request, event_ts)
        return [(prediction["id"], prediction["probability"]) for prediction in answer["predictions"]]

    def features(
        self,
        features: Sequence[str],
        entities: Sequence[Mapping[str, object]],
        *,
        event_ts: datetime | None = None,
    ) -> list[dict[str, object]]:
        """The values of features, such as "flights:delay_7d", of each entity, in their order; null where there is none.

        InvalidInput and AssayError as for `predict`.
        """
        request: dict[str, object] = {"features": features, "entities": entities}
        answered: list[dict[str, object]] = self._send("/features", request, event_ts)["values"]
        return answered

    def version(self) -> dict[str, object]:
        """What the server answers with: endpoint, model, version, revision, mv_id, hash.

        Where it looks features up also `keys`, which rows bring, and `looked_up`, which they need not.
        """
        return self._ask("GET", "/version")

    def ready(self) -> bool:
        """Whether the server answers predictions; False also where none can be reached."""
        try:
            return bool(self._ask("GET", "/health/ready")["ready"])
        except AssayError:
            return False

    def close(self) -> None:
        """Close the connection. The next call opens it again."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, path: str, request: Mapping[str, object], event_ts: datetime | None) -> dict[str, Any]:
        if event_ts is not None and event_ts.tzinfo is None:
            raise InvalidInput(f"event time {event_ts} has no time zone", expected="an aware datetime")
        try:
            body = msgspec.json.encode(request)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"the rows cannot be written as JSON: {error}") from error
        headers = {"content-type": "application/json"}
        headers |= {EVENT_TIME_HEADER: iso(event_ts)} if event_ts else {}
        return self._ask("POST", path, body, headers)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        # An idle connection has nothing to read. Where it has, that is its end, and nothing was sent on it yet.
        if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()
        try:
            self._connection.request(method, path, body, dict(headers or {}))
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise AssayError(
                f"no answer from {self.url}: {type(error).__name__}: {error}", hint="does `assay serve` run there?"
            ) from error
        try:
            answer: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        except ValueError:
            answer = {"error": f"status {response.status}: {content[:200].decode(errors='replace')}"}
        if response.status == 400:
            raise InvalidInput(str(answer.get("error")))
        if response.status != 200:
            raise AssayError(str(answer.get("error", f"status {response.status}")), where=self.url + path)
        return answer


class ServerProcess:
    """A server as a child process around a `with` block: `url` and `pid` once it is ready, stopped at the end.

    The child opens `store` for itself: give an open store or what `open_store` takes, which has to be the address where
    that holds a password. It also ends when this process dies.
    """

    def __init__(
        self,
        store: Store | str | Path,
        endpoint: str,
        *,
        command: Sequence[str] | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        options = ["--port", "0", "--exit-with-parent", "--json"]
        default = [sys.executable, "-m", "assay", "--store", store_address(store), "serve", endpoint, *options]
        self.url = ""
        self.pid = 0
        self.command = list(command or default)
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            # Files, not pipes: a full pipe would stop the server.
            self._output = stack.enter_context(tempfile.TemporaryFile())
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(  # noqa: S603 - the command is our own or the caller's
                self.command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._errors
            )
            stack.callback(self._stop)
            ready = self._wait_ready()
            self.url, self.pid = ready["url"], ready["pid"]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _wait_ready(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._timeout_s
        while True:
            ended = self._process.poll()
            ready = self._ready_document()
            if ready is not None:
                return ready
            if ended is not None or time.monotonic() > deadline:
                state = f"ended with exit code {ended}" if ended is not None else f"not ready in {self._timeout_s:g} s"
                said = _content(self._errors).strip().splitlines()[-_SHOWN_LINES:]
                raise AssayError("\n".join([f"the server could not be started: {state}", *said]))
            time.sleep(_START_POLL_S)

    def _ready_document(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(_content(self._output))
        except ValueError:  # not there yet, or not whole
            return None
        return found

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_TERMINATE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def store_address(store: Store | str | Path) -> str:
    """What another process opens the store by; without the password where it has one."""
    if isinstance(store, str | Path):
        return str(store)
    place = Path(store.location)
    return str(place.parent) if place.is_file() else store.location  # an embedded store is opened by its folder


def _content(file: IO[bytes]) -> str:
    return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")
