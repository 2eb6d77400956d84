"""Which path is whose: the paths of all protocols, and refusals in the form of each."""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from assay.errors import AssayError
from assay.operate.routing.ofrep import FLAGS, ofrep
from assay.operate.serving.counting import Counted
from assay.operate.serving.engine import Engine, RequestError
from assay.operate.serving.protocols.asking import JSON, Asking, Reply, refusal
from assay.operate.serving.protocols.configuration import configuration
from assay.operate.serving.protocols.invocations import Invocations
from assay.operate.serving.protocols.oip import SERVER_NAME, OpenInference
from assay.operate.serving.protocols.openapi import description
from assay.operate.serving.protocols.prometheus import metrics
from assay.operate.serving.protocols.repository import Repository
from assay.operate.serving.protocols.statistics import Statistics

__all__ = ["Protocols"]

_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(/ready|/infer|/stats|/config|)")
_REPOSITORY = re.compile(r"/v2/repository/models/([^/]+)(/load|/unload)")
_SHOWN = 100  # characters of somebody else's text in a message


class _Request(NamedTuple):
    """A request and what the path says: the model and the version."""

    headers: dict[bytes, bytes]
    body: bytes
    event_ts: str | None
    model: str = ""
    version: str | None = None


_Answer = Callable[[_Request], Reply | Awaitable[Reply]]


class Protocols:
    """Answers what is asked in the words of other servers.

    `counted` gives the counts of all workers, by default those of this one. `name` is what the server says it is.
    """

    def __init__(self, engine: Engine, counted: Callable[[], Counted] | None = None, name: str = SERVER_NAME) -> None:
        self._engine = engine
        asking, counted = Asking(engine), counted or engine.counted
        statistics = Statistics(asking, counted)
        oip, repository, invocations = OpenInference(asking, name), Repository(asking), Invocations(asking)
        self._fixed: dict[str, tuple[str, _Answer]] = {
            "/v2": ("GET", lambda _: oip.server()),
            "/v2/": ("GET", lambda _: oip.server()),
            "/v2/health/live": ("GET", lambda _: oip.live()),
            "/v2/health/ready": ("GET", lambda _: oip.ready()),
            "/v2/models": ("GET", lambda _: oip.models()),
            "/v2/models/stats": ("GET", lambda _: statistics.of(None, None)),
            "/v2/repository/index": ("POST", lambda one: repository.index(one.body)),
            "/openapi.json": ("GET", lambda _: (200, JSON, msgspec.json.encode(description(asking)))),
            "/metrics": ("GET", lambda _: metrics(engine, counted())),
            "/ping": ("GET", lambda _: invocations.ping()),
            "/health": ("GET", lambda _: invocations.ping()),
            "/invocations": ("POST", lambda one: invocations.invoke(one.headers, one.body, one.event_ts)),
        }
        self._of_model: dict[str, tuple[str, _Answer]] = {
            "": ("GET", lambda one: oip.model(one.model, one.version)),
            "/ready": ("GET", lambda one: oip.model_ready(one.model, one.version)),
            "/stats": ("GET", lambda one: statistics.of(one.model, one.version)),
            "/config": ("GET", lambda one: configuration(asking, one.model, one.version)),
            "/infer": ("POST", lambda one: oip.infer(one.model, one.version, one.headers, one.body, one.event_ts)),
            "/load": ("POST", lambda one: repository.load(one.model, one.body)),
            "/unload": ("POST", lambda one: repository.unload(one.model, one.body)),
        }

    async def handle(
        self, path: str, method: str, headers: dict[bytes, bytes], body: bytes, event_ts: str | None = None
    ) -> Reply | None:
        """Status, headers and body of the answer; None for a path that is not one of a protocol.

        The body has to be whole and decompressed. `event_ts` is the moment of a replay in the text form of
        `record.clock`. Only what is a mistake in the code is raised.
        """
        if path.startswith(FLAGS):
            return ofrep(path, method, headers, body, self._engine.table)
        known, request = self._fixed.get(path), _Request(headers, body, event_ts)
        if known is None:
            found = _MODEL.fullmatch(path) or _REPOSITORY.fullmatch(path)
            if found is None:
                return None
            model, *version, what = found.groups()
            known, request = self._of_model.get(what), request._replace(model=model, version=(*version, None)[0])
        if known is None:
            return None
        expected, answer = known
        if method != expected:
            said = msgspec.json.encode({"error": f"{path[:_SHOWN]} takes {expected}, not {method[:_SHOWN]}"})
            return 405, [*JSON, (b"allow", expected.encode())], said
        try:
            reply = answer(request)
            return reply if isinstance(reply, tuple) else await reply
        except (AssayError, RequestError) as error:
            status, text, more = refusal(error)
            return status, [*JSON, *more], msgspec.json.encode({"error": text})
