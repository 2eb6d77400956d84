"""A tick of the loop with nothing to do: models with monitors, triggers and a past, at a moment when none is due.

python benchmarks/watch_tick.py [--models 100] [--days 60] [--profile]
"""

import argparse
import cProfile
import pstats
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from benchmarks.measured import say

from assay.operate.monitors.definition import Definition, MonitorKind
from assay.operate.monitors.records import declare_monitors
from assay.operate.triggers.definition import Condition, NewData, TriggerDefinition
from assay.operate.triggers.firing import fire_due
from assay.operate.triggers.records import declare_triggers
from assay.operate.triggers.stories import end_story
from assay.operate.watching.ticking import tick
from assay.prove.promotion import promote
from assay.record.clock import iso
from assay.record.datasets import snapshot
from assay.record.location import open_store
from assay.record.models.registry import register
from assay.record.store import Store
from assay.record.tracking.runs import start_run

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TRIGGERS = {
    "weekly": TriggerDefinition(schedule="0 6 * * MON", cooldown="1d"),
    "harm": TriggerDefinition(harm="performance", new_rows=1000),
    "either": TriggerDefinition(
        any_of=[Condition(max_age="60d"), Condition(new_data=NewData("rows", 1000))], cooldown="2d"
    ),
}
KINDS: tuple[MonitorKind, ...] = ("quality", "drift", "performance", "volume")


def build(store: Store, models: int, days: int, folder: Path) -> None:
    """Models that have served for so many days, each with monitors that have looked at every day, and trainings."""
    store.clock.advance(BEGIN)
    (folder / "model").write_text("a model")
    used = snapshot(store, "rows", pa.table({"x": list(range(1000))}))
    for number in range(models):
        name = f"model-{number:03d}"
        with start_run(store, name, model=name) as run:
            run.uses(used.artifact_id, used.name)
            version = register(store, name, folder, run=run, signature={})
        promote(store, name, version.version, override="a benchmark")
        declare_triggers(store, name, f"{name}.toml", TRIGGERS)
        declare_monitors(store, name, name, {kind: Definition(kind=kind) for kind in KINDS})
    watching = {(row["model"], row["kind"]): row["monitor_id"] for row in store.query("monitor")}
    for day in range(days):
        begin = BEGIN + day * DAY
        span = {"window": str(begin.date()), "started": iso(begin), "ended": iso(begin + DAY)}
        store.append_many(
            "monitor_check",
            [
                {"monitor_id": monitor_id, "status": "ok", "value": 0.5, "rows": 1000, **span}
                for monitor_id in watching.values()
            ],
        )
        store.amend_all("monitor", {"enabled": 1}, {"looked": iso(begin + DAY), "since": iso(BEGIN)})
        store.clock.advance(begin + DAY)
        for fired in fire_due(store, begin + DAY):
            vain = fired.model < f"model-{models // 2:03d}"  # half of them are refused, and rest for long
            end_story(store, fired.fire_id, "refused" if vain else "promoted", "as it went")


def main() -> None:
    """Build a world, then look again and again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--days", type=int, default=58)
    parser.add_argument("--looks", type=int, default=15)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"{folder}/.assay")
        (Path(folder) / "version").mkdir()
        build(store, options.models, options.days, Path(folder) / "version")
        seconds = []
        for look in range(options.looks):
            moment = BEGIN + options.days * DAY + timedelta(minutes=look + 1)
            store.clock.advance(moment)
            begun = time.perf_counter()
            done = tick(store, [])
            seconds.append(time.perf_counter() - begun)
            assert not done.fired
            assert not done.stories
        best = min(seconds) * 1000
        say("watch-tick-idle-ms", 100.0, best, models=options.models, triggers=len(TRIGGERS) * options.models)
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(tick, store, [])
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
        store.close()


if __name__ == "__main__":
    main()
