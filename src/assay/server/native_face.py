"""Assay's own API over HTTP, below `/api/assay/v1/`: operations, what journals of runs say, and blobs under their hash.

`POST batches` takes whole frames of journals; sending them again changes nothing.
"""

import re
from urllib.parse import unquote

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.record.live.fold import apply_frames
from assay.server.answers import JSON, send_whole
from assay.server.bodies import Message, Receive, Send, whole
from assay.server.downloads import send_blob
from assay.server.native import listed, refusal, run_operation
from assay.server.services import Services
from assay.server.uploads import receive_blob
from assay.server.wire.errors import WireError

__all__ = ["NativeFace"]

_MOST_FRAMES = 64 * 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")


class NativeFace:
    """Answers for paths below `/api/assay/v1/`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(
        self, path: str, scope: Message, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Answer, refusals too."""
        try:
            await self._answer(path, scope["method"], headers, receive, send)
        except WireError as error:
            body = msgspec.json.encode({"error": {"kind": error.code, "what": error.message}})
            await send_whole(send, error.status, body, JSON)
        except Exception as error:  # noqa: BLE001 - every failure is an answer in JSON
            status, body = refusal(error)
            await send_whole(send, status, body, JSON)

    async def _answer(self, path: str, method: str, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        kind, _, name = path.partition("/")
        if kind == "operations" and not name:
            _require(method, "GET")
            await send_whole(send, 200, msgspec.json.encode(await self._services.do_long(lambda _: listed())), JSON)
        elif kind == "operations":
            _require(method, "POST")
            body = await whole(receive)
            words = unquote(name).replace("/", " ")
            result = await self._services.do_long(lambda store: run_operation(store, words, body))
            await send_whole(send, 200, msgspec.json.encode(result), JSON)
        elif kind == "batches" and not name:
            _require(method, "POST")
            frames = await whole(receive, _MOST_FRAMES)
            added = await self._services.writer.do(lambda store: apply_frames(store, frames))
            await send_whole(send, 200, msgspec.json.encode({"added": added}), JSON)
        elif kind == "blobs":
            await self._blob(name, method, headers, receive, send)
        else:
            raise NotFound(f"there is no {kind!r}", expected="operations, batches or blobs")

    async def _blob(self, digest: str, method: str, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        if not _DIGEST.fullmatch(digest):
            raise InvalidInput(f"{digest[:80]!r} is no hash", expected="64 hexadecimal digits")
        blobs, threads = self._services.store.blobs, self._services.readers
        if method == "PUT":
            found, size = await receive_blob(blobs, receive, threads)
            if found != digest:
                raise InvalidInput(f"the content has the hash {found}", expected=digest)
            await send_whole(send, 200, msgspec.json.encode({"digest": found, "size": size}), JSON)
            return
        _require(method, "GET", "PUT")
        if not blobs.has(digest):
            raise NotFound(f"no blob with hash {digest[:12]}")
        blobs.renew(blobs.path(digest))  # a client that asks does not send it again
        kind = "application/octet-stream"
        await send_blob(send, threads, blobs, digest, name=digest, content_type=kind, headers=headers)


def _require(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise WireError(405, "MethodNotAllowed", f"this takes {' or '.join(allowed)}, not {method}")
