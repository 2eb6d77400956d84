"""The control plane as an ASGI application: MLflow's wire, the native API, the pages.

What writes goes to the one writer; what reads runs in a few threads. Whatever is answered below `/api/` is JSON.
"""

import base64
import binascii
import functools
import hmac
import ipaddress
import re

from assay.record.store import Store
from assay.server.answers import JSON, TEXT, send_whole
from assay.server.artifact_face import FILE_LINKS, ArtifactFace
from assay.server.bodies import Message, Receive, Send
from assay.server.native_face import NativeFace
from assay.server.pages_face import PagesFace
from assay.server.services import Services
from assay.server.wire.call import Settings
from assay.server.wire.errors import WireError, shown, wire_error
from assay.server.wire.unserved import refusal
from assay.server.wire_face import WireFace

__all__ = ["MLFLOW_VERSION", "Application"]

MLFLOW_VERSION = "3.17.2"  # whose wire this is
_PREFIXES = ("/api/", "/ajax-api/")
_NATIVE = "assay/v1/"
_ARTIFACTS = "2.0/mlflow-artifacts/artifacts/"
_MODEL_FILE = re.compile(r"2\.0/mlflow/logged-models/([^/]+)/artifacts/files")


class Application:
    """Answers from one store. `requests` counts what was answered."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.requests = 0
        self._settings = settings
        self._services = Services(store, settings)
        self._wire = WireFace(self._services)
        self._native = NativeFace(self._services)
        self._artifacts = ArtifactFace(self._services)
        self._pages = PagesFace(self._services)

    def close(self) -> None:
        """Do what waits, and end the threads. The store stays open."""
        self._services.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """The ASGI interface, for `http` and `lifespan`."""
        if scope["type"] == "lifespan":
            await receive()
            self._pages.warm()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            path = self._path(scope)
            headers = dict(scope["headers"])
            if path != "/health":
                self._check_host(headers)
                self._check_token(headers)
            await self._answer(path, scope, headers, receive, sending)
        except Exception as error:
            refused = wire_error(error)
            if begun:  # too late for another answer: the server ends the connection, which the client notices
                raise
            extra = [(name.encode(), value.encode()) for name, value in refused.headers.items()]
            await send_whole(send, refused.status, refused.body, JSON, *extra)
        self.requests += 1

    async def _answer(
        self, path: str, scope: Message, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        for prefix in _PREFIXES:
            if path.startswith(prefix):
                below = path.removeprefix(prefix)
                if below.startswith(_NATIVE):
                    await self._native(below.removeprefix(_NATIVE), scope, headers, receive, send)
                elif below.startswith(_ARTIFACTS):
                    await self._artifacts.file(below.removeprefix(_ARTIFACTS), scope, headers, receive, send)
                elif model := _MODEL_FILE.fullmatch(below):
                    await self._artifacts.model_file(model[1], scope, headers, send)
                else:
                    await self._wire(below, scope, headers, receive, send)
                return
        is_head = scope["method"] == "HEAD"
        if path == "/health":
            await send_whole(send, 200, b"OK", TEXT, is_head=is_head)
        elif path == "/version":
            await send_whole(send, 200, MLFLOW_VERSION.encode(), TEXT, is_head=is_head)
        elif path in FILE_LINKS:
            await self._artifacts.link(path, scope, headers, send)
        elif path == "/v1/traces":
            raise refusal("traces")
        elif path == "/graphql":
            raise refusal("GraphQL")
        else:
            await self._pages(scope, receive, send)

    def _path(self, scope: Message) -> str:
        path: str = scope["path"]
        root = self._settings.root_path
        if root:
            if not path.startswith(f"{root}/"):
                raise WireError(404, "ENDPOINT_NOT_FOUND", f"there is nothing at {shown(path)}")
            path = path.removeprefix(root)
        return path

    def _check_host(self, headers: dict[bytes, bytes]) -> None:
        """Without a token the server answers to this machine's own names only.

        Else a web site could point a name of its own here, and a browser on this machine would let it read and write.
        """
        if self._settings.token is not None:
            return
        asked = headers.get(b"host", b"localhost").decode("latin-1")
        name = asked.rpartition(":")[0] if re.search(r":\d*$", asked) else asked
        if not _is_here(name):
            raise WireError(
                403,
                "PERMISSION_DENIED",
                f"this server has no token, so it answers to localhost only, not to {shown(name)}",
            )

    def _check_token(self, headers: dict[bytes, bytes]) -> None:
        """Where a token is set, every request brings it: as Bearer, or as the password of Basic."""
        wanted = self._settings.token
        if wanted is None:
            return
        kind, _, rest = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        given = rest.strip()
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        if kind.lower() not in ("basic", "bearer") or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise WireError(
                401, "UNAUTHENTICATED", "this server needs a token: as Bearer, or as password", challenge=True
            )


@functools.lru_cache(maxsize=64)  # every request asks, nearly always the same
def _is_here(name: str) -> bool:
    """Whether a host is this machine: localhost, a name below it, or an address."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
