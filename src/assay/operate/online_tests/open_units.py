"""Units of a running test whose windows are open, with their rows and labels: until they are counted, and no longer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.units import Windowed

if TYPE_CHECKING:
    import duckdb

__all__ = ["OpenUnit", "OpenUnits", "UnitRow"]

UnitRow = tuple[str, int, int | None, str, float | None, str, int]  # id, t, arm, reason, output, status, latency_us
_Label = tuple[float, int, int]  # value, when it happened, revision

_FIRST = pa.schema(
    [
        *((name, pa.string()) for name in ("unit", "id")),
        ("single", pa.bool_()),
        ("begun", pa.int64()),
        *((name, pa.int32()) for name in ("phase", "arm")),
    ]
)
_PART = pa.schema(
    [
        *(("unit", pa.string()), ("id", pa.string()), ("t", pa.int64()), ("arm", pa.int32()), ("reason", pa.string())),
        *(("output", pa.float64()), ("status", pa.string()), ("latency_us", pa.int64())),
    ]
)
_LABELS = pa.schema(
    [("prediction_id", pa.string()), ("unit", pa.string()), ("value", pa.float64()), ("happened", pa.int64())]
)


@dataclass(slots=True)
class OpenUnit:
    """A unit, its first row by hash, all its rows, and the numbers of the windows for which it was counted."""

    unit: str
    single: bool
    id: str
    begun: int
    phase: int
    arm: int
    rows: list[UnitRow] = field(default_factory=list)
    counted: set[int] = field(default_factory=set)


class OpenUnits:
    """Units by name. Of those that are counted in full only the last moment is kept at which their rows count."""

    def __init__(self, variants: Sequence[str], windows: Sequence[Windowed], labels: Iterable[str]) -> None:
        self.units: dict[str, OpenUnit] = {}
        self._arms = {name: place for place, name in enumerate(variants)}
        self._windows = windows
        self._longest = max(windowed.window_us for windowed in windows)
        self._closes = max(windowed.closes_us for windowed in windows)
        self._done: dict[str, int] = {}
        self._waiting: dict[str, list[UnitRow]] = {}  # rows of units that nobody assigned by hash so far
        self._labels: dict[str, dict[str, _Label]] = {name: {} for name in labels}
        self._of_units: dict[str, dict[str, dict[str, _Label]]] = {name: {} for name in labels}
        self._ids: dict[str, str] = {}  # prediction -> unit, of the rows that are here

    def add_rows(self, rows: pa.Table, evidence: Evidence) -> list[OpenUnit] | None:
        """Add live rows of the test, count them in `evidence`, and give the units that are new.

        None where a row belongs to a unit that was counted without it, or stands before its unit's first row.
        """
        added = []
        names = ("id", "unit", "reason", "variant", "phase", "output", "status", "latency_us")
        columns = [rows[name].to_pylist() for name in names]
        times = rows["moment"].cast(pa.int64()).to_pylist()
        order = sorted(range(rows.num_rows), key=lambda place: (times[place], columns[0][place]))
        for place in order:
            id, unit, reason, variant, phase, output, status, latency = (column[place] for column in columns)
            t, arm, name = times[place], self._arms.get(variant), id if unit is None else unit
            if reason not in ("hash", "forced", "fallback"):
                continue
            if reason != "hash" and arm is not None:
                counts = evidence.forced if reason == "forced" else evidence.fallback
                counts[arm] = counts.get(arm, 0) + 1
            row = (id, t, arm, reason, output, status, latency)
            known = self.units.get(name)
            if name in self._done:
                if t <= self._done[name]:
                    return None
                continue
            if known is None and (reason != "hash" or arm is None):
                self._waiting.setdefault(name, []).append(row)
            elif known is None:
                assert arm is not None
                known = OpenUnit(name, unit is None, id, t, phase, arm, [*self._waiting.pop(name, []), row])
                self.units[name] = known
                added.append(known)
                self._ids.update({one[0]: name for one in known.rows})
                evidence.exposed[phase, arm] = evidence.exposed.get((phase, arm), 0) + 1
                evidence.begun_us = t if evidence.begun_us is None else min(t, evidence.begun_us)
            else:
                if (reason == "hash" and (t, id) < (known.begun, known.id)) or self._missed(known, t):
                    return None
                known.rows.append(row)
                self._ids[id] = name
        return added

    def add_labels(self, name: str, labels: pa.Table, last: int) -> tuple[bool, dict[str, int]]:
        """Add labels, unless a higher revision is known.

        Whether one changes a unit that was counted already; and the predictions of which that cannot be said here,
        with the moment at which their label happened. What happened after the last look cannot be of a unit whose
        window had closed by then.
        """
        unknown: dict[str, int] = {}
        changes = False
        keys = ("prediction_id", "unit", "event", "value", "revision")
        columns = [labels[key].to_pylist() for key in keys]
        times = labels["event_ts"].cast(pa.int64()).to_pylist()
        for place, (id, unit, event, value, revision) in enumerate(zip(*columns, strict=True)):
            happened = times[place]
            told = self._labels[name] if id is not None else self._of_units[name].setdefault(unit, {})
            key = id if id is not None else event
            if key in told and told[key][2] >= revision:
                continue
            told[key] = (value, happened, revision)
            if happened > last:
                continue
            own = self._ids.get(id) if id is not None else unit
            if own in self.units:
                changes = changes or self._labelled(self.units[own])
            elif id is None:
                changes = changes or happened <= self._done.get(unit, -self._closes - 1) + self._closes
            else:
                unknown[id] = min(happened, unknown.get(id, happened))
        return changes, unknown

    def tables(self, units: Sequence[OpenUnit]) -> tuple[pa.Table, pa.Table, dict[str, pa.Table]]:
        """`first`, `part` and the labels of these units, as `units.make_values` reads them."""
        first = [(one.unit, one.id, one.single, one.begun, one.phase, one.arm) for one in units]
        part = [(one.unit, *row) for one in units for row in one.rows]
        labels = {}
        for name, told in self._labels.items():
            found: list[tuple[str | None, str | None, float, int]] = []
            # A caller may have given an id twice: its label stands once all the same.
            ids = {row[0]: None for one in units for row in one.rows if row[0] in told}
            found += [(id, None, *told[id][:2]) for id in ids]
            for one in units:
                found += [(None, one.unit, *label[:2]) for label in self._of_units[name].get(one.unit, {}).values()]
            labels[f"closing_{name}"] = _table(found, _LABELS)
        return _table(first, _FIRST), _table(part, _PART), labels

    def label(self, name: str, id: str, until: int) -> float | None:
        """The label of an open unit's row, if it happened by then, in microseconds."""
        told = self._labels[name].get(id)
        return told[0] if told is not None and told[1] <= until else None

    def labels_of(self, name: str, unit: str, since: int, until: int) -> list[float]:
        """The labels that name an open unit and happened from `since` to `until`, in microseconds."""
        return [value for value, t, _ in self._of_units[name].get(unit, {}).values() if since <= t <= until]

    def counted(self, units: Iterable[OpenUnit], number: int) -> None:
        """Say that units were counted for the windows of that number; who is counted for all of them goes."""
        for unit in units:
            unit.counted.add(number)
            if len(unit.counted) == len(self._windows):
                self._let_go(unit)

    def restore(self, connection: "duckdb.DuckDBPyConnection", labels: Mapping[str, pa.Table], as_of_us: int) -> None:
        """What is open after everything was summed: by the tables `first` and `part` that were made for it."""
        whole = max(windowed.maturity_us for windowed in self._windows)
        connection.execute(
            "create or replace table done as select unit, single, begun from first "
            f"where begun + case when single then {whole} else {self._closes} end <= {as_of_us}"
        )
        longest = f"case when single then 0 else {self._longest} end"
        self._done = dict(connection.execute(f"select unit, begun + {longest} from done").fetchall())
        not_done = "unit not in (select unit from done)"
        found = connection.execute(f"select unit, single, id, begun, phase, arm from first where {not_done}").fetchall()
        for row in found:
            unit = OpenUnit(*row)
            self.units[unit.unit] = unit
            for number, windowed in enumerate(self._windows):
                length = windowed.maturity_us if unit.single else windowed.closes_us
                if unit.begun + length <= as_of_us:
                    unit.counted.add(number)
        rows = connection.execute(
            f"select unit, id, t, arm, reason, output, status, latency_us from part where {not_done}"
        ).fetchall()
        for name, *values in rows:
            row = tuple(values)
            if name in self.units:
                self.units[name].rows.append(row)
                self._ids[row[0]] = name
            else:
                self._waiting.setdefault(name, []).append(row)
        for name, table in labels.items():
            connection.register("all_told", table)
            left = connection.sql(
                f"select * from all_told where case when prediction_id is null then {not_done} "
                "else prediction_id not in (select id from part where unit in (select unit from done)) end"
            ).to_arrow_table()
            self.add_labels(name, left, -1)

    def _missed(self, unit: OpenUnit, t: int) -> bool:
        """Whether a row of that moment counts for windows for which the unit was counted without it."""
        return any(t <= unit.begun + (0 if unit.single else self._windows[number].window_us) for number in unit.counted)

    def _labelled(self, unit: OpenUnit) -> bool:
        """Whether the unit was counted for a metric that needs labels."""
        return any(metric.needs_labels for number in unit.counted for metric in self._windows[number].metrics)

    def _let_go(self, unit: OpenUnit) -> None:
        self._done[unit.unit] = unit.begun + (0 if unit.single else self._longest)
        del self.units[unit.unit]
        for row in unit.rows:
            self._ids.pop(row[0], None)
            for told in self._labels.values():
                told.pop(row[0], None)
        for of_units in self._of_units.values():
            of_units.pop(unit.unit, None)


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)], schema=schema)
