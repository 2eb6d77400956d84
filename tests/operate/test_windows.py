from datetime import UTC, datetime

import numpy as np
import pytest
from tests.operate.serving_helpers import ENDPOINT, add_version, prediction

from assay.operate.labels.recording import Label, record_labels
from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.tail import Tail
from assay.operate.windows import ServingDays
from assay.record.sqlstore import SqlStore

DAY, NEXT = "2013-08-01", "2013-08-02"
LANDED = datetime(2013, 8, 1, 20, tzinfo=UTC)


@pytest.fixture
def writer(store: SqlStore) -> LogWriter:
    return LogWriter(log_folder(store, ENDPOINT), durability="process")


@pytest.fixture
def days(store: SqlStore, writer: LogWriter) -> ServingDays:
    return ServingDays(store, Tail(store, ENDPOINT))


def _log(writer: LogWriter, *ids: str, day: str = DAY, **changes: object) -> None:
    moment = {"event_ts": f"{day}T10:00:00.000000Z"}
    writer.append([prediction(id, **{**moment, "output": 0.1 * (ord(id[0]) - 96), **changes}) for id in ids])


def test_predictions_fall_on_the_day_of_their_event_time_or_else_of_the_wall_clock(
    writer: LogWriter, days: ServingDays
) -> None:
    assert days.read() == 0
    _log(writer, "a", "b")
    _log(writer, "c", day=NEXT)
    assert days.read() == 3
    _log(writer, "d", event_ts=None)
    assert days.read() == 4
    assert days.read() == 4, "what was read is not read again"
    by_day = {day: days.predictions(day)["id"].to_pylist() for day in (DAY, NEXT, "2026-01-01", "1999-01-01")}
    assert by_day == {DAY: ["a", "b"], NEXT: ["c"], "2026-01-01": ["d"], "1999-01-01": []}


def test_days_go_on_after_the_log_was_compacted_and_leave_shadows_out(
    store: SqlStore, writer: LogWriter, days: ServingDays
) -> None:
    _log(writer, "a")
    assert days.read() == 1
    _log(writer, "b")
    _log(writer, "b", role="shadow")
    writer.close()
    compact_predictions(store, ENDPOINT)
    assert days.read() == 2
    assert days.predictions(DAY)["id"].to_pylist() == ["a", "b"]
    np.testing.assert_allclose(days.window(DAY).outputs, [0.1, 0.2])


def test_a_window_has_outputs_with_labels_and_nan_where_none_is_known(
    store: SqlStore, writer: LogWriter, days: ServingDays
) -> None:
    _log(writer, "a", "b", "c")
    _log(writer, "e", output=None, status="error", error="x")
    days.read()
    record_labels(store, [Label("c", 0, LANDED), Label("a", 1, LANDED), Label("elsewhere", 1, LANDED)])
    window = days.window(DAY)
    assert (window.day, window.mv_ids) == (DAY, ["m"] * 3)
    np.testing.assert_allclose(window.outputs, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(window.labels, [1, np.nan, 0])
    assert window.labelled == 2
    empty = days.window(NEXT)
    assert (len(empty.outputs), len(empty.labels), empty.labelled) == (0, 0, 0)


def test_a_window_may_be_of_one_version_and_of_what_was_known_then(
    store: SqlStore, writer: LogWriter, days: ServingDays
) -> None:
    _log(writer, "a", "b", mv_id="first")
    _log(writer, "c", mv_id="second")
    days.read()
    store.clock.advance(LANDED)
    record_labels(store, [Label("a", 1, LANDED)])
    store.clock.advance(datetime(2013, 8, 3, tzinfo=UTC))
    record_labels(store, [Label("b", 0, LANDED), Label("c", 1, LANDED)])
    first = days.window(DAY, mv_id="first")
    assert (first.mv_ids, first.labels.tolist()) == (["first", "first"], [1, 0])
    assert days.window(DAY, mv_id="second").labels.tolist() == [1]
    assert days.window(DAY, mv_id="third").labelled == 0
    assert days.window(DAY, as_of=LANDED).labelled == 1


def test_a_recorded_day_counts_by_version(store: SqlStore, writer: LogWriter, days: ServingDays) -> None:
    known = add_version(store).mv_id
    for latency, id in enumerate("abcde", start=1):
        _log(writer, id, mv_id=known, latency_us=latency * 1000)
    _log(writer, "x", "y", mv_id=known, latency_us=9000, output=None, status="error", error="ValueError")
    _log(writer, "z", mv_id="gone", latency_us=700)
    days.read()
    record_labels(store, [Label("a", 1, LANDED), Label("b", 0, LANDED)])
    days.record(ENDPOINT, "delays", DAY)
    rows = {row["mv_id"]: row for row in store.query("serving_window")}
    assert rows.keys() == {known, "gone"}
    counts = ("endpoint", "model", "day", "predictions", "logged", "labelled", "known", "errors")
    assert [rows[known][name] for name in counts] == [ENDPOINT, "delays", DAY, 7, 7, 2, 1, 2]
    assert [rows["gone"][name] for name in counts] == [ENDPOINT, "delays", DAY, 1, 1, 0, 0, 0]
    assert rows[known]["p50_ms"] == 4
    assert rows[known]["p95_ms"] == pytest.approx(9)
    assert (rows["gone"]["p50_ms"], rows["gone"]["p95_ms"]) == (0.7, 0.7)


def test_recording_a_day_again_replaces_the_earlier_reading(
    store: SqlStore, writer: LogWriter, days: ServingDays
) -> None:
    _log(writer, "a")
    days.read()
    days.record(ENDPOINT, "delays", DAY)
    _log(writer, "b", latency_us=300)
    days.read()
    record_labels(store, [Label("a", 1, LANDED)])
    days.record(ENDPOINT, "delays", DAY)
    (row,) = store.query("serving_window")
    assert (row["predictions"], row["labelled"], row["p50_ms"]) == (2, 1, pytest.approx(0.2))


def test_a_day_without_predictions_leaves_no_row(store: SqlStore, days: ServingDays) -> None:
    days.record(ENDPOINT, "delays", DAY)
    assert store.query("serving_window") == []
