import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from assay.record.clock import from_ms
from assay.record.search.finding import search_runs
from assay.record.sqlstore import SqlStore
from assay.record.store import Row, Sql
from assay.record.tracking.experiments import create_experiment


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """300 runs with a param of many values, one of few, and a metric."""
    rnd = random.Random(1)
    experiment_id = create_experiment(store, "e").experiment_id
    ids = [f"{rnd.getrandbits(64):016x}" for _ in range(300)]
    common = {"experiment_id": experiment_id, "stage": "dev", "kind": "train", "trigger_type": "manual"}
    common |= {"status": "finished", "name": "r"}
    store.append_many("run", [{**common, "run_id": run_id, "started": from_ms(n)} for n, run_id in enumerate(ids)])
    params = [{"run_id": run_id, "key": "rare", "value": str(n)} for n, run_id in enumerate(ids)]
    params += [{"run_id": run_id, "key": "half", "value": str(n % 2)} for n, run_id in enumerate(ids)]
    store.append_many("run_param", params)
    points = {"layer": 0, "key": "auc", "step": 0, "ts_ms": 0, "count": 1, "numbers": 1, "last_ms": 0, "chunks": 1}
    points |= {"last_step": 0}
    values = [{**points, "run_id": run_id, "value": rnd.random()} for run_id in ids]
    store.put_many(
        "run_metric", [row | dict.fromkeys(("first", "low", "high", "total"), row["value"]) for row in values]
    )
    return store


@contextmanager
def _plans(store: SqlStore) -> Iterator[list[str]]:
    """How SQLite goes through each statement inside."""
    plans: list[str] = []
    select = store.select

    def note(statement: sa.Select[Any] | Sql) -> list[Row]:
        if isinstance(statement, Sql) and statement.text.startswith("SELECT run."):
            explained = store.tuples(Sql(f"EXPLAIN QUERY PLAN {statement.text}", statement.values))
            plans.append("; ".join(row[3] for row in explained))
        return select(statement)

    store.select = note  # type: ignore[method-assign]
    yield plans
    store.select = select  # type: ignore[method-assign]


def test_an_order_by_a_metric_is_read_from_its_index(filled: SqlStore) -> None:
    with _plans(filled) as plans:
        search_runs(filled, "metrics.auc > 0.2 and params.half = '1'", order_by=["metrics.auc DESC"], limit=5)
    (plan,) = plans
    assert "INDEX ix_run_metric_key_value (key=? AND value>?); SEARCH r2 USING PRIMARY KEY" in plan
    assert "SCAN" not in plan


def test_a_rare_value_is_looked_up_first(filled: SqlStore) -> None:
    for order in ([], ["metrics.auc"], ["params.half"]):
        with _plans(filled) as plans:
            assert len(search_runs(filled, "params.rare = '77' and metrics.auc >= 0", order_by=order, limit=5).ids) == 1
        (plan,) = plans
        assert plan.startswith("SEARCH r1 USING INDEX ix_run_param_key_value (key=? AND <expr>=?)")


def test_the_newest_runs_are_read_from_an_index(filled: SqlStore) -> None:
    (experiment,) = filled.query("experiment", {"name": "e"})
    with _plans(filled) as plans:
        search_runs(filled, limit=5)
        search_runs(filled, limit=5, experiment_ids=[experiment["experiment_id"]])
        search_runs(filled, "params.half = '1'", limit=5, late=True)
    assert "ix_run_started" in plans[0]
    assert "ix_run_experiment_id_started" in plans[1]
    assert "ix_run_started" in plans[2]
    assert "SEARCH r1 USING PRIMARY KEY" in plans[2]


def test_late_points_count_where_some_run_has_them(filled: SqlStore) -> None:
    row = filled.query("run_metric", limit=1)[0]
    filled.put_many("run_metric", [{**row, "layer": 1, "value": 7.0}])
    assert search_runs(filled, "metrics.auc > 5").ids == []
    assert search_runs(filled, "metrics.auc > 5", late=True).ids == [row["run_id"]]
    assert search_runs(filled, "metrics.auc < 5", late=True, limit=1000, order_by=["metrics.auc"]).ids != []
    assert len(search_runs(filled, "metrics.auc < 5", late=True, limit=1000).ids) == 299
    assert search_runs(filled, late=True, order_by=["metrics.auc DESC"], limit=1).ids == [row["run_id"]]
