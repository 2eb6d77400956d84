"""Windows are looked at once, in order, whoever looks; alarms open an alert and close it again."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.operate.monitors.monitor_world import BEGIN, DAY, around, endpoint, serve_day
from tests.operate.serving_helpers import ENDPOINT, add_route

from assay.errors import InvalidInput
from assay.operate.monitors import reading
from assay.operate.monitors.checking import check_due
from assay.operate.monitors.definition import Definition
from assay.operate.monitors.reading import LogWindows
from assay.operate.monitors.records import DEFAULTS, declare_monitors
from assay.operate.predictions.columns import prediction_table
from assay.operate.project.settings import load_project
from assay.record import open_store
from assay.record.sqlstore import SqlStore


def test_each_window_is_looked_at_once_in_order(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"drift": Definition(kind="drift")})
    assert check_due(store) == []
    for day in range(3):
        serve_day(store, day, version)
    found = check_due(store)
    assert [one.window for one in found] == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert {one.outcome.status for one in found} == {"uncalibrated"}
    assert check_due(store) == []
    store.clock.advance(BEGIN + 3 * DAY + timedelta(hours=23))
    assert check_due(store) == []


def test_a_shift_is_watched_once_then_alarms_and_the_alert_closes_when_all_is_well(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"drift": Definition(kind="drift", segments=["carrier"])})
    states = []
    for day in range(18):
        serve_day(store, day, version, distance=around(1200 if 10 <= day < 12 else 1000))
        (checked,) = check_due(store)
        states.append(checked.outcome.status)
    assert states[:6] == ["uncalibrated"] * 6
    assert states[10:12] == ["watch", "alarm"]
    assert "distance" in checked.outcome.words or states[-1] == "ok"
    (alert,) = store.query("alert")
    assert alert["key"] == f"monitor:drift:{ENDPOINT}"
    assert alert["closed"] is not None


def test_two_processes_that_look_at_once_record_each_window_once(store: SqlStore, tmp_path: Path) -> None:
    version = endpoint(store)
    names = {"drift": Definition(kind="drift"), "volume": Definition(kind="volume")}
    declare_monitors(store, "delays", ENDPOINT, names)
    for day in range(5):
        serve_day(store, day, version, rows=60)
    at = store.clock.latest()

    def look(_: int) -> int:
        other = open_store(tmp_path / "store")
        other.clock.advance(at)
        try:
            return len(check_due(other))
        finally:
            other.close()

    with ThreadPoolExecutor(4) as pool:
        looked = list(pool.map(look, range(4)))
    assert sum(looked) == 10
    assert len(store.query("monitor_check")) == 10


def test_a_look_that_dies_leaves_the_window_to_the_next(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"drift": Definition(kind="drift")})
    for day in range(3):
        serve_day(store, day, version, rows=60)
    amend = store.amend

    def broken(kind: str, *given: Any, **named: Any) -> None:
        if kind == "monitor" and "looked" in given[1]:
            raise KeyboardInterrupt
        amend(kind, *given, **named)

    monkeypatch.setattr(store, "amend", broken)
    with pytest.raises(KeyboardInterrupt):
        check_due(store)
    monkeypatch.undo()
    assert store.query("monitor_check") == []
    assert len(check_due(store)) == 3


def test_a_long_silence_is_passed_over(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"volume": Definition(kind="volume")})
    serve_day(store, 0, version, rows=60)
    store.clock.advance(BEGIN + 4000 * DAY)
    found = check_due(store)
    assert [one.window for one in found] == ["2026-01-05", "2036-12-15", "2036-12-16", "2036-12-17"]


def test_nothing_to_do_costs_little_and_reads_no_log(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    version = endpoint(store)
    for number in range(100):
        name = f"e{number}"
        add_route(store, version, endpoint=name)
        declare_monitors(store, "delays", name, {kind: Definition(kind=kind) for kind in DEFAULTS})
    serve_day(store, 0, version, rows=10, endpoint="e0")
    assert len(check_due(store)) >= 700
    monkeypatch.setattr(LogWindows, "refresh", None)
    begun = time.process_time()
    assert check_due(store) == []
    assert time.process_time() - begun < 0.5  # 0.05 s on a machine that is at rest


def test_rows_of_windows_before_are_not_read_again(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"volume": Definition(kind="volume")})
    read: list[int] = []
    original = prediction_table

    def counted(predictions: Any, signatures: Any) -> Any:
        read.append(len(predictions))
        return original(predictions, signatures)

    monkeypatch.setattr("assay.operate.monitors.reading.prediction_table", counted)
    monkeypatch.setattr(reading, "_SMALL", 1)
    for day in range(6):
        serve_day(store, day, version, rows=50)
        check_due(store)
    assert read == [50] * 6


def test_a_project_file_declares_monitors_and_is_told_where_one_is_wrong(tmp_path: Path) -> None:
    text = """
name = "delays"
[data]
source = "flights.csv"
label = "late"
[model]
task = "binary"
estimator = "linear"
[policy.metrics.accuracy]
margin = 0.05
[monitors.inputs]
kind = "drift"
segments = ["origin"]
"""
    (tmp_path / "assay.toml").write_text(text)
    assert load_project(tmp_path).monitors == {"inputs": Definition(kind="drift", segments=["origin"])}
    (tmp_path / "assay.toml").write_text(text + 'window = "soon"\n')
    with pytest.raises(InvalidInput, match="window is 'soon'") as told:
        load_project(tmp_path)
    assert "line" in str(told.value.where)
