"""A test that a process looks at again and again: what a look reads is what came since the one before it.

Its readings are to the bit those of the whole log. What is kept in memory is only there to spare reading: a new
process reads the log once and goes on.
"""

from datetime import datetime, timedelta

from assay.operate.online_tests.definition import OnlineTest, find_test
from assay.operate.online_tests.readings import TestReading, seen_before
from assay.operate.online_tests.running import RunningTest
from assay.operate.online_tests.running_pairs import RunningPairs
from assay.operate.online_tests.status import judge, judge_pairs
from assay.operate.predictions.tail import Tail
from assay.record.clock import iso, moment, to_us
from assay.record.store import Store

__all__ = ["FollowedTest"]

_REMOVALS = ["erasure", "prune_predictions"]
_BEFORE = timedelta(hours=1)  # servers' clocks may differ by less


class FollowedTest:
    """Looks at one test; one thread uses it. `begun` counts how often all of the log was read."""

    def __init__(self, store: Store, test_id: str) -> None:
        self.test_id = test_id
        self.begun = 0
        self._store = store
        self._running: RunningTest | RunningPairs | None = None
        self._removed = 0

    def read(self, as_of: datetime) -> TestReading:
        """A look at what was known at `as_of`, as `status.read_test` gives it.

        Where something was taken out of the log, or `as_of` is before the last look, all is read anew.
        """
        test = find_test(self._store, self.test_id)
        removed = self._last_removal()
        running = self._running
        if running is None or removed != self._removed or to_us(as_of) < running.as_of_us:
            running = self._begin(test)
            self._removed = removed
        seen = seen_before(self._store, test.test_id, iso(as_of))
        try:
            if isinstance(running, RunningPairs):
                return judge_pairs(test, running.refresh(self._store, self._tail, test, as_of), seen, iso(as_of))
            return judge(test, running.refresh(self._store, self._tail, as_of), seen, iso(as_of))
        except BaseException:  # part of what is new may have been taken in
            self.forget()
            raise

    def forget(self) -> None:
        """Let the memory go; the next look reads all of the log."""
        if self._running is not None:
            self._running.close()
        self._running = None

    def _begin(self, test: OnlineTest) -> RunningTest | RunningPairs:
        self.forget()
        lookback = timedelta(microseconds=max(metric.lookback_us for metric in test.metrics))
        self._tail = Tail(self._store, test.endpoint, since=moment(test.started) - lookback - _BEFORE)
        self._running = RunningPairs(test) if test.kind == "shadow" else RunningTest(test)
        self.begun += 1
        return self._running

    def _last_removal(self) -> int:
        """The number in the ledger of the last decision by which something was taken out of a log; 0 without one."""
        rows = self._store.query("ledger", {"kind in": _REMOVALS}, order_by=["-seq"], limit=1)
        return rows[0]["seq"] if rows else 0
