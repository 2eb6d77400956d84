"""Which versions answer at an endpoint, and how its units are shared out among them.

The table `route` is append-only; the highest revision of an endpoint counts. Workers acknowledge what they answer with.
"""

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import msgspec

from assay.errors import AssayError, InvalidInput, NotFound, nearest
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import this_host
from assay.record.models.column_policy import ColumnPolicy
from assay.record.models.registry import CHAMPION
from assay.record.store import Row, Store

__all__ = [
    "FULL_COVERAGE",
    "LIVE_S",
    "HashVersion",
    "Route",
    "Split",
    "Variant",
    "acknowledge",
    "append_route",
    "current_route",
    "decision_behind",
    "is_live",
    "live_workers",
    "newest_route",
    "route_of",
    "wait_acknowledged",
]

FULL_COVERAGE = 10_000
HashVersion = Literal["murmur3", "gb_v1", "gb_v2"]
LIVE_S = 6.0  # a worker that was not seen for so long is taken for dead; they beat every 2 s
_ACKNOWLEDGEMENT_POLL_S = 0.01


class Variant(msgspec.Struct, frozen=True):
    """A version of a model under the name it has at the endpoint; `hash` is that of its folder when it was decided.

    Its share of the units that take part is its `weight`, a whole number, over the sum of all.
    """

    mv_id: str
    hash: str
    weight: int = 1
    name: str = CHAMPION


class Split(msgspec.Struct, frozen=True):
    """How units are shared out among variants, for the test or release `experiment` in its `phase`.

    `coverage` of 10,000 units take part, and only rows for which the expression `segment` is true; the others are
    answered by the first variant. Whether a unit takes part and which variant it has are two hashes, so that a growing
    coverage moves no unit that takes part already. `hash_version` never changes for a salt.
    """

    experiment: str
    phase: int
    salt: str
    hash_version: HashVersion = "murmur3"
    coverage: int = FULL_COVERAGE
    segment: str | None = None


class Route(msgspec.Struct, frozen=True):
    """The routing table of an endpoint under one revision.

    The first variant is the champion. `shadows` get a copy of each request, and their answers are only logged. Without
    a `split` the champion answers everything. `policies` go before what versions say of values that they never saw.
    """

    endpoint: str
    revision: int
    variants: tuple[Variant, ...]
    shadows: tuple[Variant, ...] = ()
    split: Split | None = None
    policies: tuple[ColumnPolicy, ...] = ()


class _Detail(msgspec.Struct, omit_defaults=True):
    variants: tuple[Variant, ...]
    shadows: tuple[Variant, ...] = ()
    split: Split | None = None
    policies: tuple[ColumnPolicy, ...] = ()


def append_route(
    store: Store,
    endpoint: str,
    variants: Sequence[Variant],
    *,
    shadows: Sequence[Variant] = (),
    split: Split | None = None,
    policies: Sequence[ColumnPolicy] | None = None,
    decision: int,
) -> Route:
    """Make this the routing table of the endpoint, under the next revision; call it within a transaction.

    Without `policies` those of the last revision stay.

    InvalidInput where no variant is given, names repeat, or several variants have no split to share units out.
    """
    names = [variant.name for variant in (*variants, *shadows)]
    if not variants or len(set(names)) < len(names):
        raise InvalidInput(
            f"the variants {', '.join(names) or 'of nothing'}", expected="one or more, each under a name"
        )
    if len(variants) > 1 and split is None:
        raise InvalidInput(f"{len(variants)} variants of endpoint {endpoint!r} without a split", expected="a split")
    last = newest_route(store, endpoint)
    revision = last.revision + 1 if last else 1
    if policies is None:
        policies = last.policies if last else ()
    kept = _Detail(tuple(variants), tuple(shadows), split, tuple(policies))
    detail = canonical_json(msgspec.to_builtins(kept))
    store.append("route", {"endpoint": endpoint, "revision": revision, "detail": detail, "decision": decision})
    return Route(endpoint, revision, tuple(variants), tuple(shadows), split, tuple(policies))


def current_route(store: Store, endpoint: str) -> Route:
    """The route with the highest revision. NotFound names the endpoints there are."""
    route = newest_route(store, endpoint)
    if route is None:
        names = sorted({row["endpoint"] for row in store.query("route")})
        close = nearest(endpoint, names)
        there = f"there are {', '.join(names)}" if names else "promote a version to make one"
        raise NotFound(
            f"there is no endpoint {endpoint!r}",
            where=store.location,
            hint=f"did you mean {close!r}?" if close else there,
        )
    return route


def newest_route(store: Store, endpoint: str) -> Route | None:
    """The same, None where the endpoint has none yet."""
    rows = store.query("route", {"endpoint": endpoint}, order_by=["-revision"], limit=1)
    return route_of(rows[0]) if rows else None


def decision_behind(store: Store, endpoint: str, revision: int) -> int:
    """The number in the ledger of the decision that made a revision."""
    return int(store.get("route", {"endpoint": endpoint, "revision": revision})["decision"])


def acknowledge(store: Store, endpoint: str, worker: str, revision: int) -> None:
    """Record that a worker answers with that revision from now on. Saying it twice is harmless.

    The last live worker to do so makes the deployment behind the revision complete: all traffic is answered by it.
    """
    row = {"endpoint": endpoint, "worker": worker, "revision": revision}
    with store.transaction():
        store.append_many("route_ack", [row], skip_existing=True)
        _complete(store, endpoint, revision)


def wait_acknowledged(
    store: Store, endpoint: str, revision: int, timeout_s: float = 10.0, *, workers: Sequence[str] | None = None
) -> float:
    """Wait until every one of `workers` answers with the revision or a later one; seconds waited.

    None means the live workers of the endpoint, looked up again and again: one that dies is waited for no longer.
    Where there is none, one acknowledgement is waited for. AssayError after `timeout_s`; the route stays as it is, and
    a worker that comes later takes it over all the same.
    """
    started = time.monotonic()
    while True:
        missing = _missing(store, endpoint, revision, workers)
        waited = time.monotonic() - started
        if not missing:
            with store.transaction():
                _complete(store, endpoint, revision)
            return waited
        if waited >= timeout_s:
            raise AssayError(
                f"revision {revision} of endpoint {endpoint!r} was not taken over in {timeout_s:g} s by "
                f"{', '.join(missing)}",
                where=store.location,
                hint=f"is `assay serve {endpoint}` running? its /health/ready says what keeps it from loading",
            )
        time.sleep(_ACKNOWLEDGEMENT_POLL_S)


def live_workers(store: Store, endpoint: str) -> list[str]:
    """The names of the workers that serve the endpoint now, sorted; see `is_live`."""
    rows = store.query("serving_worker", {"endpoint": endpoint, "ended": None}, order_by=["worker"])
    return [row["worker"] for row in rows if is_live(store, row)]


def is_live(store: Store, row: Row) -> bool:
    """Whether a row of `serving_worker` is of a process that serves: it has not said its end, it was seen within the
    last 6 s by the clock here, and if it is of this machine, there is such a process.
    """
    if row["ended"] is not None or row["seen"] < iso(store.clock.now() - timedelta(seconds=LIVE_S)):
        return False
    if row["host"] != this_host():
        return True
    try:
        os.kill(row["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _missing(store: Store, endpoint: str, revision: int, workers: Sequence[str] | None) -> list[str]:
    rows = store.query("route_ack", {"endpoint": endpoint, "revision >=": revision})
    present = {row["worker"] for row in rows}
    wanted = live_workers(store, endpoint) if workers is None else workers
    if workers is None and not wanted and not present:
        return ["any server"]
    return sorted(set(wanted) - present)


def _complete(store: Store, endpoint: str, revision: int) -> None:
    """Say of the deployment behind a revision that it is complete, where all live workers acknowledged it."""
    for route in store.query("route", {"endpoint": endpoint, "revision": revision}):
        serving = {"endpoint": endpoint, "decision": route["decision"], "full_at": None}
        deployments = store.query("deployment", serving)
        if deployments and not _missing(store, endpoint, revision, None):
            changes = {"full_at": iso(store.clock.now())}
            for deployment in deployments:
                outcome = {"outcome": deployment["outcome"] or "ok"}
                store.amend("deployment", {"dep_id": deployment["dep_id"]}, changes | outcome)


def route_of(row: Row) -> Route:
    """The route that a row of the table says; InvalidInput for one that cannot be read."""
    try:
        detail = msgspec.json.decode(row["detail"], type=_Detail)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"revision {row['revision']} of endpoint {row['endpoint']!r} cannot be read: {error}"
        ) from error
    return Route(row["endpoint"], row["revision"], detail.variants, detail.shadows, detail.split, detail.policies)
