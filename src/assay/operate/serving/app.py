"""The HTTP interface of an endpoint: a bare ASGI callable over msgspec, without a framework.

`POST /predict` takes `{"rows": [{column: value, ...}, ...], "ids": [...]?, "units": [...]?}`. The routing table is read
once for a request, so one version answers the whole of it, and no answer leaves before all its rows are in the log.
Nothing is awaited on the way but features that are read over a network; others are answered meanwhile.

Where inputs of the model are features of views, rows bring the keys of their entities and the server reads the rest, in
one read for the whole request; `"explain": true` adds what it found to the answer. They are read as of now, or in a
replay as of the moment of the header `assay-event-time`: rows that became known after it are not seen. What stands in
the online store then is what counts, so a replay of the past has to push or materialize by the same clock.
`POST /labels` takes what really happened: `[{"prediction_id": ..., "value": ..., "event_ts": ...}, ...]`.
`POST /features` gives features themselves: `{"features": ["view:feature", ...], "entities": [{key: value, ...}, ...]}`.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from assay.errors import AssayError, InvalidInput
from assay.operate.labels.receiving import receive_labels
from assay.operate.predictions.log import LogWriter
from assay.operate.routing.watching import Watcher
from assay.operate.serving.answers import answer
from assay.operate.serving.bodies import Message, Receive, Send, packed, whole
from assay.operate.serving.counting import SharedCounts
from assay.operate.serving.engine import Engine, RequestError
from assay.operate.serving.protocols.asking import Reply, refusal
from assay.operate.serving.protocols.mounting import Protocols
from assay.operate.serving.protocols.oip import SERVER_NAME
from assay.record.clock import iso

if TYPE_CHECKING:
    from assay.operate.features.answering import FeatureAnswers

__all__ = ["EVENT_TIME_HEADER", "Application", "Message"]

EVENT_TIME_HEADER = "assay-event-time"
VARIANT_HEADER = b"assay-variant"  # names the variant that has to answer
DEADLINE_HEADER = b"assay-deadline-ms"  # how long the caller waits
_EVENT_TIME = EVENT_TIME_HEADER.encode()
_DRAIN_S = 5.0  # for shadows, at the end
_SHOWN = 100  # characters of somebody else's text in a message
_METHODS = {
    "/predict": "POST",
    "/features": "POST",
    "/labels": "POST",
    "/health/live": "GET",
    "/health/ready": "GET",
    "/version": "GET",
}

_encode = msgspec.json.Encoder().encode


class Application:
    """Answers for one endpoint, with an `engine`; by gRPC too at the address `grpc`. `name` is what it says it is.

    It is not ready before the lifespan has started, nor after it has ended. Who opened the log closes it.
    """

    def __init__(
        self,
        watcher: Watcher,
        log: LogWriter,
        *,
        counts: SharedCounts | None = None,
        alive: Callable[[], None] | None = None,
        grpc: tuple[str, int] | None = None,
        name: str = SERVER_NAME,
    ) -> None:
        self.engine = Engine(watcher, log)
        self._counts = counts or SharedCounts(None)
        self._alive = alive
        self._grpc = grpc
        self._name = name
        self._protocols = Protocols(self.engine, lambda: self._counts.whole(self.engine.counted()), name)
        self._watcher = watcher
        self._features: FeatureAnswers | None = None  # made for the first who asks

    async def __call__(
        self,
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        """The ASGI interface, for `http` and `lifespan`."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        try:
            if scope["path"] in _METHODS:
                status, content = await self._answer(scope, receive)
            else:
                status, headers, content = await self._other(scope, receive)
        except (AssayError, RequestError) as error:
            status, text, more = refusal(error)
            content = _encode({"error": text})
            if status == 405:
                headers.append((b"allow", _METHODS[scope["path"]].encode()))
            headers += more
        self.engine.counting.answered(status)
        content, more = packed(scope["headers"], content)
        headers = [*headers, *more, (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # startup
        watching = asyncio.create_task(self._watcher.run())
        beating = asyncio.create_task(self._beat())
        stop_grpc = None
        if self._grpc is not None:
            from assay.operate.serving.protocols.oip_grpc import start_grpc  # an extra

            stop_grpc = await start_grpc(self.engine, *self._grpc, self._name)
        self.engine.is_ready = True
        await send({"type": "lifespan.startup.complete"})
        await receive()  # shutdown
        self.engine.is_ready = False
        if stop_grpc is not None:
            await stop_grpc()
        await self.engine.shadows.drain(_DRAIN_S)
        for task in (watching, beating):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._counts.keep(self.engine.counted())
        self.engine.close()
        if self._features is not None:
            self._features.close()
        self._watcher.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _beat(self) -> None:
        """Every second say that this process answers, and let the other workers know what it has counted; a segment of
        the log that is old ends then.
        """
        while True:
            await asyncio.sleep(1)
            self._counts.keep(self.engine.counted())
            self.engine.log.turn_over()
            if self._alive is not None and not self.engine.batches.is_stuck:
                self._alive()

    async def _answer(self, scope: Message, receive: Receive) -> tuple[int, bytes]:
        path = scope["path"]
        method = _METHODS[path]
        if scope["method"] != method:
            raise RequestError(405, f"{path} takes {method}, not {scope['method']}")
        if method == "POST":
            headers = dict(scope["headers"])
            body = await whole(headers, receive)
            if path == "/labels":
                return await asyncio.to_thread(receive_labels, self._watcher.store, self._watcher.endpoint, body)
            if path == "/features":
                return 200, await self._feature_answers().answer(body, self.engine.now_us(_event_time(headers)))
            return 200, await self._predict(headers, body)
        if path == "/health/live":
            return 200, _encode({"live": True})
        if path == "/version":
            return 200, self._version()
        ready = self.engine.is_ready
        health: dict[str, object] = {"ready": ready, "live": True, "revision": self._watcher.table.revision}
        if self._watcher.problem:
            health["detail"] = self._watcher.problem
        return 200 if ready else 503, _encode(health)

    async def _other(self, scope: Message, receive: Receive) -> Reply:
        """What is asked in the words of other servers."""
        path, headers = scope["path"], dict(scope["headers"])
        event_ts = _event_time(headers)
        body = await whole(headers, receive) if scope["method"] == "POST" else b""
        reply = await self._protocols.handle(path, scope["method"], headers, body, event_ts)
        if reply is None:
            said = f"expected one of {', '.join(_METHODS)}; /openapi.json tells all"
            raise RequestError(404, f"there is no {path[:_SHOWN]}, {said}")
        return reply

    def _version(self) -> bytes:
        table = self._watcher.table
        version, lookup = table.champion.model.version, table.champion.lookup
        said: dict[str, object] = {
            "endpoint": self._watcher.endpoint,
            "model": version.model,
            "version": version.version,
            "revision": table.revision,
            "mv_id": version.mv_id,
            "hash": version.hash,
        }
        if lookup is not None:
            said["keys"] = [key.name for key in lookup.keys]
            said["looked_up"] = sorted(lookup.looked_up)
        return _encode(said)

    def _feature_answers(self) -> "FeatureAnswers":
        if self._features is None:
            from assay.operate.features.answering import FeatureAnswers  # much to import for who has no feature views

            self._features = FeatureAnswers(self._watcher.store)
        return self._features

    async def _predict(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        forced = headers.get(VARIANT_HEADER)
        asked = self.engine.read(body, event_ts=_event_time(headers), deadline_s=_deadline(headers))
        if forced is not None:
            asked.forced = forced.decode("latin-1")
        return answer(await self.engine.answer(asked))


def _deadline(headers: dict[bytes, bytes]) -> float | None:
    value = headers.get(DEADLINE_HEADER)
    if value is None:
        return None
    if not value.isdigit() or not 0 < int(value[:9]) <= 600_000:
        said = value[:_SHOWN].decode("latin-1")
        raise InvalidInput(f"{DEADLINE_HEADER.decode()} is {said!r}", expected="1 to 600000 milliseconds")
    return int(value) / 1000


def _event_time(headers: dict[bytes, bytes]) -> str | None:
    value = headers.get(_EVENT_TIME)
    if value is None:
        return None
    text = value.decode("latin-1")
    expected = "a time with its zone, such as 2013-04-01T09:30:00Z"
    try:
        time_of_event = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{EVENT_TIME_HEADER} {text[:_SHOWN]!r} cannot be read", expected=expected) from None
    if time_of_event.tzinfo is None or not 1900 <= time_of_event.year <= 9000:  # the text form sorts in these years
        raise InvalidInput(f"{EVENT_TIME_HEADER} {text[:_SHOWN]!r} is not a moment", expected=expected)
    return iso(time_of_event)
