"""A running shadow test in memory: only what is new is read from the log and the store.

What comes out is to the bit what `pairing` makes of the whole log: the rows of the test and its labels are kept, and
the same SQL goes over them.
"""

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.sql import own_database
from assay.operate.labels.known import LABELS, without_older
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.new_labels import NewLabels
from assay.operate.online_tests.pairing import LOG_COLUMNS, Pairs, pairs_in
from assay.operate.predictions.columns import empty_table
from assay.operate.predictions.tail import Tail
from assay.record.clock import moment, to_us
from assay.record.store import Store

__all__ = ["RunningPairs"]


class RunningPairs:
    """The pairs of a shadow test, kept up to date; one thread uses it. `as_of_us` is the last look, 0 before it."""

    def __init__(self, test: OnlineTest) -> None:
        self.as_of_us = 0
        self._champion, *self._challengers = (arm.mv_id for arm in test.arms)
        self._begun = moment(test.started)
        self._rows = empty_table().select(LOG_COLUMNS)
        names = {metric.label for metric in test.metrics if metric.needs_labels}
        self._labels = dict.fromkeys(sorted(names), LABELS.empty_table())
        self._new_labels = NewLabels(test.endpoint)
        self._connection = own_database()
        self._connection.execute("set timezone = 'UTC'")

    def close(self) -> None:
        """Let the memory go."""
        self._connection.close()

    def refresh(self, store: Store, tail: Tail, test: OnlineTest, as_of: datetime) -> Pairs:
        """Take in what is new in the log and among the labels, as known at `as_of`; `tail` is of the test's endpoint,
        `test` as it stands now.
        """
        self._rows = pa.concat_tables([self._rows, self._own(tail.read_new(LOG_COLUMNS))])
        for name, known in self._labels.items():
            told = self._new_labels.read(store, name, self.as_of_us, as_of).select(LABELS.names)
            self._labels[name] = without_older(pa.concat_tables([known, told]))
        self.as_of_us = to_us(as_of)
        self._connection.register("log", self._rows)
        return pairs_in(self._connection, "log", self._labels, test, self.as_of_us)

    def _own(self, rows: pa.Table) -> pa.Table:
        """Rows that the test is about: answers of the champion since it began, and of the shadows beside them."""
        live = pc.and_(pc.equal(rows["role"], "live"), pc.equal(rows["mv_id"], self._champion))
        beside = pc.is_in(rows["mv_id"], pa.array(self._challengers, pa.string()))
        shadow = pc.and_(pc.equal(rows["role"], "shadow"), beside)
        begun = pc.greater_equal(rows["moment"], pa.scalar(self._begun, rows["moment"].type))
        return rows.filter(pc.and_(begun, pc.or_(live, shadow)))
