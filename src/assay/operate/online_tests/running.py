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
from assay.operate.labels.known import LABELS, without_older
from assay.operate.online_tests.aggregating import Exponents
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.few_units import add_few, are_few
from assay.operate.online_tests.gathering import LOG_COLUMNS, add_closed, evidence_of
from assay.operate.online_tests.new_labels import NewLabels
from assay.operate.online_tests.open_units import OpenUnit, OpenUnits
from assay.operate.online_tests.seen_ids import SeenIds
from assay.operate.online_tests.units import make_values, windows_of
from assay.operate.predictions.tail import Tail
from assay.record.clock import to_us
from assay.record.store import Store

__all__ = ["RunningTest"]

_REPEATED = ("experiment", "role", "reason", "variant", "status", "mv_id")  # texts of which there are few
_WHOLE, _PARTS = 20_000, 20  # with more rows, and more than a part of all, all is summed again instead of row by row


class RunningTest:
    """The evidence of an A/B test or bandit, kept up to date; one thread uses it.

    `rebuilt` counts how often something came too late, so that all sums were made again.
    """

    def __init__(self, test: OnlineTest) -> None:
        self.test = test
        self.rebuilt = 0
        self.evidence = Evidence(0)
        self._windows = windows_of(test.metrics)
        self._maturity = max(windowed.maturity_us for windowed in self._windows)
        self._names = sorted({metric.label for metric in test.metrics if metric.needs_labels})
        self._needs_log = any(metric.covariate != "none" for metric in test.metrics)
        self._exponents: dict[int, Exponents] = {}
        self._open = OpenUnits(test.names, self._windows, self._names)
        self._closing: list[tuple[int, int, str]] = []  # a heap: when, the number of the windows, the unit
        self._rows: list[pa.Table] = []
        self._labels: dict[str, list[pa.Table]] = {name: [] for name in self._names}
        self._ids = SeenIds()  # of rows whose labels count
        self._pending: pa.Table | None = None  # rows from behind the last look
        self._new_labels = NewLabels(test.endpoint)
        self._connection = own_database()
        self._connection.execute("set timezone = 'UTC'")

    @property
    def as_of_us(self) -> int:
        """The last look, 0 before it."""
        return self.evidence.as_of_us

    def close(self) -> None:
        """Let the memory go."""
        self._connection.close()

    def refresh(self, store: Store, tail: Tail, as_of: datetime) -> Evidence:
        """Take in what is new in the log and among the labels, as known at `as_of`; `tail` is of the test's endpoint.

        A label that is committed a minute after its time, or later, is not seen.
        """
        rows = tail.read_new(LOG_COLUMNS)
        last = self.evidence.as_of_us
        labels = {name: self._new_labels.read(store, name, last, as_of) for name in self._names}
        return self.update(rows, labels, to_us(as_of))

    def update(self, rows: pa.Table, labels: Mapping[str, pa.Table], as_of_us: int) -> Evidence:
        """Take in new rows of the log and new labels by name (`labels.known.LABELS`), as known at `as_of_us`."""
        last = self.evidence.as_of_us
        fresh = self._fresh_rows(rows, as_of_us)
        told = {name: labels[name].select(LABELS.names) for name in self._names if name in labels}
        for name, table in told.items():
            self._labels[name].append(table)
        new, known = fresh.num_rows + sum(table.num_rows for table in told.values()), sum(map(len, self._rows))
        if last == 0 or new > max(_WHOLE, known // _PARTS):
            self._sum_all(as_of_us)
            self._remember(fresh)
            return self.evidence
        is_late = as_of_us < last or self._take(fresh, told, last)
        self._remember(fresh)
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
        given = rows.select(LOG_COLUMNS)
        if not self._needs_log:
            given = given.filter(pc.equal(given["experiment"], self.test.test_id))
        if self._pending is not None and self._pending.num_rows:
            given = pa.concat_tables([self._pending, given])
        ahead = pc.greater(given["moment"].cast(pa.int64()), as_of_us)
        self._pending = given.filter(ahead)
        fresh = given.filter(pc.invert(ahead)) if self._pending.num_rows else given
        self._rows.append(_packed(fresh))
        return fresh

    def _remember(self, fresh: pa.Table) -> None:
        """Know later that these rows were here, whose labels count."""
        own = fresh if self._needs_log else fresh.filter(pc.equal(fresh["reason"], "hash"))
        self._ids.add(own["id"].to_pylist(), own["moment"].cast(pa.int64()).to_numpy())

    def _take(self, fresh: pa.Table, told: Mapping[str, pa.Table], last: int) -> bool:
        """Add rows and labels to the open units; whether one changes a unit that was counted."""
        for name, table in told.items():
            changes, unknown = self._open.add_labels(name, table, last)
            in_time = [happened - self._maturity for happened in unknown.values()]
            if changes or self._ids.any_from(unknown, in_time):
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
            windowed, steps = self._windows[number], self._exponents.get(number)
            here = (self.evidence, windowed, number)
            if steps is not None and are_few(units, windowed) and add_few(*here, steps, units, self._open):
                self._open.counted(units, number)
                continue
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
            self._labels[name] = [without_older(pa.concat_tables([LABELS.empty_table(), *self._labels[name]]))]
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


def _packed(rows: pa.Table) -> pa.Table:
    """The same in a fraction of the memory."""
    for name in _REPEATED:
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].dictionary_encode())
    return rows
