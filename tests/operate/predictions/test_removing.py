from datetime import UTC, datetime, timedelta

import pytest
from tests.operate.serving_helpers import ENDPOINT, prediction

from assay.errors import InvalidInput, NotFound
from assay.operate.labels.recording import Label, UnitLabel, record_labels
from assay.operate.predictions.checking import check_log
from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.parts import reading
from assay.operate.predictions.removing import erase_predictions, prune_predictions
from assay.operate.predictions.rows import rows
from assay.operate.predictions.tail import Tail
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore


def _log(store: SqlStore, *ids: str, days_ago: float = 0, unit: str | None = None) -> None:
    moment = iso(datetime.now(UTC) - timedelta(days=days_ago))
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        writer.append([prediction(id, ts=moment, unit=unit) for id in ids])


def _ids(store: SqlStore) -> list[str]:
    return sorted(rows(store, ENDPOINT, columns=["id"]).read_all()["id"].to_pylist())


def test_old_days_are_shown_and_then_go(store: SqlStore) -> None:
    _log(store, "a", "b", days_ago=100)
    _log(store, "c", days_ago=10)
    compact_predictions(store, ENDPOINT)
    shown = prune_predictions(store, ENDPOINT, older_than="90d")
    assert (shown.deleted, shown.parts, shown.rows, shown.decision) == (False, 1, 2, None)
    assert _ids(store) == ["a", "b", "c"]
    done = prune_predictions(store, ENDPOINT, older_than="90d", delete=True)
    assert (done.deleted, done.rows, done.decision, done.waiting) == (True, 2, 1, 0)
    assert _ids(store) == ["c"]
    assert len(list(log_folder(store, ENDPOINT).rglob("*.parquet"))) == 1
    assert check_log(store, ENDPOINT).problems == []
    again = prune_predictions(store, ENDPOINT, older_than="90d", delete=True)
    assert (again.rows, again.decision) == (0, None)
    assert Tail(store, ENDPOINT).read_new()["id"].to_pylist() == ["c"]


def test_what_was_not_compacted_yet_goes_too(store: SqlStore) -> None:
    _log(store, "a", days_ago=100)
    assert prune_predictions(store, ENDPOINT, delete=True).rows == 1
    assert _ids(store) == []


def test_files_wait_for_whoever_reads(store: SqlStore) -> None:
    _log(store, "a", days_ago=100)
    compact_predictions(store, ENDPOINT)
    with reading(log_folder(store, ENDPOINT)):
        assert prune_predictions(store, ENDPOINT, delete=True).waiting == 1
        assert _ids(store) == []
    assert prune_predictions(store, ENDPOINT, delete=True).waiting == 0
    assert list(log_folder(store, ENDPOINT).rglob("*.parquet")) == []


def test_a_unit_is_taken_out_with_its_labels(store: SqlStore) -> None:
    _log(store, "a", "b", unit="u")
    _log(store, "c", unit="v")
    _log(store, "d", days_ago=3, unit="u")
    _log(store, "e")
    compact_predictions(store, ENDPOINT)
    happened = datetime(2026, 1, 1, tzinfo=UTC)
    record_labels(store, [Label("a", 1, happened), Label("c", 1, happened), UnitLabel(ENDPOINT, "u", "x", 1, happened)])
    tail = Tail(store, ENDPOINT)
    assert tail.read_new().num_rows == 5
    shown = erase_predictions(store, ENDPOINT, unit="u")
    assert (shown.deleted, shown.rows, shown.labels, shown.in_use) == (False, 3, 2, 0)
    assert len(_ids(store)) == 5
    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append([prediction("f", unit="u"), prediction("g", unit="v")])
        done = erase_predictions(store, ENDPOINT, unit="u", delete=True)
        assert (done.deleted, done.rows, done.labels, done.in_use, done.waiting) == (True, 3, 2, 1, 0)
    assert _ids(store) == ["c", "e", "f", "g"]
    assert [row["prediction_id"] for row in store.query("label")] == ["c"]
    assert store.query("unit_label") == []
    (entry,) = store.query("ledger")
    assert entry["seq"] == done.decision
    assert '"u"' not in entry["body"]
    assert erase_predictions(store, ENDPOINT, unit="u", delete=True).rows == 1
    assert _ids(store) == ["c", "e", "g"]
    assert check_log(store, ENDPOINT).problems == []
    assert tail.read_new()["id"].to_pylist() == ["g"]


def test_what_makes_no_sense_is_refused(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="has no prediction log"):
        erase_predictions(store, ENDPOINT, unit="u")
    _log(store, "a")
    with pytest.raises(InvalidInput, match="older_than is 'old'"):
        prune_predictions(store, ENDPOINT, older_than="old")
    with pytest.raises(InvalidInput, match="no unit is named"):
        erase_predictions(store, ENDPOINT)
    assert erase_predictions(store, ENDPOINT, unit="nobody", delete=True).decision is None
