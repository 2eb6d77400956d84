"""The HTTP interface of an endpoint: a bare ASGI callable over msgspec, without a framework.

`POST /predict` takes `{"rows": [{column: value, ...}, ...], "ids": [...]?, "units": [...]?}`. The routing table is read
once for a request, so one version answers the whole of it, and no answer leaves before all its rows are in the log.
Nothing is awaited on the way but features that are read over a network; others are answered meanwhile.

Where inputs of the model are features of views, rows bring the keys of their entities and the server reads the rest, in
one read for the whole request; `"explain": true` adds what it found to the answer. They are read as of now, or in a
replay as of the moment of the header `assay-event-time`: rows that became known after it are not seen. What stands in
the online store then is what counts, so a replay of the past has to push or materialize by the same clock.
`POST /features` gives features themselves: `{"features": ["view:feature", ...], "entities": [{key: value, ...}, ...]}`.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any

import msgspec

from assay.build.models.packaging import LoadedModel
from assay.errors import AssayError, InvalidInput, NotFound
from assay.operate.features.answering import FeatureAnswers, elsewhere
from assay.operate.features.lookup import Lookup, Value
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import LookedUp, Prediction
from assay.operate.routing.table import object_rows
from assay.operate.routing.watching import Watcher
from assay.operate.serving.inputs import Inputs
from assay.record.clock import Clock, from_us, iso, moment, to_us
from assay.record.identity import ordered_id

__all__ = ["EVENT_TIME_HEADER", "MAX_BODY_BYTES", "Application", "Message"]

Message = MutableMapping[str, Any]  # as ASGI defines it

EVENT_TIME_HEADER = "assay-event-time"
MAX_BODY_BYTES = 16 * 1024 * 1024
_SHOWN = 100  # characters of somebody else's text in a message
_METHODS = {
    "/predict": "POST",
    "/features": "POST",
    "/health/live": "GET",
    "/health/ready": "GET",
    "/version": "GET",
}

_encode = msgspec.json.Encoder().encode


class _LookedUp(msgspec.Struct):
    values: dict[str, Value]
    views: dict[str, dict[str, str | None]]
    as_of: str


class _Prediction(msgspec.Struct, omit_defaults=True):
    id: str
    probability: float
    features: _LookedUp | None = None


class _Answer(msgspec.Struct):
    model: str
    version: int
    revision: int
    predictions: list[_Prediction]


class _HttpError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Application:
    """Answers for one endpoint with the table its watcher holds. `requests` and `predictions` count what was answered.

    It is not ready before the lifespan has started, nor after it has ended. Who opened the log closes it.
    """

    def __init__(self, watcher: Watcher, log: LogWriter) -> None:
        self.requests = 0
        self.predictions = 0
        self.is_ready = False
        self._watcher = watcher
        self._log = log
        self._inputs = Inputs(watcher.table.champion.model, watcher.table.champion.lookup)
        self._features = FeatureAnswers(watcher.store)
        self._clock = Clock()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """The ASGI interface, for `http` and `lifespan`."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        try:
            status, content = await self._answer(scope, receive)
        except (AssayError, _HttpError) as error:
            refused = isinstance(error, InvalidInput | NotFound)
            status = error.status if isinstance(error, _HttpError) else 400 if refused else 503
            content = _encode({"error": str(error)})
            if status == 405:
                headers.append((b"allow", _METHODS[scope["path"]].encode()))
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _live(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        await receive()  # startup
        watching = asyncio.create_task(self._watcher.run())
        self.is_ready = True
        await send({"type": "lifespan.startup.complete"})
        await receive()  # shutdown
        self.is_ready = False
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        self._features.close()
        self._watcher.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Message, receive: Callable[[], Awaitable[Message]]) -> tuple[int, bytes]:
        path = scope["path"]
        method = _METHODS.get(path)
        if method is None:
            raise _HttpError(404, f"there is no {path[:_SHOWN]}, expected one of {', '.join(_METHODS)}")
        if scope["method"] != method:
            raise _HttpError(405, f"{path} takes {method}, not {scope['method']}")
        if method == "POST":
            headers = dict(scope["headers"])
            event_ts = _event_time(headers)
            body = await _body(headers, receive)
            if path == "/features":
                return 200, await self._features.answer(body, self._now_us(event_ts))
            status, content = await self._predict(body, event_ts)
            self.requests += 1
            return status, content
        if path == "/health/live":
            return 200, _encode({"live": True})
        if path == "/version":
            return 200, self._version()
        health: dict[str, object] = {"ready": self.is_ready, "live": True, "revision": self._watcher.table.revision}
        if self._watcher.problem:
            health["detail"] = self._watcher.problem
        return 200 if self.is_ready else 503, _encode(health)

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

    def _now_us(self, event_ts: str | None) -> int:
        return to_us(moment(event_ts) if event_ts else self._clock.now())

    async def _predict(self, body: bytes, event_ts: str | None) -> tuple[int, bytes]:
        started = time.perf_counter_ns()
        table = self._watcher.table
        model, lookup = table.champion.model, table.champion.lookup
        version = model.version
        if self._inputs.model is not model:
            self._inputs = Inputs(model, lookup)
        asked = self._inputs.read(body)
        rows, ids, units = asked.rows, asked.ids, asked.units
        looked_up: list[LookedUp] = []
        if lookup is not None:
            rows, looked_up = await elsewhere(lookup.is_remote, lookup.filled, rows, self._now_us(event_ts))
        outputs, failure = _outputs(model, rows)
        latency_us = (time.perf_counter_ns() - started) // 1000
        now, request_id = iso(self._clock.now()), ordered_id()
        self._log.append(
            [
                Prediction(
                    id=ids[position],
                    ts=now,
                    event_ts=event_ts,
                    request_id=request_id,
                    row=position,
                    endpoint=self._watcher.endpoint,
                    model=version.model,
                    version=version.version,
                    mv_id=version.mv_id,
                    role="live",
                    unit=units[position],
                    propensity=1.0,
                    features=row,
                    output=None if failure else outputs[position],
                    status="error" if failure else "ok",
                    error=failure,
                    latency_us=latency_us,
                    looked_up=looked_up[position] if looked_up else None,
                )
                for position, row in enumerate(rows)
            ]
        )
        if failure:
            raise _HttpError(500, f"{version.model}/{version.version} failed on these rows: {failure}")
        self.predictions += len(rows)
        predictions = [_Prediction(id, output) for id, output in zip(ids, outputs, strict=True)]
        if asked.explain and lookup is not None:
            for one, row, read in zip(predictions, rows, looked_up, strict=True):
                one.features = _explained(lookup, row, read)
        return 200, _encode(_Answer(version.model, version.version, table.revision, predictions))


def _explained(lookup: Lookup, row: tuple[Value, ...], read: LookedUp) -> _LookedUp:
    views = {one.view: {"status": one.status, "ts": None if one.ts is None else from_us(one.ts)} for one in read.views}
    return _LookedUp(lookup.values(row), views, from_us(read.now_us))


def _outputs(model: LoadedModel, rows: list[tuple[str | float | None, ...]]) -> tuple[list[float], str | None]:
    """One finite probability for each row, or what went wrong."""
    try:
        outputs: list[float] = model.predict(object_rows(model.columns, rows)).tolist()
    except Exception as error:  # noqa: BLE001 - a model is somebody else's code; what it raises is logged and told
        said = f"{type(error).__name__}: {error}"[:500]
        return [], said.encode(errors="backslashreplace").decode()
    if len(outputs) != len(rows):
        return [], f"{len(outputs)} outputs for {len(rows)} rows"
    for position, output in enumerate(outputs):
        if not math.isfinite(output):
            return [], f"the output for row {position} is {output}"
    return outputs, None


async def _body(headers: dict[bytes, bytes], receive: Callable[[], Awaitable[Message]]) -> bytes:
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.strip().lower() != "identity":
        raise _HttpError(415, f"content-encoding {encoding[:_SHOWN]} is not supported, send the JSON as it is")
    too_large = _HttpError(413, f"the body is larger than {MAX_BODY_BYTES} bytes, send fewer rows at a time")
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared[:20]) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _HttpError(400, "the request ended before its body")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def _event_time(headers: dict[bytes, bytes]) -> str | None:
    value = headers.get(EVENT_TIME_HEADER.encode())
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
