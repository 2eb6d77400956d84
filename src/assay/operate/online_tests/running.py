"""A running test in memory: only what is new is read, and only units that close now are added to the sums.

For whoever looks every few seconds. What comes out is to the bit what `gathering` makes of the whole log: values come
of the same SQL, and sums are exact, so parts add up. Where something comes so late that it changes a unit which was
counted already (a row from before, a label told afterwards), the sums are made again from the rows in memory.
"""

from collections.abc import Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.sql import own_database
from assay.errors import InvalidInput
from assay.operate.labels.known import LABELS, label_rows
from assay.operate.online_tests.aggregating import Exponents
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.gathering import add_closed, evidence_of
from assay.operate.online_tests.open_units import OpenUnit, OpenUnits, Told
from assay.operate.online_tests.units import make_values, windows_of
from assay.operate.predictions.tail import Tail
from assay.record.clock import iso, to_us
from assay.record.store import Sql, Store

__all__ = ["RunningTest"]

_COLUMNS = [
    *("id", "unit", "experiment", "role", "reason", "variant", "phase", "moment", "output", "status", "latency_us"),
    "mv_id",
]
_WHOLE = 20_000  # rows from which on everything is summed again instead of one row after the other
_TOLD = "select {key}, value, event_ts, ingest_ts, revision from {table} where name = :name and ingest_ts > :told"


class RunningTest:
    """The evidence of an A/B test or bandit, kept up to date; one thread uses it.

    `rebuilt` counts how often something came too late, so that all sums were made again.
    """

    def __init__(self, test: OnlineTest) -> None:
        self.test = test
        self.rebuilt = 0
        self.evidence = Evidence(0)
        self._windows = windows_of(test.metrics)
        self._names = sorted({metric.label for metric in test.metrics if metric.needs_labels})
        self._needs_log = any(metric.covariate != "none" for metric in test.metrics)
        self._exponents: dict[int, Exponents] = {}
        self._open = OpenUnits(test.names, self._windows, self._names)
        self._closing: list[tuple[int, int, str]] = []  # a heap: when, the number of the windows, the unit
        self._rows: list[pa.Table] = []
        self._labels: dict[str, list[pa.Table]] = {name: [] for name in self._names}
        self._pending: pa.Table | None = None  # rows from behind the last look
        self._told = ""
        self._connection = own_database()
        self._connection.execute("set timezone = 'UTC'")

    def close(self) -> None:
        """Let the memory go."""
        self._connection.close()

    def refresh(self, store: Store, tail: Tail) -> Evidence:
        """Take in what is new in the log and among the labels, up to now; `tail` is that of the test's endpoint."""
        now = store.clock.latest()
        rows = tail.read_new()
        labels = {name: _new_labels(store, self.test.endpoint, name, self._told, now) for name in self._names}
        self._told = iso(now)
        return self.update(rows, labels, to_us(now))

    def update(self, rows: pa.Table, labels: Mapping[str, pa.Table], as_of_us: int) -> Evidence:
        """Take in new rows of the log and new labels by name (`labels.known.LABELS`), as known at `as_of_us`."""
        last = self.evidence.as_of_us
        fresh = self._fresh_rows(rows, as_of_us)
        told = {name: labels[name].select(LABELS.names) for name in self._names if name in labels}
        for name, table in told.items():
            self._labels[name].append(table)
        if last == 0 or fresh.num_rows + sum(table.num_rows for table in told.values()) > _WHOLE:
            self._sum_all(as_of_us)
            return self.evidence
        is_late = as_of_us < last or self._take(fresh, told, last)
        if not is_late:
            try:
                self._count(as_of_us)
            except InvalidInput:  # a value larger than all before: the steps of the sums become coarser
                is_late = True
        if is_late:
            self.rebuilt += 1
            self._sum_all(as_of_us)
        return self.evidence

    def _fresh_rows(self, rows: pa.Table, as_of_us: int) -> pa.Table:
        """Rows up to the look, which are kept; those from behind it wait for the next."""
        given = rows.select(_COLUMNS)
        if self._pending is not None and self._pending.num_rows:
            given = pa.concat_tables([self._pending, given])
        ahead = pc.greater(given["moment"].cast(pa.int64()), as_of_us)
        self._pending = given.filter(ahead)
        fresh = given.filter(pc.invert(ahead)) if self._pending.num_rows else given
        self._rows.append(fresh)
        return fresh

    def _take(self, fresh: pa.Table, told: Mapping[str, pa.Table], last: int) -> bool:
        """Add rows and labels to the open units; whether one changes a unit that was counted."""
        for name, table in told.items():
            if unknown := self._open.add_labels(name, table, last):
                among = pa.array(list(unknown))
                if any(pc.any(pc.is_in(part["id"], among)).as_py() for part in self._rows):
                    return True
        mine = fresh.filter(pc.equal(fresh["experiment"], self.test.test_id))
        added = self._open.add_rows(mine.filter(pc.equal(mine["role"], "live")), self.evidence)
        if added is None:
            return True
        for unit in added:
            self._closes(unit)
        return False

    def _closes(self, unit: OpenUnit) -> None:
        for number, windowed in enumerate(self._windows):
            if number not in unit.counted:
                length = windowed.maturity_us if unit.single else windowed.closes_us
                heappush(self._closing, (unit.begun + length, number, unit.unit))

    def _count(self, as_of_us: int) -> None:
        """Add the units whose windows closed since the last look."""
        closing: dict[int, list[OpenUnit]] = {}
        while self._closing and self._closing[0][0] <= as_of_us:
            _, number, unit = heappop(self._closing)
            closing.setdefault(number, []).append(self._open.units[unit])
        connection = self._connection
        for number, units in sorted(closing.items()):
            windowed = self._windows[number]
            first, part, labels = self._open.tables(units)
            for name, table in {"closing_first": first, "closing_part": part, **labels}.items():
                connection.register(name, table)
            connection.register("log", pa.concat_tables(self._rows if self._needs_log else self._rows[:1]))
            make_values(
                connection,
                "unit_values",
                windowed,
                {name: f"closing_{name}" for name in self._names},
                as_of_us=as_of_us,
                log="log",
                champion=self.test.arms[0].mv_id,
                part="closing_part",
                first="closing_first",
            )
            add_closed(connection, self.evidence, windowed, number, self._exponents)
            self._open.counted(units, number)
        self.evidence.as_of_us = as_of_us

    def _sum_all(self, as_of_us: int) -> None:
        """All sums from the rows and labels in memory; then what is open."""
        connection = self._connection
        self._rows = [pa.concat_tables(self._rows)]
        connection.register("log", self._rows[0])
        made = {}
        for number, name in enumerate(self._names):
            self._labels[name] = [_newest(pa.concat_tables([LABELS.empty_table(), *self._labels[name]]))]
            connection.register("told", self._labels[name][0])
            made[name] = f"label{number}"
            connection.execute(
                f"create or replace table {made[name]} as select prediction_id, case when prediction_id is null "
                "then unit end as unit, value, epoch_us(event_ts) as happened from told"
            )
        self._exponents = {}
        self.evidence = evidence_of(connection, "log", made, self.test, as_of_us, self._exponents)
        self._open = OpenUnits(self.test.names, self._windows, self._names)
        self._open.restore(connection, {name: tables[0] for name, tables in self._labels.items()}, as_of_us)
        self._closing = []
        for unit in self._open.units.values():
            self._closes(unit)
        heapify(self._closing)


def _newest(labels: pa.Table) -> pa.Table:
    """Of each label the row with the highest revision."""
    found: dict[Told, int] = {}
    keys = zip(*(labels[name].to_pylist() for name in ("prediction_id", "unit", "event")), strict=True)
    revisions = labels["revision"].to_pylist()
    for place, (id, unit, event) in enumerate(keys):
        key = (id, None, None) if id is not None else (None, unit, event)
        if key not in found or revisions[place] > revisions[found[key]]:
            found[key] = place
    return labels.take(pa.array(list(found.values()), pa.int64()))


def _new_labels(store: Store, endpoint: str, name: str, told: str, now: datetime) -> pa.Table:
    """Labels that came after `told`, a time as text, up to now."""
    values = {"name": name, "told": told, "endpoint": endpoint, "now": iso(now)}
    of_predictions = _TOLD.format(key="prediction_id, null, null", table="label") + " and ingest_ts <= :now"
    of_units = _TOLD.format(key="null, unit, event", table="unit_label") + " and ingest_ts <= :now"
    rows = [
        *store.tuples(Sql(of_predictions, values)),
        *store.tuples(Sql(of_units + " and endpoint = :endpoint", values)),
    ]
    return label_rows(["prediction_id", "unit", "event"], rows)
