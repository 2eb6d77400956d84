"""A champion and a better-looking one after it, in service: its traffic, its labels and its monitors, day by day."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv
from tests.operate.loop_helpers import BEGIN, DAY, at
from tests.operate.serving_helpers import prediction

from assay.build.models.packaging import load_model
from assay.operate.labels.recording import Label, record_labels
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.watching.commands import retrain
from assay.operate.watching.ticking import Tick, declare, tick
from assay.record.clock import iso
from assay.record.models.registry import CHAMPION, ModelVersion, alias
from assay.record.sqlstore import SqlStore

Chances = Callable[[NDArray[np.int64]], NDArray[np.float64]]

LOOP = """
[triggers.harm]
harm = "performance"
cooldown = "1s"

[release]
strategy = "direct"

[retraining]
estimate_gain = false

[monitors.performance]
kind = "performance"
maturity = "0d"

[monitors.errors]
kind = "errors"

[monitors.latency]
kind = "latency"
"""
_ids = count()


def evenings(hour: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chance of a delay: flights are later in the evening."""
    return 0.05 + 0.05 * (hour.astype(np.float64) - 6)


def mornings(hour: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same in a world that has turned."""
    return 0.05 + 0.05 * (22 - hour.astype(np.float64))


def write_flights(rows: int, *, leaks: bool = False, seed: int = 0) -> None:
    """Flights of the past; where it leaks, `noise` knows what will happen, as it never does in service."""
    chance = np.random.default_rng(seed)
    hour = chance.integers(6, 23, rows)
    late = chance.random(rows) < evenings(hour)
    noise = chance.normal(size=rows) + (4.0 * late if leaks else 0.0)
    csv.write_csv(pa.table({"hour": hour, "noise": noise, "late": np.where(late, "yes", "no")}), "flights.csv")


def project_of(loop: str = LOOP) -> ProjectFile:
    """The project here with these parts in place of those after its policy."""
    text = Path("assay.toml").read_text()
    Path("assay.toml").write_text(text.partition("\n[triggers.")[0] + loop)
    return load_project()


def champion_of(store: SqlStore, project: ProjectFile) -> ModelVersion:
    """The champion of now."""
    found = alias(store, project.model_name, CHAMPION)
    assert found is not None
    return found


def promoted(store: SqlStore, project: ProjectFile, day: float) -> ModelVersion:
    """A version that was trained on the rows of now, at that day."""
    at(store, day)
    told = retrain(store, project.model_name, reason="a new month")
    assert told.story.status == "promoted", told.story.reason
    return champion_of(store, project)


def serve(
    store: SqlStore,
    project: ProjectFile,
    day: int,
    *,
    chances: Chances = evenings,
    rows: int = 200,
    failed: int = 0,
    slower: float = 1.0,
    labelled: bool = True,
) -> None:
    """A day of answers of the champion, with what happened; the clock goes on to its end."""
    chance = np.random.default_rng([7, day])
    version = champion_of(store, project)
    hour = chance.integers(6, 23, rows)
    noise = chance.normal(size=rows)
    table = pa.table({"hour": hour.astype(float), "noise": noise})
    output = load_model(store, version).predict_table(table)
    late = chance.random(rows) < chances(hour)
    logged, labels = [], []
    for place in range(rows):
        moment = BEGIN + (day + place / rows) * DAY
        is_failed = place < failed
        one = prediction(
            f"r{next(_ids)}",
            endpoint=project.model_name,
            model=project.model_name,
            version=version.version,
            ts=iso(moment),
            event_ts=iso(moment),
            mv_id=version.mv_id,
            features=(float(hour[place]), float(noise[place])),
            output=None if is_failed else float(output[place]),
            status="error" if is_failed else "ok",
            error="broken" if is_failed else None,
            latency_us=int(chance.gamma(20, 100 * slower)),
        )
        logged.append(one)
        if labelled and not is_failed:
            labels.append(Label(one.id, float(late[place]), moment + timedelta(minutes=5)))
    with LogWriter(log_folder(store, project.model_name), durability="process") as writer:
        writer.append(logged)
    record_labels(store, labels)
    at(store, day + 1)


def looked(store: SqlStore, project: ProjectFile, day: float) -> Tick:
    """A look of the loop at that day."""
    at(store, day)
    declare(store, project)
    return tick(store, [project])
