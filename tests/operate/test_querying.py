import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.operate.serving_helpers import ENDPOINT, add_version, prediction

from assay.errors import InvalidInput, NotFound
from assay.operate.labels.recording import Label, record_labels
from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.querying import query_predictions
from assay.record.location import open_store
from assay.record.sqlstore import SqlStore


@pytest.fixture
def store(store: SqlStore) -> SqlStore:
    """A log of six rows, half of them compacted."""
    known = add_version(store).mv_id
    for number in range(2):
        with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
            day = f"2013-08-0{number + 1}T10:00:00.000000Z"
            one = {"event_ts": day, "mv_id": known, "features": (100.0 * number, "AA")}
            writer.append(
                [
                    prediction(f"{number}a", **one, latency_us=2000, unit="u1"),
                    prediction(f"{number}b", **one, variant="challenger", reason="forced"),
                    prediction(f"{number}c", **one, output=None, status="error", error="x"),
                ]
            )
        if not number:
            compact_predictions(store, ENDPOINT)
    return store


def test_rows_are_counted_by_day_and_variant(store: SqlStore) -> None:
    found = query_predictions(store, ENDPOINT)
    assert (found.rows, found.errors, found.dropped, found.columns) == (6, 2, 0, [])
    counts = [(one.day, one.variant, one.version, one.rows, one.errors, one.forced) for one in found.counts]
    assert counts == [
        ("2013-08-01", "challenger", 1, 1, 0, 1),
        ("2013-08-01", "champion", 1, 2, 1, 0),
        ("2013-08-02", "challenger", 1, 1, 0, 1),
        ("2013-08-02", "champion", 1, 2, 1, 0),
    ]
    assert found.counts[1].p50_ms == 1.05


def test_conditions_spans_and_columns_choose_rows(store: SqlStore) -> None:
    found = query_predictions(
        store, ENDPOINT, where="latency_us > 1000", since="2013-08-02", columns="id, features.distance, event_ts"
    )
    assert found.columns == ["id", "distance", "event_ts"]
    assert found.found == [["1a", 100.0, "2013-08-02T10:00:00.000000Z"]]
    assert query_predictions(store, ENDPOINT, until="2013-08-02T00:00Z").rows == 3
    assert len(query_predictions(store, ENDPOINT, columns="*", limit=2).found) == 2
    assert query_predictions(store, ENDPOINT, since="1h").rows == 0


def test_a_query_joins_labels(store: SqlStore) -> None:
    happened = datetime(2013, 8, 3, tzinfo=UTC)
    record_labels(store, [Label("0a", 1, happened), Label("0a", 0, happened, 1), Label("1b", 1, happened)])
    sql = "select id, value, labels.revision from predictions join labels on id = prediction_id order by id"
    assert query_predictions(store, ENDPOINT, sql=sql).found == [["0a", 0.0, 1], ["1b", 1.0, 0]]


@pytest.mark.parametrize(
    ("where", "columns", "sql", "said", "place"),
    [
        ("latency > 1", None, None, '"latency" not found', "line 1, column 1, at 'latency'"),
        ("id = '1' and\n unti = 2", None, None, '"unti" not found', "line 2, column 2, at 'unti'"),
        (
            None,
            None,
            "select count(*)\nfrom prediction",
            "does not exist",
            "line 2, column 6, at 'prediction'",
        ),
        (None, None, "selct 1", "syntax error", "line 1, column 1, at 'selct'"),
        (None, None, "drop view predictions", "the log is only read", "drop view predictions"),
        (None, "1; drop view predictions; from", None, "syntax error", None),
        ("true); drop view predictions; select (1", None, None, "the log is only read", None),
    ],
)
def test_bad_sql_is_said_with_its_place(
    store: SqlStore, where: str | None, columns: str | None, sql: str | None, said: str, place: str | None
) -> None:
    with pytest.raises(InvalidInput) as refused:
        query_predictions(store, ENDPOINT, where=where, columns=columns, sql=sql)
    assert said in refused.value.what
    assert place is None or refused.value.where == place


def test_rows_are_written_to_a_file(store: SqlStore, tmp_path: Path) -> None:
    for ending in ("parquet", "csv", "json"):
        out = tmp_path / f"rows.{ending}"
        found = query_predictions(store, ENDPOINT, where="status = 'ok'", out=str(out))
        assert (found.out, found.found, found.counts) == (str(out), [], [])
    assert sorted(pq.read_table(tmp_path / "rows.parquet")["id"].to_pylist()) == ["0a", "0b", "1a", "1b"]
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 5
    assert '"distance":100.0' in (tmp_path / "rows.json").read_text()
    assert {path.name for path in tmp_path.glob("*rows*")} == {"rows.parquet", "rows.csv", "rows.json"}
    for bad, message in (("rows.xlsx", "unknown ending"), ("nowhere/rows.csv", "there is no folder")):
        with pytest.raises(InvalidInput, match=message):
            query_predictions(store, ENDPOINT, out=str(tmp_path / bad))


def test_what_was_dropped_is_told(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for is_compacted in (False, True):
        with LogWriter(log_folder(store, ENDPOINT), policy="shed") as writer:
            with monkeypatch.context() as patch:
                patch.setattr(os, "posix_fallocate", full)
                writer.append([prediction("lost"), prediction("lost too")])
            writer.append([prediction(f"kept {is_compacted}")])
        if is_compacted:
            compact_predictions(store, ENDPOINT)
    found = query_predictions(store, ENDPOINT)
    assert found.dropped == 4
    assert [gap.reason for gap in found.gaps] == ["No space left on device"] * 2
    assert query_predictions(store, ENDPOINT, sql="select sum(dropped)::int from gaps").found == [[4]]


def test_what_makes_no_sense_is_refused(store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="has no prediction log") as said:
        query_predictions(store, "delay")
    assert said.value.hint == "did you mean 'delays'?"
    with pytest.raises(NotFound) as said:
        query_predictions(open_store(tmp_path / "new"), "delay")
    assert said.value.hint == "nothing was asked yet; `assay serve delay` answers and logs"
    with pytest.raises(InvalidInput, match=r"try: if distance is an input: features.distance;"):
        query_predictions(store, ENDPOINT, where="distance > 4")
    with pytest.raises(InvalidInput, match="its own columns"):
        query_predictions(store, ENDPOINT, sql="from predictions", where="true")
    with pytest.raises(InvalidInput, match="limit is -1"):
        query_predictions(store, ENDPOINT, limit=-1)
    with pytest.raises(InvalidInput, match="since is 'soon'"):
        query_predictions(store, ENDPOINT, since="soon")
