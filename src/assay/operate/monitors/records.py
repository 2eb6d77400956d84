"""Monitors on record: declared by a project or made by default, found again, and begun anew for another champion."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operate.monitors.definition import Definition, Monitor, MonitorKind, check_definition
from assay.operate.monitors.spans import length_of
from assay.operate.named import only_named
from assay.record.canonical import canonical_json
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.models.routes import newest_route
from assay.record.store import Row, Sql, Store

__all__ = [
    "DEFAULTS",
    "declare_monitors",
    "default_monitors",
    "find_monitor",
    "make_defaults",
    "monitor_of",
    "monitors_of",
    "reset_baseline",
]

DEFAULTS: tuple[MonitorKind, ...] = ("quality", "drift", "prediction_drift", "skew", "volume", "errors", "latency")


def declare_monitors(
    store: Store, model: str, endpoint: str, definitions: Mapping[str, Definition], *, where: str = "monitors"
) -> list[Monitor]:
    """Put the monitors of an endpoint in place as they are said here.

    The same definitions again change nothing. Monitors that are not named any more are switched off, but not those made
    by default, unless one of their kind is named. InvalidInput for a definition that is none.
    """
    for name, definition in definitions.items():
        if not name.strip():
            raise InvalidInput("a monitor has no name", where=where)
        check_definition(definition, f"{where}.{name}")
    kinds = {definition.kind for definition in definitions.values()}
    with store.transaction():
        known = {row["name"]: row for row in store.query("monitor", {"endpoint": endpoint}, order_by=["ts"])}
        for name, definition in definitions.items():
            _put(store, known.get(name), model, endpoint, name, definition)
        for name, row in known.items():
            if name in definitions or not row["enabled"] or monitor_of(row) is None:
                continue
            if not _is_default(row) or row["kind"] in kinds:
                _switch(store, row, "not declared any more")
        return monitors_of(store, endpoint=endpoint)


def default_monitors(store: Store, endpoint: str, version: ModelVersion) -> list[Monitor]:
    """The monitors that an endpoint has without being asked: those that it lacks are made, of the kinds `DEFAULTS`.

    Kinds that have a monitor, also one that was switched off, get no other. Their owner is whoever asks first.
    """
    with store.transaction():
        there = {row["kind"] for row in store.query("monitor", {"endpoint": endpoint}) if monitor_of(row) is not None}
        for kind in DEFAULTS:
            if kind not in there:
                _put(store, None, version.model, endpoint, kind, Definition(kind=kind))
    return monitors_of(store, endpoint=endpoint)


def make_defaults(store: Store) -> list[Monitor]:
    """Default monitors for every endpoint that has a champion and no monitors; those that were made."""
    bare = store.tuples(
        Sql("select distinct endpoint from route where endpoint not in (select endpoint from monitor)", {})
    )
    made: list[Monitor] = []
    for (endpoint,) in bare:
        route = newest_route(store, endpoint)
        if route is None:
            continue
        try:
            version = version_by_id(store, route.variants[0].mv_id)
        except NotFound:  # it was removed
            continue
        made += default_monitors(store, endpoint, version)
    return made


def monitors_of(
    store: Store, model: str | None = None, endpoint: str | None = None, *, all_of_them: bool = False
) -> list[Monitor]:
    """The monitors that look, by endpoint and name; also those that are switched off where all are asked for."""
    where: dict[str, object] = {} if all_of_them else {"enabled": 1}
    if model is not None:
        where["model"] = model
    if endpoint is not None:
        where["endpoint"] = endpoint
    rows = store.query("monitor", where, order_by=["endpoint", "name", "monitor_id"])
    return [found for row in rows if (found := monitor_of(row)) is not None]


def find_monitor(store: Store, name: str, endpoint: str | None = None) -> Monitor:
    """The monitor of that name, or whose id begins so; NotFound where there is none, or several endpoints have one."""
    every = monitors_of(store, endpoint=endpoint, all_of_them=True)
    return only_named(store, every, name, kind="monitor", of="endpoint", hint="assay monitor ls")


def monitor_of(row: Row) -> Monitor | None:
    """The monitor of a row; None for one of a store from before monitors were declared."""
    try:
        definition = msgspec.json.decode(row["detail"], type=Definition)
    except msgspec.ValidationError:
        return None
    return Monitor(
        monitor_id=row["monitor_id"],
        name=row["name"] or row["kind"],
        model=row["model"],
        endpoint=row["endpoint"],
        mv_id=row["mv_id"],
        owner=row["owner"],
        enabled=bool(row["enabled"]),
        definition=definition,
        looked=row["looked"],
        since=row["since"],
        version=row["version"],
    )


def reset_baseline(store: Store, endpoint: str, mv_id: str, *, since: datetime | None = None) -> list[Monitor]:
    """Monitors of the endpoint begin anew for the version that now serves: what is usual is learned from `since` on.

    The default is now. What was found before stays on record. Where the version is the one that they know already,
    nothing changes.
    """
    begin = iso(since or store.clock.latest())
    with store.transaction():
        for row in store.query("monitor", {"endpoint": endpoint, "enabled": 1}):
            if row["version"] == mv_id or monitor_of(row) is None:
                continue
            store.amend("monitor", {"monitor_id": row["monitor_id"]}, {"since": begin, "version": mv_id})
            note_change(store, "monitor", row["monitor_id"], "baseline", before=row["version"], after=mv_id)
    return monitors_of(store, endpoint=endpoint)


def _put(store: Store, known: Row | None, model: str, endpoint: str, name: str, definition: Definition) -> None:
    detail = canonical_json(msgspec.to_builtins(definition))
    length = length_of(definition)
    said = {"model": model, "kind": definition.kind, "detail": detail, "every_s": int(length.total_seconds())}
    said |= {"owner": definition.owner or (known["owner"] if known else store.actor.name), "enabled": 1}
    if known is None:
        store.append("monitor", {"monitor_id": new_id(), "endpoint": endpoint, "name": name, **said})
    elif any(known[key] != value for key, value in said.items()):
        changes = {**said, "updated": iso(store.clock.latest())}
        store.amend("monitor", {"monitor_id": known["monitor_id"]}, changes)
        note_change(store, "monitor", known["monitor_id"], "definition", before=known["detail"], after=detail)


def _is_default(row: Row) -> bool:
    """Whether a monitor is as `default_monitors` makes it: only such ones outlive their absence from a project file."""
    monitor = monitor_of(row)
    return monitor is not None and monitor.name == row["kind"] and monitor.definition == Definition(kind=row["kind"])


def _switch(store: Store, row: Row, reason: str) -> None:
    changes = {"enabled": 0, "updated": iso(store.clock.latest())}
    store.amend("monitor", {"monitor_id": row["monitor_id"]}, changes)
    note_change(store, "monitor", row["monitor_id"], "enabled", before="1", after="0", reason=reason)
