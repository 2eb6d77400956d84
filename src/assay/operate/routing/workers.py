"""Who serves an endpoint: each process says so in the store every two seconds.

A promotion or a rollback is complete when all of them answer with it. One that was killed is not waited for: nobody has
seen it lately, or on this machine there is no such process.
"""

from assay.record.clock import iso
from assay.record.identity import this_host
from assay.record.models.routes import live_workers
from assay.record.store import Store

__all__ = ["BEAT_S", "beat", "end_worker", "live_workers", "register_worker"]

BEAT_S = 2.0


def register_worker(store: Store, endpoint: str, worker: str, url: str, pid: int) -> None:
    """Record that a process begins to serve at `url`; the same worker again replaces what it said before."""
    now = iso(store.clock.now())
    row = {"endpoint": endpoint, "worker": worker, "url": url, "host": this_host(), "pid": pid}
    store.put_many("serving_worker", [{**row, "started": now, "seen": now, "ended": None, "detail": None}])


def beat(store: Store, endpoint: str, worker: str, detail: str | None = None) -> None:
    """Record that the worker serves still; `detail` is what keeps it from a new route, None where nothing does.

    NotFound for one that was not registered.
    """
    changes = {"seen": iso(store.clock.now()), "detail": detail}
    store.amend("serving_worker", {"endpoint": endpoint, "worker": worker}, changes)


def end_worker(store: Store, endpoint: str, worker: str) -> None:
    """Record that the worker has ended: nobody waits for it from now on. Harmless for one that was not registered."""
    where = {"endpoint": endpoint, "worker": worker, "ended": None}
    store.amend_all("serving_worker", where, {"ended": iso(store.clock.now())})
