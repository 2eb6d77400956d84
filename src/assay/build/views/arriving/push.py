"""Rows written directly to a view: into its log, then online by the same rule as what its source gives."""

from typing import Annotated, Any

import msgspec

from assay.build.data.sources import source
from assay.build.views.arriving.accepting import Acceptance
from assay.build.views.arriving.applying import apply_rows
from assay.build.views.arriving.pushed_rows import pushed_rows
from assay.build.views.declared.history import ARRIVAL
from assay.build.views.declared.moments import latest_us
from assay.build.views.declared.view import FeatureView
from assay.build.views.log.log import append_rows
from assay.build.views.log.log_rewriting import compact
from assay.build.views.online.store import OnlineStore, open_online
from assay.build.views.registry.registered import ViewVersion, find_view, register, view_of
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.live.server_calls import call_operation
from assay.record.location import open_store
from assay.record.store import Store

__all__ = ["Pushed", "push", "push_file", "put_rows"]

_LOOK_EVERY = 128  # arrivals
_AT_ONCE = 10_000  # rows of a call of a server


class Pushed(msgspec.Struct, frozen=True):
    """What became of pushed rows: all `rows` are logged. `applied` are served from now on, `waiting` from a later time.

    `late` are older than what was there, or were there already; `unusable` have no key, or no created.
    """

    view: str
    rows: int
    applied: int
    late: int
    waiting: int
    unusable: int


def push(
    view: str | FeatureView | ViewVersion,
    rows: object,
    *,
    store: Store | None = None,
    online: str | OnlineStore | None = None,
    now_us: int | None = None,
) -> Pushed:
    """Write rows to a view: a table, a frame, a mapping or a list of mappings, with its keys, time and features.

    They are logged and then applied online, by the rule that rows from the source go by: an older row hides no newer
    one, a row from the future waits for its time. What was returned survives a crash; where this raises, nothing is
    logged. `now_us` is when they arrive, by default now. For many pushes, hand over an open `OnlineStore`.

    NotFound for an unknown view; InvalidInput for rows that are not the view's, or break its checks.
    """
    opened = open_store(create=False) if store is None else store
    place = online if isinstance(online, OnlineStore) else open_online(opened, online)
    try:
        return _pushed(opened, _version(opened, view), rows, place, now_us)
    finally:
        if place is not online:
            place.close()
        if store is None:
            opened.close()


@operation("features put")
def put_rows(store: Store, view: str, rows: list[dict[str, Any]]) -> Pushed:
    """Write rows, a JSON list of objects, to a view: they are logged, and served by their time.

    Raises NotFound for an unknown view; InvalidInput for rows that are not the view's, or break its checks.
    """
    return push(view, rows, store=store)


def _to_server(url: str, view: str, file: str, *, online: str | None = None) -> Pushed:
    """The same where the store is a server: the file is read here."""
    if online is not None:
        raise InvalidInput("a server has an online store of its own", where=url, hint="leave --online out")
    table = source(file).read()
    found = Pushed(view, 0, 0, 0, 0, 0)
    for first in range(0, max(1, table.num_rows), _AT_ONCE):
        rows = table.slice(first, _AT_ONCE).to_pylist()
        answer = msgspec.json.decode(call_operation(url, "features put", {"view": view, "rows": rows}), type=Pushed)
        counts = [getattr(found, name) + getattr(answer, name) for name in Pushed.__struct_fields__[1:]]
        found = Pushed(answer.view, *counts)
    return found


@operation("features push", on_server=_to_server)
def push_file(
    store: Store,
    view: str,
    file: str,
    *,
    online: Annotated[str | None, "File, redis:// or postgresql:// of the online store, if not the usual one"] = None,
) -> Pushed:
    """Write the rows of a file to a view: they are logged, and served by their time.

    Raises NotFound for an unknown view; InvalidInput for rows that are not the view's, or break its checks.
    """
    return push(view, source(file).read(), store=store, online=online)


def _version(store: Store, view: str | FeatureView | ViewVersion) -> ViewVersion:
    if isinstance(view, ViewVersion):
        return view
    return find_view(store, view) if isinstance(view, str) else register(store, view)


def _pushed(store: Store, version: ViewVersion, given: object, online: OnlineStore, now_us: int | None) -> Pushed:
    def now() -> int:
        return latest_us(store.clock) if now_us is None else now_us

    rows = pushed_rows(version, given)
    acceptance = Acceptance(store, version, view_of(version))
    acceptance.accept(rows)
    logged = append_rows(store, version, rows, "push", now())
    acceptance.record()
    written = apply_rows(store, version, online.table(version), logged, now)
    if (
        logged.num_rows
        and logged[ARRIVAL][-1].as_py() // _LOOK_EVERY != (logged[ARRIVAL][0].as_py() - 1) // _LOOK_EVERY
    ):
        compact(store, version)
    return Pushed(version.reference, logged.num_rows, written.applied, written.older, written.waiting, written.unusable)
