"""Reading features of entities for requests: several views in one round trip, by the rule of the offline join."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from assay.build.features.declared import Features
from assay.build.views.declared.keys import key_type
from assay.build.views.declared.moments import latest_us
from assay.build.views.joining.references import Asked, chosen, transforms, uses
from assay.build.views.matching.matching import PRESENT, STATUSES
from assay.build.views.online.packing import KeyPacker
from assay.build.views.online.rows import KeptRow
from assay.build.views.online.store import OnlineStore, OnlineTable, Together, open_online
from assay.errors import InvalidInput
from assay.record.clock import to_us
from assay.record.location import open_store
from assay.record.store import Store

__all__ = ["Answer", "FeatureReader", "get"]


class Answer(msgspec.Struct, frozen=True):
    """What was read at `now_us`, an item for each entity row.

    `values` are features by their names in the result. `status` says for each view, by its reference such as
    "flights@3", whether it is present, missing, expired or null_key; `ts` is the time of its row in microseconds, None
    where none is used.
    """

    now_us: int
    values: list[dict[str, Any]]
    status: list[dict[str, str]]
    ts: list[dict[str, int | None]]


class FeatureReader:
    """Features that are read again and again: looked up once, then read from any number of threads.

    `entity` are the key columns that an entity row must have, `key_types` their types; `columns` the names in the
    result, on-request features last; `used` which feature of which version each of them is. `online` is an address, or
    an open online store, which `close` leaves open. NotFound and InvalidInput as `references.chosen`.
    """

    def __init__(
        self, store: Store, features: Sequence[Asked], *, online: str | OnlineStore | None = None, prefix: bool = False
    ) -> None:
        found = chosen(features, store, prefix=prefix)
        self.used = uses(found)
        self._is_ours = not isinstance(online, OnlineStore)
        self.online = online if isinstance(online, OnlineStore) else open_online(store, online)
        self._clock = store.clock
        self._transforms: list[Features] = transforms(features)
        self._types: dict[str, pa.DataType] = {}
        groups: dict[tuple[str, ...], _Group] = {}  # views with equal keys are read together
        for one in found:
            assert one.version is not None  # with a store every view is registered
            table = self.online.table(one.version)
            entity = (*table.keys.names, *map(str, table.keys.types))
            group = groups.setdefault(entity, _Group(table.keys.of, [], []))
            taken = [table.features.index(name) for name in one.features]
            outputs = tuple(one.features.values())
            group.tables.append(table)
            group.views.append(_View(one.version.reference, outputs, _getter(taken)))
            self._types.update(zip(outputs, [table.types[place] for place in taken], strict=True))
        self._groups = [(one.key_of, Together(one.tables), one.views) for one in groups.values()]
        self.key_types = _key_types([one.tables[0].keys for one in groups.values()])
        self.entity = list(dict.fromkeys(name for one in found for name in one.view.entity))
        made = [name for one in self._transforms for name in one.columns or one.definitions]
        self.columns = [*self._types, *made]

    def read(self, entity_rows: Sequence[Mapping[str, object]], now_us: int | None = None) -> Answer:
        """The features of each row, at a moment or now by the store's clock.

        A row has the key columns of every view, and what on-request features are computed from. A null key is no error,
        a missing or mistyped one is InvalidInput.
        """
        now = latest_us(self._clock) if now_us is None else now_us
        wants = [(tables, list(map(key_of, entity_rows))) for key_of, tables, _ in self._groups]
        values: list[dict[str, Any]] = [dict.fromkeys(self._types) for _ in entity_rows]
        statuses: list[dict[str, str]] = [{} for _ in entity_rows]
        times: list[dict[str, int | None]] = [{} for _ in entity_rows]
        for (_, _, views), found in zip(self._groups, self.online.read(wants, now), strict=True):
            for (reference, outputs, taken), answers in zip(views, found, strict=True):
                for (code, row), value, status, ts in zip(answers, values, statuses, times, strict=True):
                    status[reference] = STATUSES[code]
                    ts[reference] = row[0] if row is not None and code == PRESENT else None
                    if row is not None:
                        value.update(zip(outputs, taken(row), strict=True))
        if self._transforms:
            values = self._transformed(entity_rows, values)
        return Answer(now, values, statuses, times)

    def close(self) -> None:
        """Release connections. Closing twice is harmless."""
        if self._is_ours:
            self.online.close()

    def _transformed(
        self, entity_rows: Sequence[Mapping[str, object]], values: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Values with what is computed of them and of the columns of the request."""
        given = list(dict.fromkeys(name for row in entity_rows for name in row))
        clash = next((name for name in given if name in self._types), None)
        if clash is not None:
            raise InvalidInput(f"the entity rows have a column {clash!r} already", hint="prefix=True, or rename it")
        columns = {name: pa.array([row.get(name) for row in entity_rows]) for name in given}
        columns |= {name: pa.array([value[name] for value in values], kind) for name, kind in self._types.items()}
        table = pa.table(columns)
        for transform in self._transforms:
            table = transform.apply(table)
        made = [name for name in table.column_names if name not in columns]
        return [value | row for value, row in zip(values, table.select(made).to_pylist(), strict=True)]


class _View(NamedTuple):
    """What a reader takes out of the rows of a view."""

    reference: str
    outputs: tuple[str, ...]
    taken: Callable[[KeptRow], tuple[Any, ...]]


class _Group(NamedTuple):
    """Views of one entity, with the tables that they are in."""

    key_of: Callable[[Mapping[str, object]], bytes | None]
    tables: list[OnlineTable]
    views: list[_View]


def _key_types(packers: Sequence[KeyPacker]) -> dict[str, pa.DataType]:
    """InvalidInput where views have a key of one name and different types: no row could have both."""
    found: dict[str, pa.DataType] = {}
    for one in packers:
        for name, kind in zip(one.names, one.types, strict=True):
            if found.setdefault(name, kind) != kind:
                raise InvalidInput(
                    f"the key {name!r} is {key_type(found[name])} in one view and {key_type(kind)} in {one.called!r}",
                    expected="the same type in all of them",
                )
    return found


def _getter(places: Sequence[int]) -> Callable[[KeptRow], tuple[Any, ...]]:
    """Takes values out of a row, behind its three times."""
    if len(places) == 1:
        place = 3 + places[0]
        return lambda row: (row[place],)
    return operator.itemgetter(*[3 + place for place in places])


def get(
    entity_rows: Sequence[Mapping[str, object]],
    features: Sequence[Asked],
    *,
    store: Store | None = None,
    online: str | None = None,
    now: datetime | None = None,
    prefix: bool = False,
) -> list[dict[str, Any]]:
    """The features of entities now, from the online store: for each row the values by name.

    `features` as for a training set: "flights:delay_7d", "flights@3:*", a view, or `Features` that are computed of the
    row's own columns and the stored values. `now` is an aware time, by default the store's clock. For many requests,
    keep a `FeatureReader`.
    """
    if now is not None and now.tzinfo is None:
        raise InvalidInput(f"now is {now}, without a time zone", expected="an aware datetime")
    opened = open_store(create=False) if store is None else store
    try:
        reader = FeatureReader(opened, features, online=online, prefix=prefix)
        try:
            return reader.read(entity_rows, None if now is None else to_us(now)).values
        finally:
            reader.close()
    finally:
        if store is None:
            opened.close()
