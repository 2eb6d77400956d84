"""How a running server takes over a new route without losing a request.

It watches for one, loads and warms up all versions it names, exchanges one reference, and only then acknowledges.
"""

import asyncio
import os
import sys
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from assay.build.models.packaging import LoadedModel
from assay.build.models.served_model import FormCounts, load_to_serve
from assay.errors import AssayError, NotFound, Tampered
from assay.operate.routing.table import LoadedVariant, RoutingTable
from assay.operate.routing.workers import BEAT_S, beat, end_worker, register_worker
from assay.record.identity import this_host
from assay.record.models.champions import champion_before
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.models.routes import Route, Variant, acknowledge, route_of
from assay.record.store import Row, Store

if TYPE_CHECKING:
    from assay.operate.features.lookup import Lookup

__all__ = ["Watcher"]

_SPARE_MODELS = 2  # in memory beside those that are routed; one of them is what a rollback would put back
_POLL_S = 0.1  # a look takes about a millisecond of Python from the requests
_RETRY_S = 5.0


class Watcher:
    """Holds the routing table of a server, `table`, and keeps it up to date while `run` goes on.

    Whatever fails on the way to a new table, the server goes on with the one it has: `problem` says what failed, and
    is None while nothing does. What a rollback would put back is loaded before anybody asks for it, and with the last
    models it stays in memory, so a rollback loads nothing. A model that is let go is freed when the last request that
    holds its table has ended; then its feature reader is closed.
    """

    def __init__(self, store: Store, route: Route, url: str = "") -> None:
        """Load the models of the route and prepare reading their features; Tampered, NotFound or InvalidInput where
        that cannot be. `url` is where the server listens, for those who look at its workers.
        """
        self.endpoint = route.endpoint
        self.worker = f"{this_host()}-{os.getpid()}"
        self.url = url
        self.problem: str | None = None
        self.prepare: Callable[[RoutingTable], None] | None = None  # called before a new table answers
        self.store = store
        self.forms: dict[str, FormCounts] = {}  # of all versions that were ever loaded here
        self._models: OrderedDict[str, tuple[LoadedModel, Lookup | None]] = OrderedDict()
        self._is_registered = False
        self._acknowledged = -1
        self._failed_revision = -1
        self._retry_at = 0.0
        self._spared = -1  # the revision at which the model of a rollback was last looked for
        self.table = self._load(route)

    async def run(self) -> None:
        """Look for a higher revision until cancelled. All work is done in threads; requests are answered meanwhile."""
        beating = asyncio.create_task(self._keep_beating())
        try:
            while True:
                problem = await asyncio.to_thread(self._look)
                if problem and problem != self.problem:
                    self._say(problem)
                self.problem = problem
                await asyncio.sleep(_POLL_S)
        finally:
            beating.cancel()

    def close(self) -> None:
        """Say that this worker has ended, and release what reads features; call it when no request is answered any
        more.
        """
        try:
            if self._is_registered:
                end_worker(self.store, self.endpoint, self.worker)
        except AssayError as error:  # who waits for it sees that it is not seen
            self._say(f"the end of this worker cannot be recorded: {error}")
        for _, lookup in self._models.values():
            if lookup is not None:
                lookup.close()

    async def _keep_beating(self) -> None:
        """In a thread of its own, so that a model that loads for long does not make the worker seem dead."""
        while True:
            await asyncio.sleep(BEAT_S)
            await asyncio.to_thread(self._beat)

    def _beat(self) -> None:
        if not self._is_registered:
            return
        try:
            beat(self.store, self.endpoint, self.worker, self.problem)
            if self._acknowledged == self.table.revision:  # again: the last one that was waited for may have died
                acknowledge(self.store, self.endpoint, self.worker, self._acknowledged)
        except NotFound:
            self._is_registered = False
        except Exception as error:  # noqa: BLE001 - whatever ails the store, serving goes on; `_look` says it too
            self._say(f"it cannot be recorded that this worker serves: {_said(error)}")

    def _look(self) -> str | None:
        """Take over what is new and acknowledge it; says what keeps it from that."""
        newer = {"endpoint": self.endpoint, "revision >": self.table.revision}
        try:
            rows = self.store.query("route", newer, order_by=["-revision"], limit=1)
        except Exception as error:  # noqa: BLE001 - whatever ails the store, serving goes on
            return f"new routes cannot be seen: {_said(error)}"
        problem = self._take_over(rows[0]) if rows else None
        if problem is None and not (self._is_registered and self._acknowledged == self.table.revision):
            try:
                self._acknowledge()
            except Exception as error:  # noqa: BLE001 - as above; repeated at the next look
                return f"revision {self.table.revision} cannot be acknowledged: {_said(error)}"
        elif problem is None and self._spared != self.table.revision:
            self._spared = self.table.revision
            self._spare()
        return problem

    def _acknowledge(self) -> None:
        if not self._is_registered:
            register_worker(self.store, self.endpoint, self.worker, self.url, os.getpid())
            self._is_registered = True
        acknowledge(self.store, self.endpoint, self.worker, self.table.revision)
        self._acknowledged = self.table.revision

    def _take_over(self, row: Row) -> str | None:
        revision = row["revision"]
        if revision == self._failed_revision and time.monotonic() < self._retry_at:
            return self.problem
        try:
            table = self._load(route_of(row))
            if self.prepare is not None:
                self.prepare(table)
            self.table = table
        except Exception as error:  # noqa: BLE001 - unpickling may raise anything; the old version keeps answering
            self._failed_revision, self._retry_at = revision, time.monotonic() + _RETRY_S
            return f"revision {revision} cannot be loaded: {_said(error)}"
        return None

    def _spare(self) -> None:
        """Load what a rollback would put back. No request waits for it, so whatever fails is only said."""
        try:
            before = champion_before(self.store, self.endpoint)
            if before is not None and before not in self._models:
                version = version_by_id(self.store, before)
                self._models[before] = self.fresh_model(version)
                self._let_go()
        except Exception as error:  # noqa: BLE001 - unpickling may raise anything
            self._say(f"the version that a rollback would put back cannot be loaded: {_said(error)}")

    def _load(self, route: Route) -> RoutingTable:
        variants = tuple(map(self._loaded, route.variants))
        shadows = tuple(map(self._loaded, route.shadows))
        table = RoutingTable(route.endpoint, route.revision, variants, shadows, route.split, route.policies)
        self._let_go(table)
        return table

    def _let_go(self, table: RoutingTable | None = None) -> None:
        """Forget the models that were not used for longest; those of the table are held by it."""
        used = table or self.table
        routed = {one.variant.mv_id for one in (*used.variants, *used.shadows)}
        spare = [mv_id for mv_id in self._models if mv_id not in routed]
        for mv_id in spare[: max(len(spare) - _SPARE_MODELS, 0)]:
            del self._models[mv_id]

    def _loaded(self, variant: Variant) -> LoadedVariant:
        try:
            ready = self._models.get(variant.mv_id) or self.fresh_model(version_by_id(self.store, variant.mv_id))
            _check_hash(variant, ready[0].version)
        except Exception as error:
            error.add_note(f"variant {variant.name}")
            raise
        self._models[variant.mv_id] = ready
        self._models.move_to_end(variant.mv_id)
        return LoadedVariant(variant, *ready)

    def fresh_model(self, version: ModelVersion) -> "tuple[LoadedModel, Lookup | None]":
        """A version loaded and warmed up, and what reads its features; as the constructor raises."""
        from threadpoolctl import threadpool_limits

        counts = self.forms.setdefault(version.mv_id, FormCounts(version.model, version.version))
        model = load_to_serve(self.store, version, counts)
        with threadpool_limits(limits=1):  # in this thread too: warming up must not take all cores from the requests
            model.warm_up()
        if not model.features:
            return model, None
        from assay.operate.features.lookup import Lookup  # feature views are much to import for who has none

        lookup = Lookup(self.store, model)
        weakref.finalize(model, lookup.close).atexit = False
        return model, lookup

    def _say(self, text: str) -> None:
        sys.stderr.write(f"endpoint {self.endpoint}: {text}\n")


def _check_hash(variant: Variant, version: ModelVersion) -> None:
    if version.hash != variant.hash:
        raise Tampered(
            f"{version.model}/{version.version} is not what was routed",
            expected=f"hash {variant.hash[:12]}, the version has {version.hash[:12]}",
        )


def _said(error: Exception) -> str:
    said = str(error) if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
    return ": ".join([*getattr(error, "__notes__", []), said])
