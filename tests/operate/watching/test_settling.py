"""After a promotion monitors begin anew and the alert behind it is closed; without one it stays open."""

from pathlib import Path

from tests.operate.loop_helpers import BEGIN, DAY, at, write_table

from assay.operate.monitors.definition import Definition
from assay.operate.monitors.records import declare_monitors
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.watching.ticking import declare, tick
from assay.record.alerts.alert import find_alert, open_alert
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore


def alarmed(store: SqlStore, project: ProjectFile, day: int) -> str:
    """A monitor of harm that alarms for a day, and its alert."""
    name = project.model_name
    (monitor,) = declare_monitors(store, name, name, {"harm": Definition(kind="drift")})
    begin = BEGIN + (day - 0.6) * DAY  # after the champion came
    window = {"window": str(begin.date()), "started": iso(begin), "ended": iso(begin + DAY / 2), "rows": 100}
    store.append("monitor_check", {"monitor_id": monitor.monitor_id, "status": "alarm", "value": 0.6, **window})
    return open_alert(store, f"monitor:harm:{name}", "AUC fell", monitor_id=monitor.monitor_id).alert_id


def waits_for_harm(project: ProjectFile, policy: str = "") -> ProjectFile:
    text = Path("assay.toml").read_text().replace('schedule = "0 6 * * *"', 'drift = "harm"')
    Path("assay.toml").write_text(text.replace("[policy.metrics.brier]", f"[policy.metrics.brier]\n{policy}"))
    return load_project()


def test_a_promotion_answers_the_alert_and_monitors_begin_anew(store: SqlStore, project: ProjectFile) -> None:
    at(store, 0.3)
    tick(store, [project])
    harmed = waits_for_harm(project)
    declare(store, harmed)
    alert_id = alarmed(store, harmed, 1)
    write_table(3000, seed=5)
    at(store, 1.3)
    (told,) = tick(store, [harmed]).stories
    assert told.status == "promoted", told.reason
    alert = find_alert(store, alert_id)
    assert alert.acked is not None
    assert (alert.action, alert.linked_run) == ("retrained", told.run_id)
    monitor = store.query("monitor", {"name": "harm"})[0]
    assert monitor["version"] == told.mv_id
    assert monitor["since"] == iso(BEGIN + 1.3 * DAY)


def test_a_candidate_that_was_refused_leaves_the_alert_open(store: SqlStore, project: ProjectFile) -> None:
    at(store, 0.3)
    tick(store, [project])
    harmed = waits_for_harm(project)
    text = Path("assay.toml").read_text().replace("max_iter = 10", "max_iter = 1")
    Path("assay.toml").write_text(text.replace("margin = 0.01", "margin = 0.0001"))
    harmed = load_project()
    declare(store, harmed)
    alert_id = alarmed(store, harmed, 1)
    at(store, 1.3)
    (told,) = tick(store, [harmed]).stories
    assert told.status == "refused", told.reason
    assert find_alert(store, alert_id).closed is None
