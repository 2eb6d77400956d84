from datetime import UTC, datetime

import pytest
from tests.operate.serving_helpers import ENDPOINT, add_version, prediction

from assay.errors import InvalidInput
from assay.operate.predictions.columns import Signatures, prediction_table, predictions_of
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import LookedUp, Prediction, ViewRead
from assay.operate.predictions.rows import predictions_database, rows
from assay.operate.predictions.tail import Tail
from assay.record.sqlstore import SqlStore


def _some(store: SqlStore) -> list[Prediction]:
    known = add_version(store).mv_id
    return [
        prediction("1", mv_id=known, features=(1.5, "AA"), event_ts="2013-01-01T10:00:00.000000Z", unit="u"),
        prediction("2", features=("x", None, 2.0)),
        prediction("3", features=(), output=None, status="error", error="é", scores=(0.25, 0.75)),
        prediction("4", mv_id=known, features=(None, "UA"), flags={"carrier": "unseen"}, bucket=2**32 - 1),
        prediction("5", features=(1.0,), looked_up=LookedUp(5, {"k": b"\xff"}, (ViewRead("v@1", "present", 3),))),
    ]


def test_a_table_of_predictions_gives_them_back(store: SqlStore) -> None:
    some = _some(store)
    signatures = Signatures(store)
    for chosen in (some[:1], some[2:3]):
        assert predictions_of(prediction_table(chosen, signatures), signatures) == chosen
    together = predictions_of(prediction_table(some, signatures), signatures)
    assert [one.id for one in together] == ["1", "2", "3", "4", "5"]
    assert [together[0], together[3]] == [some[0], some[3]]
    assert together[4].looked_up == some[4].looked_up


def test_features_of_all_models_stand_beside_each_other(store: SqlStore) -> None:
    table = prediction_table(_some(store), Signatures(store))
    assert table["features"].to_pylist()[0] == {"distance": 1.5, "carrier": "AA", "f0": None, "f1": None, "f2": None}
    assert table["features"].to_pylist()[1] == {"distance": None, "carrier": None, "f0": "x", "f1": None, "f2": 2.0}
    assert str(table.schema.field("features").type.field("f0").type) == "string", "a number for another version"


def test_a_tail_gives_each_row_once(store: SqlStore) -> None:
    tail = Tail(store, ENDPOINT)
    assert tail.read_new().num_rows == 0
    some = _some(store)
    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append(some[:2])
        assert tail.read_new()["id"].to_pylist() == ["1", "2"]
        assert tail.read_new().num_rows == 0
        writer.append(some[2:])
        assert tail.read_new()["id"].to_pylist() == ["3", "4", "5"]


def test_rows_are_those_of_a_span_of_moments_in_the_columns_asked_for(store: SqlStore) -> None:
    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append(_some(store))
    assert rows(store, ENDPOINT).read_all().num_rows == 5
    old = rows(store, ENDPOINT, until=datetime(2020, 1, 1, tzinfo=UTC), columns=["unit", "features"]).read_all()
    assert old.column_names == ["unit", "features"]
    assert old["unit"].to_pylist() == ["u"]
    new = rows(store, ENDPOINT, since=datetime(2020, 1, 1, tzinfo=UTC), columns=["id"]).read_all()
    assert new["id"].to_pylist() == ["2", "3", "4", "5"]
    with pytest.raises(InvalidInput, match="no column 'unti'") as said:
        rows(store, ENDPOINT, columns=["unti"])
    assert said.value.hint == "did you mean 'unit'?"
    assert rows(store, "nowhere").read_all().num_rows == 0


def test_duckdb_reads_the_log_and_nothing_else(store: SqlStore) -> None:
    import duckdb

    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append(_some(store))
    with predictions_database(store, ENDPOINT) as connection:
        twice = "select count(*) from predictions a join predictions b using (id) where a.features.distance > 1"
        assert connection.sql(twice).fetchall() == [(1,)]
        with pytest.raises(duckdb.Error):
            connection.sql("select * from read_text('/etc/hostname')").fetchall()
