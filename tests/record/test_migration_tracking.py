"""A store that the first version wrote keeps everything when it is brought up to date."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from assay.record import migrations
from assay.record.counters import next_number
from assay.record.search.run_listing import list_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import experiment_named
from assay.record.tracking.metrics import history, latest
from assay.record.tracking.runs import show_run

_WHO = {"actor": "ann", "actor_kind": "human", "source": "native", "ts": "2025-01-01T00:00:00.000000Z"}


def _first_schema(store: SqlStore) -> None:
    with store._writers.begin() as connection:
        for table in reversed(sa.inspect(connection).get_table_names()):
            suffix = " CASCADE" if connection.dialect.name == "postgresql" else ""
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            connection.exec_driver_sql(f'DROP TABLE "{table}"{suffix}')
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("DROP FUNCTION ledger_refuse()")
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")


def _insert(connection: sa.Connection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    names = ", ".join(rows[0])
    values = ", ".join(f":{name}" for name in rows[0])
    connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), [dict(row) for row in rows])


def _fill(store: SqlStore) -> None:
    run = {"name": "r", "stage": "dev", "kind": "train", "trigger_type": "manual", "status": "finished", **_WHO}
    with store._writers.begin() as connection:
        times = {"a": "2025-01-02T00:00:00.000000Z", "b": "2025-01-01T00:00:00.000000Z"}
        runs = [
            {"run_id": run_id, "experiment": name, "started": times[run_id], **run}
            for run_id, name in (("a", "flights"), ("b", "churn"))
        ]
        _insert(connection, "run", runs)
        texts = [{"run_id": "a", "key": key, "value": value * 4000} for key, value in (("lr", "1"), ("note", "ü"))]
        _insert(connection, "run_param", texts)
        _insert(connection, "run_tag", texts)
        points = [
            {"run_id": "a", "key": "loss", "step": step, "value": 1 / step, "ts": f"2025-01-02T00:00:0{step}.500000Z"}
            for step in (1, 2, 4)
        ]
        _insert(connection, "run_metric", points)
        versions = [
            {"mv_id": f"v{number}", "model": "flights", "version": number, "hash": "h", "created": times["a"], **_WHO}
            for number in (1, 2)
        ]
        _insert(connection, "model_version", versions)


def test_nothing_of_the_first_version_is_lost(either_store: SqlStore) -> None:
    _first_schema(either_store)
    _fill(either_store)
    with either_store._writers.begin() as connection:
        migrations.bring_up_to_date(connection, either_store.location)
        assert migrations.version_of(connection) == migrations.HEAD
    runs = list_runs(either_store)
    assert [(run.run_id, run.experiment) for run in runs] == [("a", "flights"), ("b", "churn")]
    churn = experiment_named(either_store, "churn")  # began first, so it has the first number
    assert churn is not None
    assert churn.experiment_id == "1"
    shown = show_run(either_store, "a")
    assert shown.params == shown.tags == {"lr": "1" * 4000, "note": "ü" * 4000}
    points = history(either_store, "a", "loss")
    assert points.step.tolist() == [1, 2, 4]
    assert points.value.tolist() == [1.0, 0.5, 0.25]
    assert (points.ts_ms % 1000).tolist() == [500, 500, 500]
    sums = latest(either_store, ["a"])["a"]["loss"]
    assert (sums.value, sums.first, sums.low, sums.high, sums.mean, sums.count) == (0.25, 1.0, 0.25, 1.0, 1.75 / 3, 3)
    (model,) = either_store.query("registered_model")
    assert model["name"] == "flights"
    assert next_number(either_store, "experiment") == 3
    assert next_number(either_store, "version:flights") == 3
