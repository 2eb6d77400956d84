"""Broken data stop a story before anything is trained, and their owner is told."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from tests.operate.loop_helpers import at, write_table

from assay.operate.project.broken import broken_columns
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.watching.checking import broken_since, data_alert_key
from assay.operate.watching.story import Story
from assay.operate.watching.ticking import tick
from assay.record.alerts.alert import Alert, alert_of
from assay.record.models.registry import CHAMPION, alias
from assay.record.sqlstore import SqlStore


@pytest.fixture
def trained(store: SqlStore, project: ProjectFile) -> ProjectFile:
    """A project with a champion and an owner of its data."""
    text = Path("assay.toml").read_text()
    Path("assay.toml").write_text(text.replace("[data]\n", '[data]\nowner = "ana@example.org"\n'))
    owned = load_project()
    at(store, 0.3)
    tick(store, [owned])
    return owned


def next_story(store: SqlStore, project: ProjectFile, day: float) -> Story:
    at(store, day)
    (told,) = tick(store, [project]).stories
    return told


def open_alerts(store: SqlStore, project: ProjectFile) -> list[Alert]:
    return [alert_of(row) for row in store.query("alert", {"key": data_alert_key(project), "closed": None})]


def test_data_that_break_an_expectation_stop_the_story(store: SqlStore, trained: ProjectFile) -> None:
    champion = alias(store, trained.model_name, CHAMPION)
    expected = Path("expectations.toml").read_text()
    Path("expectations.toml").write_text(expected.replace('share = 0.99, severity = "warn"', "share = 0.99"))
    table = csv.read_csv("flights.csv")
    csv.write_csv(table.set_column(0, "hour", pa.array([-5] * table.num_rows)), "flights.csv")
    told = next_story(store, trained, 1.3)
    assert told.status == "stopped"
    assert told.reason is not None
    assert "the data does not meet" in told.reason
    assert alias(store, trained.model_name, CHAMPION) == champion


def test_a_unit_that_changed_upstream_stops_it_tells_the_owner_and_is_closed_when_well(
    store: SqlStore, trained: ProjectFile
) -> None:
    Path("expectations.toml").unlink()
    Path("assay.toml").write_text(Path("assay.toml").read_text().replace('expectations = "expectations.toml"', ""))
    loaded = load_project()
    runs = len(store.query("run"))
    table = csv.read_csv("flights.csv")
    seconds = pa.array([hour * 3600 for hour in table["hour"].to_pylist()])
    csv.write_csv(table.set_column(0, "hour", seconds), "flights.csv")
    told = next_story(store, loaded, 1.3)
    assert told.status == "stopped"
    assert told.reason is not None
    assert "the data are broken since the champion was trained: 'hour' was" in told.reason
    assert "as from hours to seconds" in told.reason
    assert len(store.query("run")) == runs, "nothing was trained"
    (alert,) = open_alerts(store, loaded)
    assert (alert.owner, alert.model) == ("ana@example.org", loaded.model_name)
    next_story(store, loaded, 2.3)
    (again,) = open_alerts(store, loaded)
    assert (again.alert_id, again.times) == (alert.alert_id, 2)
    write_table(700, seed=1)
    assert next_story(store, loaded, 3.3).status in {"promoted", "refused"}
    assert open_alerts(store, loaded) == []
    closed = store.get("alert", {"alert_id": alert.alert_id})
    assert (closed["action"], closed["reason"]) == ("recovered", "the data are well again")


def test_a_source_that_cannot_be_read_is_the_owners_to_mend(store: SqlStore, trained: ProjectFile) -> None:
    Path("flights.csv").rename("elsewhere.csv")
    told = next_story(store, trained, 1.3)
    assert told.status == "stopped"
    assert len(open_alerts(store, trained)) == 1


def test_what_is_trained_is_what_was_checked(store: SqlStore, trained: ProjectFile) -> None:
    write_table(700, seed=1)
    told = next_story(store, trained, 1.3)
    rows = store.query("run_io", {"run_id": told.run_id, "role": "input"})
    artifacts = store.query("artifact", {"artifact_id in": [one["artifact_id"] for one in rows]})
    assert told.detail["data"] in {one["hash"] for one in artifacts}


def test_a_unit_that_changed_for_some_days_is_not_hidden_by_those_after_them() -> None:
    def days(first: int, count: int, factor: float = 1.0) -> pa.Table:
        chance = np.random.default_rng(first)
        begin = datetime(2026, 1, 1) + timedelta(days=first)
        rows = 100 * count
        return pa.table(
            {
                "day": [begin + timedelta(days=row // 100) for row in range(rows)],
                "hour": factor * chance.uniform(6, 23, rows),
                "temp": chance.normal(10 + first / 10, 4, rows),  # what moves with the season
            }
        )

    before, spoilt = days(0, 40), pa.concat_tables([days(40, 15), days(55, 5, factor=60.0), days(60, 25)])
    assert broken_columns(before, spoilt, {"day"}) == []
    (found,) = broken_since(before, spoilt, "day", {"day"})
    assert (found.column, found.fault) == ("hour", "unit")
    assert found.words.startswith("from 2026-02-25 on, ")
    assert "'hour' was 14.4" in found.words
    assert broken_since(before, pa.concat_tables([days(40, 15), days(55, 24)]), "day", {"day"}) == []
    undated = before.drop_columns(["day"]), spoilt.drop_columns(["day"])
    assert broken_since(*undated, None, set()) == [], "without days nobody can tell"
