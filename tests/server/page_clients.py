"""The pages of a store as an application, and a client of it."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.testclient import TestClient

from assay.record.store import Store
from assay.server.pages import routes

__all__ = ["client_of", "pages_of"]


def pages_of(store: Store, *, may_write: bool = True) -> Starlette:
    """The pages; where one may write, in a thread as the server does it."""

    async def write(work: Callable[[Store], str]) -> str:
        return await run_in_threadpool(work, store)

    return Starlette(routes=routes(store, write if may_write else None))


def client_of(store: Store, *, may_write: bool = True) -> TestClient:
    """A client that shows redirections."""
    return TestClient(pages_of(store, may_write=may_write), follow_redirects=False)
