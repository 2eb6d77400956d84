import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import assay
from assay.errors import Conflict, InvalidInput
from assay.record.artifacts import artifact_file, run_root
from assay.record.live import live_run
from assay.record.sqlstore import SqlStore
from assay.record.tracking.run_changes import run_row

TABLE = pa.table({"age": [20.0, 30.0, 40.0, 50.0], "left": [0, 0, 1, 1]})


@pytest.fixture(autouse=True)
def _no_logger_survives() -> Iterator[None]:
    yield
    for logger in live_run._loggers.values():
        logger.close(1.0)
    live_run._loggers.clear()


def _fitted() -> LogisticRegression:
    return LogisticRegression().fit(np.array([[20.0], [30.0], [40.0], [50.0]]), [0, 0, 1, 1])


def test_a_model_is_among_the_files_of_its_run_with_its_signature(store: SqlStore) -> None:
    estimator = _fitted()
    with assay.run("churn", store=store.location, system_metrics=False) as run:
        address = run.model(estimator, TABLE, name="logistic", columns=["age"])
    assert address == f"runs:/{run.run_id}/logistic"
    root = run_root(run_row(store, run.run_id))
    kept = {name: _content(store, f"{root}/logistic/{name}") for name in ("MLmodel", "model.pkl")}
    described = json.loads(kept["MLmodel"])
    assert described["run_id"] == run.run_id
    assert [one["name"] for one in json.loads(described["signature"]["inputs"])] == ["age"]
    again = pickle.loads(kept["model.pkl"])
    assert np.array_equal(again.predict_proba([[33.0]]), estimator.predict_proba([[33.0]]))


def test_what_cannot_be_packed_is_refused_and_leaves_no_file(store: SqlStore) -> None:
    with assay.run("churn", store=store.location, system_metrics=False) as run:
        with pytest.raises(InvalidInput, match="a function is no model"):
            run.model(lambda rows: rows, TABLE)
        here = type("Here", (), {"predict": lambda self, rows: rows})
        with pytest.raises(InvalidInput, match="cannot be pickled"):
            run.model(here(), TABLE)
        with pytest.raises(InvalidInput, match="agee"):
            run.model(_fitted(), TABLE, columns=["agee"])
    assert store.query("artifact_file") == []


def test_a_run_that_has_ended_takes_no_model(store: SqlStore) -> None:
    run = assay.run("churn", store=store.location, system_metrics=False)
    run.finish()
    with pytest.raises(Conflict):
        run.model(_fitted(), TABLE, columns=["age"])
    assert store.query("artifact_file") == []


def _content(store: SqlStore, path: str) -> bytes:
    return Path(store.blobs.path(artifact_file(store, path).blob)).read_bytes()
