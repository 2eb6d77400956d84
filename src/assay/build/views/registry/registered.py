"""Feature views in a store: versions by content, and back from there to what was declared.

A version is its code (the functions it reaches, as for steps), its declaration and its schema. What was registered
before under the same content is the same version, and again what its name means; what is said about it (owner,
description, ...) may change.
"""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.views.declared.history import ARRIVAL, CREATED, TS, source_rows
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.window_values import check_columns
from assay.build.views.registry.declaration import Code, Declaration, content_of, declaration, declared_view
from assay.build.views.registry.source_rows import SourceRows
from assay.errors import InvalidInput, NotFound, nearest
from assay.record import tables
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.datasets import snapshot
from assay.record.ledger import serialise
from assay.record.store import Row, Store

__all__ = [
    "Code",
    "Declaration",
    "Seen",
    "ViewVersion",
    "draft",
    "enter",
    "find_view",
    "register",
    "view_of",
    "view_versions",
]

_KIND = "feature_view"
_OURS = (TS, CREATED, ARRIVAL)


class Seen(msgspec.Struct, frozen=True):
    """What was seen of the rows when the version was registered last: how many, null values, greatest time, seconds."""

    rows: int
    nulls: dict[str, int]
    newest_us: int | None
    seconds: float
    ts: str


class ViewVersion(msgspec.Struct, frozen=True):
    """A version of a feature view in a store."""

    name: str
    version: int
    hash: str
    registered: str
    actor: str
    declared: Declaration
    seen: Seen | None = None

    @property
    def reference(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.name}@{self.version}"

    @property
    def feature_names(self) -> list[str]:
        """What it gives, in order."""
        if self.declared.aggregates:
            return list(self.declared.aggregates)
        return [name for name in self.declared.rows_schema.names if name not in self.declared.entity]


def register(store: Store, view: FeatureView) -> ViewVersion:
    """Keep a view as a version of its name; the same content again is the same version.

    The source is read once for the types of its columns. A table in memory is kept as a dataset of the view's name.
    InvalidInput for a view that cannot be computed, and for checks that are functions.
    """
    return enter(store, view, *look_at(SourceRows(view, store)))


def look_at(source: SourceRows) -> tuple[pa.Table, Seen]:
    """The form of the rows, as a table without any, and what is seen of them in one pass."""
    began = time.perf_counter()
    form: pa.Table | None = None
    rows, nulls, newest = 0, Counter[str](), None
    for batch in source:
        form = batch.slice(0, 0) if form is None else form
        rows += batch.num_rows
        nulls.update({name: batch.column(name).null_count for name in batch.column_names if name not in _OURS})
        greatest = pc.max(batch.column(TS)).as_py()
        newest = greatest if newest is None else max(newest, greatest) if greatest is not None else newest
    form = source_rows(source.view, source.store) if form is None else form  # there is no row
    return form, Seen(rows, dict(nulls), newest, time.perf_counter() - began, iso(source.store.clock.now()))


def enter(store: Store, view: FeatureView, form: pa.Table, seen: Seen) -> ViewVersion:
    """Register a view whose source was looked at."""
    declared = draft(view, form)
    content = content_of(view.name, declared)
    _keep_tables(store, view)
    with store.transaction():  # somebody else may register the same right now
        serialise(store)
        known = store.query(_KIND, {"name": view.name}, order_by=["-version"])
        same = next((row for row in known if row["hash"] == content), None)
        if same is None:
            version = known[0]["version"] + 1 if known else 1
            detail = msgspec.json.encode(declared).decode()  # in the order in which the features were declared
            store.append(_KIND, {"name": view.name, "version": version, "hash": content, "detail": detail})
        else:
            version = same["version"]
            _said_anew(store, _version(same), declared)
        facts = {"facts": msgspec.json.encode(seen).decode()}
        store.amend(_KIND, {"name": view.name, "version": version}, facts)
    return find_view(store, f"{view.name}@{version}")


def draft(view: FeatureView, rows: pa.Table) -> Declaration:
    """What would be kept of a view with these rows. InvalidInput as `register`."""
    check_columns(view, rows.schema)
    declared = declaration(view, rows, _source(view))
    if not view.aggregates and len(declared.rows_schema) == len(view.entity):
        raise InvalidInput(
            f"the feature view {view.name!r} gives no features", expected="a column beside keys and times"
        )
    return declared


def view_versions(store: Store, name: str | None = None) -> list[ViewVersion]:
    """All versions by name, those that were registered last first: that is what a name without a number means."""
    where = {"name": name} if name else None
    found = [_version(row) for row in store.query(_KIND, where, order_by=["-version"])]
    found.sort(key=lambda one: one.seen.ts if one.seen else one.registered, reverse=True)
    return sorted(found, key=lambda one: one.name)


def find_view(store: Store, which: str) -> ViewVersion:
    """The version that `NAME` (registered last) or `NAME@VERSION` names. NotFound with the nearest name."""
    name, mark, number = which.partition("@")
    versions = view_versions(store, name)
    if not name or not versions:
        names = sorted({row["name"] for row in store.query(_KIND)})
        close = nearest(name, names)
        there = f"there are {', '.join(names)}" if names else "`assay features register FILE.py` registers views"
        raise NotFound(
            f"there is no feature view {name!r}",
            where=store.location,
            hint=f"did you mean {close!r}?" if close else there,
        )
    found = versions[0] if not mark else next((one for one in versions if str(one.version) == number), None)
    if found is None:
        raise NotFound(
            f"there is no version {number} of the feature view {name!r}",
            expected=f"1 to {max(one.version for one in versions)}",
        )
    return found


def view_of(version: ViewVersion) -> FeatureView:
    """The view as it was declared. Its function is found when it is called first: kept rows are read without it.

    Calling it is InvalidInput where the function's file is gone, or its code is another one by now.
    """
    return declared_view(version.name, version.declared, version.reference)


def _source(view: FeatureView) -> str | dict[str, str]:
    """Names and places as they were written; a table is the dataset under which it is kept."""
    if not isinstance(view.source, Mapping):
        return _written(view.source, view.name)
    return {name: _written(one, _dataset_of(view.name, name)) for name, one in view.source.items()}


def _written(given: Any, kept_as: str) -> str:
    return str(given) if isinstance(given, str | Path) else kept_as


def _dataset_of(view: str, source: str) -> str:
    return f"{view}.{source}"


def _keep_tables(store: Store, view: FeatureView) -> None:
    several = isinstance(view.source, Mapping)
    given = {_dataset_of(view.name, name): one for name, one in view.source.items()} if several else None
    for name, one in (given or {view.name: view.source}).items():
        if not isinstance(one, str | Path):
            snapshot(store, name, tables.as_table(one), source_system="feature view")


def _said_anew(store: Store, version: ViewVersion, declared: Declaration) -> None:
    """Where only the words differ, or the place of the code, the version has the new ones."""
    if declared == version.declared:
        return
    before, after = version.declared.said, declared.said
    for what in sorted({*before, *after}):
        if before.get(what) != after.get(what):
            note_change(store, _KIND, version.reference, what, before=before.get(what), after=after.get(what))
    schema = version.declared.schema  # the same types, whichever version of Arrow wrote them
    detail = msgspec.json.encode(msgspec.structs.replace(declared, schema=schema)).decode()
    store.amend(_KIND, {"name": version.name, "version": version.version}, {"detail": detail})


def _version(row: Row) -> ViewVersion:
    try:
        declared = msgspec.json.decode(row["detail"], type=Declaration)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"the feature view {row['name']}@{row['version']} was kept by another version of Assay: {error}"
        ) from error
    seen = msgspec.json.decode(row["facts"], type=Seen) if row["facts"] else None
    return ViewVersion(row["name"], row["version"], row["hash"], row["ts"], row["actor"], declared, seen)
