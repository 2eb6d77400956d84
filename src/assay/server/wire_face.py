"""MLflow's protocol over HTTP: a request to its handler, in the writer or in another thread, and the answer back."""

from typing import Any

from assay.record.store import Store
from assay.server.answers import JSON, send_whole
from assay.server.bodies import Message, Receive, Send, whole
from assay.server.openapi import description
from assay.server.services import Services
from assay.server.wire.call import Call
from assay.server.wire.dispatch import Routes, encode, request_of
from assay.server.wire.endpoints import ENDPOINTS

__all__ = ["WireFace"]

_SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
    "presigned_upload_run_id_supported": False,
    "presigned_upload_model_id_supported": False,
    "features_enabled": {"gateway": False},
}


class WireFace:
    """Answers for paths below `/api/` and `/ajax-api/`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._routes = Routes(ENDPOINTS)

    async def __call__(
        self, path: str, scope: Message, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Answer; refusals are raised."""
        if path == "3.0/mlflow/server-info":
            await send_whole(send, 200, encode(_SERVER_INFO), JSON)
            return
        if path == "openapi.json":
            await send_whole(send, 200, encode(description(ENDPOINTS)), JSON)
            return
        endpoint, fields = self._routes.find(scope["method"], path)
        body = b"" if scope["method"] == "GET" else await whole(receive)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        request = request_of(endpoint, fields, scope["query_string"], content_type, body)
        if_match = headers.get(b"if-match", b"").decode("latin-1").strip('" ') or None
        settings = self._services.settings

        def work(store: Store) -> Any:
            return endpoint.handler(Call(store, settings, if_match), request)

        if endpoint.writes:
            points = endpoint.points(settings, request) if endpoint.points else None
            answer = await self._services.writer.do(points or work)
        elif endpoint.long:
            answer = await self._services.do_long(work)
        else:
            answer = await self._services.read(work)
        await send_whole(send, 200, encode(answer), JSON)
