"""The pages beside the wire. They are imported after the server is ready: clients that log need not wait for them."""

import asyncio
from typing import TYPE_CHECKING

from assay.record.store import Store
from assay.server.bodies import Message, Receive, Send
from assay.server.services import Services

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["PagesFace"]

_WARM_AFTER_S = 0.5


class PagesFace:
    """Answers what is neither wire nor native API."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._site: asyncio.Task[Starlette] | None = None

    def warm(self) -> None:
        """Import them soon, unless somebody asks for one before."""
        asyncio.get_running_loop().call_later(_WARM_AFTER_S, self._begin)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer with a page."""
        site = await self._begin()
        await site({**scope, "root_path": self._services.settings.root_path}, receive, send)

    def _begin(self) -> "asyncio.Task[Starlette]":
        if self._site is None:
            self._site = asyncio.ensure_future(self._services.do_long(self._made))
        return self._site

    def _made(self, store: Store) -> "Starlette":
        from starlette.applications import Starlette

        from assay.server.pages import routes

        return Starlette(routes=routes(store, self._services.writer.do))
