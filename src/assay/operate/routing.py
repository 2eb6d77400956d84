"""Which version answers at an endpoint, and how a running server takes over a new one without losing a request.

The table `route` is append-only; the highest revision of an endpoint counts. A server watches it, loads and warms up
the version it names, exchanges one reference, and only then acknowledges the revision.
"""

import asyncio
import os
import platform
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.packaging import Column, LoadedModel, load_model
from assay.errors import AssayError, InvalidInput, NotFound, Tampered, nearest
from assay.operate.features.lookup import Lookup
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.store import Row, Store

__all__ = [
    "Route",
    "RoutingTable",
    "Variant",
    "Watcher",
    "acknowledge",
    "current_route",
    "object_rows",
    "wait_acknowledged",
]

_KEPT_MODELS = 3
_POLL_S = 0.05
_RETRY_S = 5.0
_ACKNOWLEDGEMENT_POLL_S = 0.01


class Variant(msgspec.Struct, frozen=True):
    """A version of a model with its share of the traffic; `hash` is that of its folder when it was decided."""

    mv_id: str
    hash: str
    weight: float = 1


class Route(msgspec.Struct, frozen=True):
    """The routing table of an endpoint under one revision."""

    endpoint: str
    revision: int
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """What a server answers with: never changed, only exchanged, so a request that holds it sees one version.

    `lookup` reads the features that the model takes from views, None where it takes none.
    """

    revision: int
    model: LoadedModel
    lookup: Lookup | None = None


class _Detail(msgspec.Struct):
    variants: tuple[Variant, ...]


def current_route(store: Store, endpoint: str) -> Route:
    """The route with the highest revision. NotFound names the endpoints there are."""
    rows = store.query("route", {"endpoint": endpoint}, order_by=["-revision"], limit=1)
    if not rows:
        names = sorted({row["endpoint"] for row in store.query("route")})
        close = nearest(endpoint, names)
        there = f"there are {', '.join(names)}" if names else "promote a version to make one"
        raise NotFound(
            f"there is no endpoint {endpoint!r}",
            where=store.location,
            hint=f"did you mean {close!r}?" if close else there,
        )
    return _route(rows[0])


def acknowledge(store: Store, endpoint: str, worker: str, revision: int) -> None:
    """Record that a worker answers with that revision from now on. Saying it twice is harmless.

    The first worker to do so makes the deployment behind the revision complete: all traffic is answered by it.
    """
    row = {"endpoint": endpoint, "worker": worker, "revision": revision}
    with store.transaction():
        store.append_many("route_ack", [row], skip_existing=True)
        for route in store.query("route", {"endpoint": endpoint, "revision": revision}):
            serving = {"endpoint": endpoint, "decision": route["decision"], "full_at": None}
            for deployment in store.query("deployment", serving):
                changes = {"full_at": iso(store.clock.now()), "outcome": deployment["outcome"] or "ok"}
                store.amend("deployment", {"dep_id": deployment["dep_id"]}, changes)


def wait_acknowledged(
    store: Store, endpoint: str, revision: int, timeout_s: float = 10.0, *, workers: Sequence[str] | None = None
) -> float:
    """Wait until every one of `workers` (None: any worker) answers with the revision or a later one; seconds waited.

    AssayError after `timeout_s`; the route stays as it is, and a worker that comes later takes it over all the same.
    """
    started = time.monotonic()
    while True:
        rows = store.query("route_ack", {"endpoint": endpoint, "revision >=": revision})
        present = {row["worker"] for row in rows}
        missing = ["any server"] if workers is None and not present else sorted(set(workers or ()) - present)
        waited = time.monotonic() - started
        if not missing:
            return waited
        if waited >= timeout_s:
            raise AssayError(
                f"revision {revision} of endpoint {endpoint!r} was not taken over in {timeout_s:g} s by "
                f"{', '.join(missing)}",
                where=store.location,
                hint=f"is `assay serve {endpoint}` running? its /health/ready says what keeps it from loading",
            )
        time.sleep(_ACKNOWLEDGEMENT_POLL_S)


def object_rows(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> NDArray[np.object_]:
    """Rows in the order of the signature as a model takes them: text or None, and floats with NaN for None."""
    values = np.empty((len(rows), len(columns)), dtype=object)
    for position, row in enumerate(rows):
        values[position] = row
    numbers = [position for position, column in enumerate(columns) if column.is_number]
    values[:, numbers] = values[:, numbers].astype(np.float64)
    return values


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
            self.table = self._load(_route(row))
        except Exception as error:  # noqa: BLE001 - unpickling may raise anything; the old version keeps answering
            self._failed_revision, self._retry_at = revision, time.monotonic() + _RETRY_S
            return f"revision {revision} cannot be loaded: {_said(error)}"
        return None

    def _load(self, route: Route) -> RoutingTable:
        if len(route.variants) != 1:
            raise InvalidInput(
                f"revision {route.revision} of endpoint {route.endpoint!r} has {len(route.variants)} variants",
                expected="exactly one",
            )
        variant = route.variants[0]
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
        if len(self._models) > _KEPT_MODELS:
            self._models.popitem(last=False)
        return RoutingTable(route.revision, *ready)

    def _fresh_model(self, version: ModelVersion) -> tuple[LoadedModel, Lookup | None]:
        from threadpoolctl import threadpool_limits

        model = load_model(self.store, version)
        with threadpool_limits(limits=1):  # in this thread too: warming up must not take all cores from the requests
            model.predict(object_rows(model.columns, model.example))
        return model, Lookup(self.store, model) if model.features else None


def _route(row: Row) -> Route:
    try:
        variants = msgspec.json.decode(row["detail"], type=_Detail).variants
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"revision {row['revision']} of endpoint {row['endpoint']!r} cannot be read: {error}"
        ) from error
    return Route(row["endpoint"], row["revision"], variants)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
