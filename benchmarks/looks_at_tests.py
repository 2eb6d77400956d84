"""A look at the test of a release by what is new, beside one by the whole log, as the log grows: lines of JSON.

    python -m benchmarks.looks_at_tests [--rows 10000 1000000] [--looks 5]

Rows in a real log and labels in a real store, each row of a unit of its own. A look takes 100 new rows and labels in,
and is kept, as a tick does it. Both ways have to say the same to the last bit. The best of several looks counts.
"""

import argparse
import time
from datetime import datetime, timedelta

import msgspec
import numpy as np
from benchmarks.measured import say
from benchmarks.serving_world import ENDPOINT, endpoint_of

from assay.operate.labels.recording import Label, record_labels
from assay.operate.online_tests.definition import OnlineTest, find_test
from assay.operate.online_tests.following import FollowedTest
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.starting import new_test
from assay.operate.online_tests.status import read_test
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.releases.quality import keep_quality
from assay.record.clock import iso, moment
from assay.record.store import Store

_BATCH, _AT_ONCE = 100, 20_000
_METRICS = (
    Metric(name="wrong", numerator="wrong", maturity="1s", window="0s"),
    Metric(name="loss", numerator="log_loss", maturity="1s", window="0s"),
    Metric(name="brier", numerator="brier", maturity="1s", window="0s", role="guardrail", margin=0.01),
    Metric(name="error", numerator="error", maturity="1s", window="0s", role="guardrail", margin=0.01),
)


def measure(rows: int, looks: int) -> None:
    """Print the figures with so many rows."""
    with endpoint_of(2) as (_, store, _versions), LogWriter(log_folder(store, ENDPOINT)) as writer:
        test = new_test(store, ENDPOINT, ["2"], metrics=_METRICS, override="benchmark")
        now = moment(test.started)
        for begin in range(0, rows, _AT_ONCE):
            now = _traffic(store, writer, test, begin, min(_AT_ONCE, rows - begin), now)
        now += timedelta(minutes=2)  # labels of the last minute are read again at each look: here only the new ones
        store.clock.advance(now)
        followed = FollowedTest(store, test.test_id)
        began = time.perf_counter()
        followed.read(now + timedelta(seconds=2))
        first = time.perf_counter() - began
        taken: dict[str, list[float]] = {"new": [], "whole": []}
        for look in range(looks):
            now = _traffic(store, writer, test, rows + look * _BATCH, _BATCH, now + timedelta(seconds=3))
            as_of = now + timedelta(seconds=2)
            began = time.perf_counter()
            found = followed.read(as_of)
            keep_quality(store, found)
            taken["new"].append(time.perf_counter() - began)
            began = time.perf_counter()
            whole = read_test(store, find_test(store, test.test_id), as_of)
            taken["whole"].append(time.perf_counter() - began)
            assert found == whole
            now = as_of
        say(
            f"look at a test by what is new, {rows:,} rows, ms",
            None,
            1000 * min(taken["new"]),
            whole_ms=round(1000 * min(taken["whole"]), 1),
            first_s=round(first, 2),
        )


def _traffic(store: Store, writer: LogWriter, test: OnlineTest, begin: int, n: int, now: datetime) -> datetime:
    """Rows of units from that number on, and their labels; the moment of the last."""
    random = np.random.default_rng(begin)
    outputs, outcomes = random.random(n), random.random(n)
    rows, labels = [], []
    for place in range(n):
        now += timedelta(microseconds=50)
        arm = test.arms[int(random.random() < 0.5)]
        id = f"p{begin + place:031d}"
        rows.append(
            msgspec.structs.replace(
                _ROW, id=id, ts=iso(now), unit=f"u{begin + place}", output=float(outputs[place]), variant=arm.name,
                mv_id=arm.mv_id, experiment=test.test_id, phase=1,
            )
        )  # fmt: skip
        labels.append(Label(id, float(outcomes[place] < outputs[place]), now))
    writer.append(rows)
    store.clock.advance(now)  # labels are told at once, not when this machine got so far
    record_labels(store, labels)
    return now


_ROW = Prediction(
    id="", ts="", event_ts=None, request_id="request", row=0, endpoint=ENDPOINT, model=ENDPOINT, version=1, mv_id="",
    role="live", unit=None, propensity=0.5, features=(1.0, 2.0), output=0.5, status="ok", error=None, latency_us=500,
    variant="champion", revision=2, reason="hash",
)  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--looks", type=int, default=5)
    given = parser.parse_args()
    for rows in given.rows:
        measure(rows, given.looks)


if __name__ == "__main__":
    main()
