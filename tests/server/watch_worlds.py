"""A store whose model was watched for five weeks: monitors, findings, profiles, alerts, triggers and retrainings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
from tests.operate.releases.release_worlds import ENDPOINT, versions
from tests.server.page_stores import HOSTILE

from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding
from assay.operate.triggers.commands import rehearse_trigger
from assay.operate.triggers.definition import TriggerDefinition
from assay.operate.triggers.firing import fire_due
from assay.operate.triggers.records import declare_triggers
from assay.operate.watching.story import StageResult, advance, find_story
from assay.record.alerts.alert import close_alert, open_alert
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.models.registry import find_version
from assay.record.sqlstore import SqlStore
from assay.record.store import Row
from assay.stats.drift import Baseline, TableProfile, Verdict, judge
from assay.stats.segment import OVERALL

MODEL = ENDPOINT
DAYS = 35
MOVED = 30  # from this day on the inputs are others
DAY = timedelta(days=1)
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
MONITORS = {
    "inputs": Definition(kind="drift", segments=["origin"], owner="ana", runbook="https://wiki.example/inputs"),
    "answers": Definition(kind="prediction_drift"),
    "rows": Definition(kind="quality", alpha=0.01),
    "auc": Definition(kind="performance", metric="auc", maturity="3d", severity="critical"),
    "auc expected": Definition(kind="estimate", metric="auc"),
    "skew": Definition(kind="skew"),
    HOSTILE: Definition(kind="latency", runbook=HOSTILE, owner=HOSTILE),
}


@dataclass(frozen=True, slots=True)
class WatchWorld:
    """Ids in the store: monitors by name, alerts (open, acknowledged, closed), stories (promoted, refused, open)."""

    monitors: dict[str, str]
    alerts: list[str]
    stories: list[str]


def fill_watched(store: SqlStore) -> WatchWorld:
    """Five weeks of daily windows; in the last five days flights are longer and of another carrier."""
    versions(store)
    store.clock.advance(BEGIN)
    monitors = {name: _monitor(store, name, definition) for name, definition in MONITORS.items()}
    rules = {
        "weekly": TriggerDefinition(schedule="0 6 * * 1", zone="Europe/Berlin", cooldown="12h"),
        "worse": TriggerDefinition(harm="auc", cooldown="1d"),
        "broken feed": TriggerDefinition(drift="no such monitor"),
        "asked": TriggerDefinition(manual=True),
    }
    declare_triggers(store, MODEL, "assay.toml", rules)
    rehearse_trigger(store, "worse")
    rehearse_trigger(store, "broken feed")
    stories = _look_daily(store, monitors)
    return WatchWorld(monitors, _alerts(store, monitors), stories)


def _monitor(store: SqlStore, name: str, definition: Definition) -> str:
    row: Row = {"monitor_id": f"m{len(store.query('monitor'))}", "name": name, "model": MODEL, "endpoint": ENDPOINT}
    row |= {"kind": definition.kind, "owner": definition.owner or "ops", "enabled": 1, "every_s": 86_400}
    store.append("monitor", {**row, "detail": canonical_json(msgspec.to_builtins(definition))})
    return str(row["monitor_id"])


def table_of(day: int, rows: int = 500) -> pa.Table:
    """A day's inputs."""
    chance = np.random.default_rng(day)
    moved = day >= MOVED
    carriers = chance.choice(["AA", "B6", "DL", "UA", "WN"], rows, p=[0.2, 0.3, 0.2, 0.2, 0.1])
    distance = chance.gamma(4, 220, rows) * (1.35 if moved else 1)
    return pa.table(
        {
            "distance": pa.array(distance, mask=chance.random(rows) < (0.08 if moved else 0.01)),
            "weekday": chance.integers(1, 8, rows),
            "carrier": np.where(chance.random(rows) < (0.5 if moved else 0.0), "WN", carriers),
            "origin": chance.choice(["EWR", "JFK", "LGA"], rows),
            "holiday": chance.random(rows) < 0.1,
        }
    )


def _look_daily(store: SqlStore, monitors: dict[str, str]) -> list[str]:
    stories: list[str] = []
    profiles: list[TableProfile] = []
    earlier: list[Sequence[Verdict]] = []
    baseline: Baseline | None = None
    for day in range(DAYS):
        start = BEGIN + day * DAY
        store.clock.advance(start + DAY + timedelta(hours=1))
        profiles.append(TableProfile.of(table_of(day), segments=["origin"]))
        _keep_profile(store, start, profiles[-1])
        if len(profiles) == 12:
            baseline = Baseline.learn(profiles)
        if baseline is None:
            _check(store, monitors["inputs"], start, "uncalibrated", None, "what is usual is not known yet", [])
        else:
            verdicts = judge(baseline, profiles[-1], earlier=earlier[-2:])
            earlier.append(verdicts)
            _check_drift(store, monitors["inputs"], start, verdicts)
        _check_others(store, monitors, day, start)
        store.clock.advance(start + DAY + timedelta(hours=6))
        for fired in fire_due(store, store.clock.latest()):
            stories.append(fired.fire_id)
            _carry_on(store, fired.fire_id, len(stories))
    return stories


def _keep_profile(store: SqlStore, start: datetime, profile: TableProfile) -> None:
    row: Row = {"profile_id": f"p{start.date()}", "model": MODEL, "endpoint": ENDPOINT, "role": "window"}
    row |= {"window": str(start.date()), "started": iso(start), "ended": iso(start + DAY), "rows": profile.rows}
    row["segments"] = "origin"
    store.append("window_profile", {**row, "blob": store.blobs.put(profile.to_bytes())})


def _check_drift(store: SqlStore, monitor: str, start: datetime, verdicts: Sequence[Verdict]) -> None:
    findings = [
        Finding(
            subject=one.column,
            segment=OVERALL_SEGMENT if one.segment == OVERALL else one.segment.name,
            measure=one.measure,
            state=one.state,
            words=one.words,
            value=one.distance,
            expected=one.null,
            bound=one.bound,
            p=one.adjusted_p,
            harm=max(0.0, one.effect or 0.0) / one.floor * {"distance": 1.0, "carrier": 0.5}.get(one.column, 0.2),
            rows=one.current_rows,
        )
        for one in verdicts
    ]
    worst = max(findings, key=lambda one: one.harm or 0.0)
    states = {one.state for one in findings}
    status = "alarm" if "drift" in states else "watch" if "watch" in states else "ok"
    words = worst.words if status != "ok" else "no column is beyond what is usual"
    _check(store, monitor, start, status, worst.harm, words, findings)


def _check_others(store: SqlStore, monitors: dict[str, str], day: int, start: datetime) -> None:
    chance = np.random.default_rng(1000 + day)
    worse = day >= MOVED
    answers = float(chance.gamma(2, 0.01) + (0.06 if worse else 0))
    state = "alarm" if day > MOVED else "watch" if worse else "ok"
    said = Finding(
        subject="score", measure="ks", state="drift" if worse else "ok", value=answers, bound=0.07, rows=500, harm=0.02,
        words=f"score: its shape is another (ks {answers:.3g}, usual is up to 0.07)",
    )  # fmt: skip
    _check(store, monitors["answers"], start, state, answers, said.words, [said])
    _check(
        store, monitors["rows"], start, "no_data" if day in (5, 6) else "ok", None if day in (5, 6) else 0.01, "", []
    )
    if day < DAYS - 3:
        _quality(store, monitors["auc"], start, 0.74 - 0.06 * worse + float(chance.normal(0, 0.006)), worse)
    _quality(store, monitors["auc expected"], start, 0.735 - 0.05 * worse + float(chance.normal(0, 0.004)), False)
    _check(
        store, monitors["skew"], start, "uncalibrated", float(chance.gamma(2, 0.02)), "0.03 to 0.05 without chance", []
    )


def _quality(store: SqlStore, monitor: str, start: datetime, value: float, bad: bool) -> None:
    words = f"auc {value:.3f}, between {value - 0.02:.3f} and {value + 0.02:.3f}"
    said = Finding(
        subject="auc", measure="auc", state="drift" if bad else "ok", words=words, value=value, bound=0.70,
        low=value - 0.02, high=value + 0.02, rows=480, harm=0.06 if bad else 0.0,
    )  # fmt: skip
    _check(store, monitor, start, "alarm" if bad else "ok", value, words, [said])


def _check(
    store: SqlStore,
    monitor: str,
    start: datetime,
    status: str,
    value: float | None,
    words: str,
    findings: Sequence[Finding],
) -> None:
    row: Row = {"monitor_id": monitor, "window": str(start.date()), "status": status, "value": value, "rows": 500}
    row |= {"started": iso(start), "ended": iso(start + DAY)}
    store.append("monitor_check", {**row, "detail": canonical_json({"words": words})})
    rows = [{"monitor_id": monitor, "window": row["window"], **msgspec.to_builtins(one)} for one in findings]
    store.append_many("monitor_finding", rows)


def _carry_on(store: SqlStore, story_id: str, number: int) -> None:
    """One is promoted, the next refused, and so on; the last is still under way."""
    story = advance(store, find_story(store, story_id), StageResult(words="it fired", next="train"))
    store.clock.advance(store.clock.latest() + timedelta(minutes=7))
    version = find_version(store, MODEL, 2)
    passed = number % 2 == 1
    found: dict[str, object] = {"version": 2, "verdict": "pass" if passed else "fail", "seconds": 412.5}
    said = f"version 2 was trained on 48,211 rows; the gate says {found['verdict']}"
    columns = {"mv_id": version.mv_id}
    if not passed:
        words = f"{said}: auc is lower than the champion's"
        advance(store, story, StageResult(words=words, status="refused", evidence=found, detail=found, columns=columns))
        return
    story = advance(
        store, story, StageResult(words=said, next="release", evidence=found, detail=found, columns=columns)
    )
    if number >= 5:
        advance(store, story, StageResult(words="release of version 2 is running at canary 5 %"))
        return
    story = advance(store, story, StageResult(words="version 2 was promoted", next="settle"))
    advance(store, story, StageResult(words=f"version 2 is the champion of {MODEL}", status="promoted"))


def _alerts(store: SqlStore, monitors: dict[str, str]) -> list[str]:
    opened = [
        open_alert(
            store, f"monitor:inputs:{ENDPOINT}", "distance: its shape is another, median from 803 to 1,080",
            model=MODEL, endpoint=ENDPOINT, monitor_id=monitors["inputs"], owner="ana",
            runbook="https://wiki.example/inputs",
        ),
        open_alert(
            store, f"monitor:auc:{ENDPOINT}", "auc 0.681, at least 0.70 was promised", severity="critical",
            model=MODEL, endpoint=ENDPOINT, monitor_id=monitors["auc"], owner="ops",
        ),
        open_alert(store, "data:flights", HOSTILE, model=MODEL, severity="info", owner=HOSTILE, runbook=HOSTILE),
        open_alert(store, "data:old", "an old feed stood still", model=MODEL),
    ]  # fmt: skip
    close_alert(store, opened[-1].alert_id, action="fixed", reason="the feed came back")
    return [one.alert_id for one in opened]
