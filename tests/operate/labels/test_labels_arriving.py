import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.operate.serving_helpers import ENDPOINT

from assay.errors import Conflict, InvalidInput, StoreUnavailable
from assay.operate.labels import receiving
from assay.operate.labels.loading import load_labels
from assay.operate.labels.receiving import receive_labels
from assay.record.sqlstore import SqlStore

LANDED = "2013-08-01T20:00:00Z"


def _send(store: SqlStore, body: object) -> tuple[int, dict[str, object]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = receive_labels(store, ENDPOINT, content)
    return status, json.loads(answer)


def test_labels_come_as_a_list_or_as_lines(store: SqlStore) -> None:
    some = [
        {"prediction_id": "a", "value": 1, "event_ts": LANDED},
        {"unit": "u", "event": "order 7", "value": 12.5, "event_ts": LANDED, "name": "revenue", "revision": 2},
        {"prediction_id": "b", "value": True, "event_ts": "2013-08-01T22:00:00+02:00"},
    ]
    assert _send(store, some[:2]) == (200, {"received": 2, "new": 2})
    lines = b"\n".join(json.dumps(one).encode() for one in some)
    assert _send(store, lines + b"\n\n") == (200, {"received": 3, "new": 1})
    rows = store.query("label", order_by=["prediction_id"])
    assert [(row["prediction_id"], row["value"], row["event_ts"]) for row in rows] == [
        ("a", 1.0, "2013-08-01T20:00:00.000000Z"),
        ("b", 1.0, "2013-08-01T20:00:00.000000Z"),
    ]
    (row,) = store.query("unit_label")
    assert (row["endpoint"], row["unit"], row["event"], row["name"], row["revision"]) == (
        ENDPOINT, "u", "order 7", "revenue", 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the request has 0 labels"),
        (b"[]", "the request has 0 labels"),
        (b"[1", "the labels cannot be read"),
        (b"{]", "label 0 was refused"),
        ([{"prediction_id": "a", "value": 1}], "label 0 was refused: Object missing required field `event_ts`"),
        ([{"prediction_id": "a", "value": "1", "event_ts": LANDED}], "label 0 was refused: Expected `"),
        ([{"prediction_id": "a", "value": 1, "event_ts": "2013-08-01T20:00:00"}], "timezone component"),
        ([{"prediction_id": "a", "value": 1, "event_ts": LANDED, "valeu": 1}], "unknown field `valeu`"),
        ([{"value": 1, "event_ts": LANDED}], "label 0 says of nothing, or of two things, that it happened"),
        ([{"unit": "u", "value": 1, "event_ts": LANDED}], "label 0 says of nothing"),
        ([{"prediction_id": "a", "unit": "u", "value": 1, "event_ts": LANDED}], "or of two things"),
        ([{"prediction_id": "a", "value": 1, "event_ts": LANDED, "revision": 2**40}], "label 0 was refused"),
    ],
)
def test_a_bad_label_is_named_and_none_is_kept(store: SqlStore, body: object, said: str) -> None:
    if isinstance(body, list):
        body = [*body, {"prediction_id": "good", "value": 1, "event_ts": LANDED}]
    status, answer = _send(store, body)
    assert status == 400
    assert said in str(answer["error"])
    assert store.query("label") == []


def test_a_contradiction_is_a_conflict_and_a_store_that_is_away_is_said(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = {"prediction_id": "a", "value": 1, "event_ts": LANDED}
    assert _send(store, [label])[0] == 200
    assert _send(store, [{**label, "prediction_id": "b"}, {**label, "value": 0}])[0] == 409
    assert len(store.query("label")) == 1

    def away(*_: object) -> int:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(receiving, "record_labels", away)
    assert _send(store, [label]) == (503, {"error": "the store is away"})


def test_a_file_is_loaded_once(store: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "landed.csv"
    path.write_text("id,late,landed\na,1,2013-08-01T20:00:00Z\nb,0,2013-08-01T21:30:00.5Z\n")
    columns = "prediction_id=id, value=late,event_ts=landed"
    for new in (2, 0):
        found = load_labels(store, str(path), columns=columns)
        assert (found.rows, found.new) == (2, new)
    rows = store.query("label", order_by=["prediction_id"])
    assert [(row["prediction_id"], row["name"], row["value"], row["event_ts"], row["revision"]) for row in rows] == [
        ("a", "label", 1.0, "2013-08-01T20:00:00.000000Z", 0),
        ("b", "label", 0.0, "2013-08-01T21:30:00.500000Z", 0),
    ]
    path.write_text("id,late,landed\nc,1,2013-08-01T20:00:00Z\na,0,2013-08-01T20:00:00Z\n")
    with pytest.raises(Conflict, match="prediction a is 1 already, not 0"):
        load_labels(store, str(path), columns=columns)
    assert len(store.query("label")) == 2


def test_labels_of_units_have_an_event_or_else_its_time(store: SqlStore, tmp_path: Path) -> None:
    moment = datetime(2013, 8, 1, 20, tzinfo=UTC)
    table = pa.table({"unit": ["u", "v"], "value": [2, 3], "event_ts": [moment, moment], "revision": [0, 1]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="labels of units are about an endpoint"):
        load_labels(store, str(tmp_path / "a.parquet"))
    assert load_labels(store, str(tmp_path / "a.parquet"), endpoint=ENDPOINT, name="bought").new == 2
    (tmp_path / "b.jsonl").write_text('{"unit": "u", "event": "7", "value": 1, "event_ts": "2013-08-01T20:00:00Z"}\n')
    assert load_labels(store, str(tmp_path / "b.jsonl"), endpoint=ENDPOINT).new == 1
    rows = store.query("unit_label", order_by=["unit", "name"])
    assert [(row["unit"], row["name"], row["event"], row["value"], row["revision"]) for row in rows] == [
        ("u", "bought", "2013-08-01T20:00:00.000000Z", 2.0, 0),
        ("u", "label", "7", 1.0, 0),
        ("v", "bought", "2013-08-01T20:00:00.000000Z", 3.0, 1),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "prediction_id,value,event_ts\na,1,2013-08-01T20:00:00Z\nb,x,2013-08-01T20:00:00Z\n",
            "row 2 is bad: its value",
        ),
        (
            "prediction_id,value,event_ts\na,1,2013-08-01T20:00:00Z\nb,,2013-08-01T20:00:00Z\n",
            "row 2 is bad: its value",
        ),
        ("prediction_id,value,event_ts\n,1,2013-08-01T20:00:00Z\n", "row 1 is bad: its prediction_id is missing"),
        ("prediction_id,value,event_ts\na,1,2013-08-01T20:00:00Z\nb,1,\n", "row 2 is bad: its event_ts is missing"),
        ("prediction_id,value,event_ts\na,1,yesterday\n", "cannot be read"),
        ("prediction_id,value,event_ts\na,1,2013-08-01 20:00:00\n", "have no time zone"),
        ("prediction_id,value,event_ts,revision\na,1,2013-08-01T20:00:00Z,1.5\n", "row 1 is bad: its revision is 1.5"),
        ("prediction_id,event_ts\na,2013-08-01T20:00:00Z\n", "no column value"),
        ("value,event_ts\n1,2013-08-01T20:00:00Z\n", "no column prediction_id or unit"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_kept(store: SqlStore, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InvalidInput, match=said):
        load_labels(store, str(tmp_path / "labels.csv"))
    assert store.query("label") == []


def test_times_without_a_zone_are_in_the_one_that_is_said(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("prediction_id,value,event_ts\na,1,2013-08-01 22:00:00\n")
    load_labels(store, str(tmp_path / "labels.csv"), zone="Europe/Berlin")
    assert store.query("label")[0]["event_ts"] == "2013-08-01T20:00:00.000000Z"
    with pytest.raises(InvalidInput, match="cannot be in the zone"):
        load_labels(store, str(tmp_path / "labels.csv"), zone="Europe/Atlantis")


def test_a_mapping_that_names_no_field_is_refused(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("prediction_id,value,event_ts\na,1,2013-08-01T20:00:00Z\n")
    with pytest.raises(InvalidInput, match="names no column") as said:
        load_labels(store, str(tmp_path / "labels.csv"), columns="valu=value")
    assert said.value.hint == "did you mean 'value'?"
    with pytest.raises(InvalidInput, match="no column 'late'"):
        load_labels(store, str(tmp_path / "labels.csv"), columns="value=late")
