"""How a running server takes over a new route without losing a request.

It watches for one, loads and warms up the versions it names, exchanges one reference, and only then acknowledges.
"""

import asyncio
import os
import platform
import sys
import time
from collections import OrderedDict

from assay.build.models.packaging import LoadedModel, load_model
from assay.errors import AssayError, Tampered
from assay.operate.features.lookup import Lookup
from assay.operate.routing.table import LoadedVariant, RoutingTable, object_rows
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.models.routes import Route, Variant, acknowledge, route_of
from assay.record.store import Row, Store

__all__ = ["Watcher"]

_KEPT_MODELS = 3
_POLL_S = 0.05
_RETRY_S = 5.0


class Watcher:
    """Holds the routing table of a server, `table`, and keeps it up to date while `run` goes on.

    Whatever fails on the way to a new table, the server goes on with the one it has: `problem` says what failed, and
    is None while nothing does. The last models stay in memory, so a rollback loads nothing.
    """

    def __init__(self, store: Store, route: Route) -> None:
        """Load the model of the route and prepare reading its features; Tampered, NotFound or InvalidInput where that
        cannot be.
        """
        self.endpoint = route.endpoint
        self.worker = f"{platform.node()}-{os.getpid()}"
        self.problem: str | None = None
        self.store = store
        self._models: OrderedDict[str, tuple[LoadedModel, Lookup | None]] = OrderedDict()
        self._acknowledged = -1
        self._failed_revision = -1
        self._retry_at = 0.0
        self.table = self._load(route)

    async def run(self) -> None:
        """Look for a higher revision until cancelled. All work is done in threads; requests are answered meanwhile."""
        while True:
            problem = await asyncio.to_thread(self._look)
            if problem and problem != self.problem:
                sys.stderr.write(f"endpoint {self.endpoint}: {problem}\n")
            self.problem = problem
            await asyncio.sleep(_POLL_S)

    def close(self) -> None:
        """Release what reads features; call it when no request is answered any more."""
        for _, lookup in self._models.values():
            if lookup is not None:
                lookup.close()

    def _look(self) -> str | None:
        """Take over what is new and acknowledge it; says what keeps it from that."""
        newer = {"endpoint": self.endpoint, "revision >": self.table.revision}
        try:
            rows = self.store.query("route", newer, order_by=["-revision"], limit=1)
        except Exception as error:  # noqa: BLE001 - whatever ails the store, serving goes on
            return f"new routes cannot be seen: {_said(error)}"
        problem = self._take_over(rows[0]) if rows else None
        if problem is None and self._acknowledged != self.table.revision:
            try:
                acknowledge(self.store, self.endpoint, self.worker, self.table.revision)
            except Exception as error:  # noqa: BLE001 - as above; repeated at the next look
                return f"revision {self.table.revision} cannot be acknowledged: {_said(error)}"
            self._acknowledged = self.table.revision
        return problem

    def _take_over(self, row: Row) -> str | None:
        revision = row["revision"]
        if revision == self._failed_revision and time.monotonic() < self._retry_at:
            return self.problem
        try:
            self.table = self._load(route_of(row))
        except Exception as error:  # noqa: BLE001 - unpickling may raise anything; the old version keeps answering
            self._failed_revision, self._retry_at = revision, time.monotonic() + _RETRY_S
            return f"revision {revision} cannot be loaded: {_said(error)}"
        return None

    def _load(self, route: Route) -> RoutingTable:
        variants = tuple(map(self._loaded, route.variants))
        shadows = tuple(map(self._loaded, route.shadows))
        for _ in range(len(self._models) - max(_KEPT_MODELS, len(variants) + len(shadows))):
            self._models.popitem(last=False)
        return RoutingTable(route.revision, variants, shadows, route.split)

    def _loaded(self, variant: Variant) -> LoadedVariant:
        known = self._models.get(variant.mv_id)
        version = known[0].version if known else version_by_id(self.store, variant.mv_id)
        if version.hash != variant.hash:
            raise Tampered(
                f"{version.model}/{version.version} is not what was routed",
                expected=f"hash {variant.hash[:12]}, the version has {version.hash[:12]}",
            )
        ready = known or self._fresh_model(version)
        self._models[variant.mv_id] = ready
        self._models.move_to_end(variant.mv_id)
        return LoadedVariant(variant, *ready)

    def _fresh_model(self, version: ModelVersion) -> tuple[LoadedModel, Lookup | None]:
        from threadpoolctl import threadpool_limits

        model = load_model(self.store, version)
        with threadpool_limits(limits=1):  # in this thread too: warming up must not take all cores from the requests
            model.predict(object_rows(model.columns, model.example))
        return model, Lookup(self.store, model) if model.features else None


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
