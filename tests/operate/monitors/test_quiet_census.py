"""Three years of census data in which nothing is wrong, and then a broken feed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scripts.real_data import load
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.operate.serving_helpers import add_route, prediction

from assay.build.models.packaging import load_model, package_model
from assay.operate.monitors.checking import check_due
from assay.operate.monitors.definition import Definition, MonitorKind
from assay.operate.monitors.records import declare_monitors
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

BEGIN = datetime(2016, 1, 1, tzinfo=UTC)
FEATURES = ["AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "SEX", "RAC1P"]
KINDS: tuple[MonitorKind, ...] = ("quality", "drift", "prediction_drift", "skew", "volume")


@pytest.mark.data
def test_alarms_stay_quiet_over_three_years_and_speak_of_a_broken_feed(store: SqlStore) -> None:
    store.clock.advance(BEGIN)
    version = trained(store)
    add_route(store, version, endpoint="employment")
    named = {str(kind): Definition(kind=kind, rows=8000, segments=["SEX"]) for kind in KINDS if kind != "volume"}
    declare_monitors(store, "employment", "employment", {**named, "volume": Definition(kind="volume", window="3d")})
    table = shuffled(load("acs_analysis"))
    serve(store, version, table)
    found = check_due(store)
    assert len([one for one in found if one.monitor.name == "drift"]) == 26
    assert [(one.monitor.name, one.window) for one in found if one.outcome.status == "alarm"] == []
    states = Counter(one.outcome.status for one in found if one.monitor.name in ("drift", "prediction_drift"))
    assert states["watch"] <= 0.05 * states.total()
    broken = in_decades(table.slice(0, 24_000))
    serve(store, version, broken, start=BEGIN + timedelta(days=160))
    alarms = {one.monitor.name for one in check_due(store) if one.outcome.status == "alarm"}
    assert {"quality", "drift"} <= alarms


def shuffled(table: pa.Table) -> pa.Table:
    """The years in their order; the data have no finer time, and stand by place of living within a year."""
    order = np.lexsort([np.random.default_rng(0).random(table.num_rows), table["year"].to_numpy()])
    return table.take(pa.array(order))


def in_decades(table: pa.Table) -> pa.Table:
    """Ages as if somebody had counted in decades."""
    ages = np.asarray(table["AGEP"].to_numpy(), dtype=np.float64) / 10.0
    return table.set_column(table.column_names.index("AGEP"), "AGEP", pa.array(ages))


def prepared(table: pa.Table) -> pa.Table:
    """Ages are numbers, codes text."""
    columns = [table[name].cast(pa.float64()) if name == "AGEP" else table[name].cast(pa.string()) for name in FEATURES]
    return pa.table(columns, names=FEATURES)


def trained(store: SqlStore) -> ModelVersion:
    table = load("acs_reference")
    rows = prepared(table)
    matrix = np.column_stack([rows[name].to_numpy(zero_copy_only=False).astype(object) for name in FEATURES])
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=200))
    model.fit(matrix[::10], table["employed"].to_numpy()[::10])
    with start_run(store, "census") as run:
        return package_model(store, "employment", model, rows, FEATURES, run=run, compile=False)


def serve(store: SqlStore, version: ModelVersion, table: pa.Table, start: datetime = BEGIN) -> None:
    """A row a minute."""
    rows = prepared(table)
    answers = load_model(store, version).predict_table(rows)
    cells = zip(*(rows[name].to_pylist() for name in FEATURES), strict=True)
    logged = []
    for place, (cell, answer) in enumerate(zip(cells, answers.tolist(), strict=True)):
        moment = iso(start + timedelta(minutes=place))
        changes = {"endpoint": "employment", "ts": moment, "event_ts": moment, "mv_id": version.mv_id}
        logged.append(prediction(f"{start:%j}-{place}", **changes, features=cell, output=float(answer)))
    with LogWriter(log_folder(store, "employment"), durability="process") as writer:
        for begin in range(0, len(logged), 5000):
            writer.append(logged[begin : begin + 5000])
    store.clock.advance(start + timedelta(minutes=len(logged) + 1))
