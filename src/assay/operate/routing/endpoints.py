"""Endpoints as people look at them: who answers with which share, which workers serve what, and who decided it."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operate.routing.assignment import assigner, propensities
from assay.operate.routing.segments import segment_of
from assay.operation import operation
from assay.record.ledger import numbered
from assay.record.models.registry import version_by_id
from assay.record.models.routes import (
    FULL_COVERAGE,
    Route,
    Split,
    Variant,
    current_route,
    is_live,
    live_workers,
    route_of,
)
from assay.record.store import Store

__all__ = [
    "EndpointDecision",
    "EndpointDetail",
    "EndpointSummary",
    "EndpointVariant",
    "EndpointWorker",
    "UnitVariant",
    "list_endpoints",
    "show_endpoint",
    "variant_of_unit",
]

_DECISIONS = 10


class EndpointVariant(msgspec.Struct, frozen=True):
    """A version that answers, or as a `shadow` is only asked. `share` is that of all units which it answers."""

    name: str
    model: str
    version: int
    role: str
    weight: int
    share: float


class EndpointWorker(msgspec.Struct, frozen=True):
    """A process that serves an endpoint. `revision` is the last one that it acknowledged, None before the first.

    `problem` is what keeps it from a newer one.
    """

    worker: str
    url: str
    host: str
    pid: int
    started: str
    seen: str
    live: bool
    revision: int | None
    problem: str | None


class EndpointDecision(msgspec.Struct, frozen=True):
    """The decision behind a revision of the route."""

    revision: int
    decision: int
    kind: str
    ts: str
    actor: str
    reason: str


class EndpointSummary(msgspec.Struct, frozen=True):
    """An endpoint as `assay endpoint ls` lists it. `serving` of its live workers answer with this revision."""

    endpoint: str
    revision: int
    variants: list[EndpointVariant]
    experiment: str | None
    workers: int
    serving: int
    ts: str
    actor: str


class EndpointDetail(msgspec.Struct, frozen=True):
    """All about an endpoint. `workers` are those that live, and those that were lost: not seen, and never ended."""

    endpoint: str
    revision: int
    variants: list[EndpointVariant]
    split: Split | None
    workers: list[EndpointWorker]
    decisions: list[EndpointDecision]


class UnitVariant(msgspec.Struct, frozen=True):
    """The variant of a unit, and why: `only`, `hash`, or `outside` of the coverage or the segment."""

    endpoint: str
    revision: int
    unit: str
    variant: str
    model: str
    version: int
    reason: str
    words: str
    bucket: int | None
    propensity: float


@operation("endpoint ls")
def list_endpoints(store: Store) -> list[EndpointSummary]:
    """List endpoints: which versions answer with which share, and how many workers have taken the route over."""
    newest = {row["endpoint"]: row for row in store.query("route", order_by=["endpoint", "revision"])}
    found = []
    for endpoint, row in newest.items():
        route = route_of(row)
        live, revisions = live_workers(store, endpoint), _revisions(store, endpoint)
        found.append(
            EndpointSummary(
                endpoint=endpoint,
                revision=route.revision,
                variants=_variants(store, route),
                experiment=route.split.experiment if route.split else None,
                workers=len(live),
                serving=sum(revisions.get(worker, 0) >= route.revision for worker in live),
                ts=row["ts"],
                actor=row["actor"],
            )
        )
    return found


@operation("endpoint show")
def show_endpoint(store: Store, endpoint: str) -> EndpointDetail:
    """Show an endpoint: variants with their shares, shadows, workers with what they serve, the last decisions."""
    route = current_route(store, endpoint)
    revisions = _revisions(store, endpoint)
    workers = [
        EndpointWorker(
            **{name: row[name] for name in ("worker", "url", "host", "pid", "started", "seen")},
            live=is_live(store, row),
            revision=revisions.get(row["worker"]),
            problem=row["detail"],
        )
        for row in store.query("serving_worker", {"endpoint": endpoint, "ended": None}, order_by=["worker"])
    ]
    return EndpointDetail(
        endpoint, route.revision, _variants(store, route), route.split, workers, _decisions(store, endpoint)
    )


@operation("endpoint variant")
def variant_of_unit(
    store: Store,
    endpoint: str,
    *,
    unit: Annotated[str, "The unit: who is assigned, such as a customer's number"] = "",
    value: Annotated[list[str], "A value that the segment looks at, as column=value; several times"] = [],  # noqa: B006 - read only
) -> UnitVariant:
    """Say which variant a unit has, and why."""
    if not unit:
        raise InvalidInput("no unit is named", expected="--unit and who is assigned")
    route = current_route(store, endpoint)
    asking = assigner(route)
    row = _row(value, asking.columns)
    assigned = asking.assign(unit, row)
    variant = route.variants[assigned.variant]
    version = version_by_id(store, variant.mv_id)
    return UnitVariant(
        endpoint=endpoint,
        revision=route.revision,
        unit=unit,
        variant=variant.name,
        model=version.model,
        version=version.version,
        reason=assigned.reason,
        words=_words(route, assigned.reason, row),
        bucket=assigned.bucket,
        propensity=assigned.propensity,
    )


def _words(route: Route, reason: str, row: dict[str, object]) -> str:
    if route.split is None:
        return "there is no split, the champion answers everybody"
    split = route.split
    covered = f"{split.coverage * 100 / FULL_COVERAGE:g} % of the units"
    if reason == "hash":
        return f"it takes part in {split.experiment!r}, with {covered}, and its hash says so"
    if split.segment and not segment_of(split.segment).holds(row):
        return f"it is outside of the segment {split.segment}"
    return f"it is not among the {covered} that take part in {split.experiment!r}"


def _row(values: Sequence[str], columns: Sequence[str]) -> dict[str, object]:
    """Values by column; what reads as a number is one where it is not in quotes."""
    row: dict[str, object] = {}
    for said in values:
        name, sign, text = said.partition("=")
        if not sign or name not in columns:
            raise InvalidInput(
                f"the value {said!r}", expected=f"column=value with {', '.join(columns) or 'no column'} of the segment"
            )
        try:
            row[name] = float(text)
        except ValueError:
            row[name] = text.strip("'\"")
    return row


def _variants(store: Store, route: Route) -> list[EndpointVariant]:
    shares = propensities(route.variants, route.split)
    live = [_shown(store, one, "live", share) for one, share in zip(route.variants, shares, strict=True)]
    return live + [_shown(store, one, "shadow", 0.0) for one in route.shadows]


def _shown(store: Store, variant: Variant, role: str, share: float) -> EndpointVariant:
    version = version_by_id(store, variant.mv_id)
    return EndpointVariant(variant.name, version.model, version.version, role, variant.weight, share)


def _revisions(store: Store, endpoint: str) -> dict[str, int]:
    """The last revision that each worker acknowledged."""
    rows = store.query("route_ack", {"endpoint": endpoint}, order_by=["revision"])
    return {row["worker"]: row["revision"] for row in rows}


def _decisions(store: Store, endpoint: str) -> list[EndpointDecision]:
    rows = store.query("route", {"endpoint": endpoint}, order_by=["-revision"], limit=_DECISIONS)
    entries = numbered(store, [row["decision"] for row in rows])
    found = []
    for row in rows:
        entry = entries.get(row["decision"])
        if entry is not None:
            reason = str(entry.detail.get("reason", ""))
            found.append(EndpointDecision(row["revision"], entry.seq, entry.kind, entry.ts, entry.actor, reason))
    return found
