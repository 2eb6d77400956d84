"""A server carries on the release of its endpoint, in a thread beside its work.

Nothing of a release is imported before one is open: a server without one starts and runs as if there were none.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.record.store import Store

if TYPE_CHECKING:
    from assay.operate.releases.ticking import EndpointTicker

__all__ = ["carried_on"]

_EVERY_S = 0.5
_OPEN = ["running", "held"]


@contextmanager
def carried_on(store: Store, endpoint: str) -> Iterator[None]:
    """Inside the block whatever release is open at the endpoint is looked at twice a second, and acted on.

    What goes wrong is said on standard error, once, and looked at again: serving goes on whatever ails a release.
    """
    stop = threading.Event()

    def look() -> None:
        ticker, said = None, ""
        while not stop.wait(_EVERY_S):
            try:
                ticker = _look(store, endpoint, ticker)
            except Exception as error:  # noqa: BLE001 - as above
                if str(error) != said:
                    sys.stderr.write(f"release at endpoint {endpoint}: {type(error).__name__}: {error}\n")
                said = str(error)

    thread = threading.Thread(target=look, name="release", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _look(store: Store, endpoint: str, ticker: "EndpointTicker | None") -> "EndpointTicker | None":
    if not store.query("rollout", {"endpoint": endpoint, "status in": _OPEN}, limit=1):
        return None
    if ticker is None:
        from assay.operate.releases.ticking import EndpointTicker

        ticker = EndpointTicker(store, endpoint)
    ticker.tick()
    return ticker
