"""Stores for the tests of the pages: a small one with everything, and one of many runs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.record.clock import iso, to_ms
from assay.record.identity import new_id
from assay.record.models.logged_models import (
    READY,
    ModelMetric,
    create_logged_model,
    finish_logged_model,
    put_model_metrics,
    set_logged_model_tags,
)
from assay.record.models.registered_models import create_registered_model
from assay.record.models.versions import create_version
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment
from assay.record.tracking.metrics import Series, add_points, add_series
from assay.record.tracking.points import Points
from assay.record.tracking.projects import close_project, new_project, put_into_project
from assay.record.tracking.run_changes import DatasetUse, create_run, log, log_datasets, log_models, update_run
from assay.record.tracking.timekeeping import add_time, start_time

HOSTILE = "<script>alert('x')</script>\"'&"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf5000000301"
    "0100c9fe92ef0000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True)
class Small:
    """Ids in the small store."""

    experiment: str
    runs: list[str]
    long: str
    logged: str


def points(values: "list[float]", start_ms: int = 1_700_000_000_000) -> Points:
    """A value each second, at steps 0, 1, 2 ..."""
    steps = np.arange(len(values))
    return Points(steps, start_ms + steps * 1000, np.array(values, float))


def fill_small(store: SqlStore) -> Small:
    """Runs in every state, with everything a run can have, and names that are no friends."""
    number = create_experiment(store, "vision/small nets").experiment_id
    create_experiment(store, HOSTILE)
    create_experiment(store, "vision/<b>deep</b>/nets")
    random = np.random.default_rng(4)
    runs = []
    for place, rate in enumerate((0.1, 0.01, 0.001)):
        run = create_run(store, number, name=f"try {place}", tags={"team": HOSTILE if place == 0 else "a"})
        loss = 1 / (1 + np.arange(40) * (1 + place)) + random.normal(0, 0.01, 40)
        values = {
            "loss": points(loss.tolist()),
            "auc": points([0.7 + place / 100]),
            "odd/nan": points([float("nan"), 1.0]),
        }
        log(store, run, params={"lr": str(rate), "net": "wide" if place else HOSTILE}, metrics=values)
        log_datasets(
            store, run, [DatasetUse("images", f"d{place}", "local", "{}", tags={"mlflow.data.context": "train"})]
        )
        runs.append(run)
    update_run(store, runs[0], status="finished")
    log(store, runs[0], metrics={"auc": points([0.9], 1_800_000_000_000)}, params={"after": "x"}, late="mark")
    update_run(store, runs[1], status="failed")
    store.amend("run", {"run_id": runs[1]}, {"reason": HOSTILE})
    long = create_run(store, number, name=HOSTILE, tags={"mlflow.parentRunId": runs[0], "mlflow.note.content": HOSTILE})
    store.amend(
        "run", {"run_id": long}, {"started": "2020-01-01T00:00:00.000000Z", "seen": "2020-01-01T02:00:00.000000Z"}
    )
    add_points(store, long, {"loss": points(random.normal(size=100_000).tolist())})
    files = {
        "plot.png": PIXEL,
        "notes/read me.txt": HOSTILE.encode(),
        "page.html": b"<script>alert(1)</script>",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "table.csv": b"name,value\n<b>one</b>,1\ntwo,2\n",
        "model.bin": bytes(range(256)),
    }
    for path, content in files.items():
        row = {"path": f"{number}/{runs[0]}/artifacts/{path}", "blob": store.blobs.put(content), "size": len(content)}
        store.append("artifact_file", row)
    diff = store.blobs.put(b"diff --git a/x b/x\n@@ -1 +1 @@\n-old <i>\n+new\n")
    store.amend(
        "run", {"run_id": runs[0]}, {"detail": f'{{"command": ["python", "<b>"], "git": {{"diff": "{diff}"}}}}'}
    )
    _fill_projects(store)
    return Small(number, runs, long, _fill_logged(store, number, runs))


def _fill_logged(store: SqlStore, number: str, runs: list[str]) -> str:
    """A logged model with params, metrics, a file and a version that was made of it, and one that is still to come."""
    model = create_logged_model(
        store, number, "net", model_type="classifier", source_run_id=runs[0], params={"lr": "0.1", "kind": HOSTILE}
    )
    measured = ModelMetric("auc", 0.71, 3, 1_700_000_000_000, runs[0], "images", "d0")
    put_model_metrics(store, model.model_id, [measured])
    set_logged_model_tags(store, model.model_id, {"team": HOSTILE})
    store.append(
        "artifact_file", {"path": f"{model.root}/MLmodel", "blob": store.blobs.put(b"flavors: {}\n"), "size": 12}
    )
    finish_logged_model(store, model.model_id, READY)
    create_logged_model(store, number, "later", source_run_id=runs[2])
    log_models(store, runs[0], "output", {model.model_id: 3}, late="mark")
    log_models(store, runs[2], "input", {model.model_id: None})
    create_registered_model(store, "net")
    create_version(
        store,
        "net",
        f"models:/{model.model_id}",
        run_id=runs[0],
        logged_model_id=model.model_id,
        tags={"team": HOSTILE},
    )
    return model.model_id


def _fill_projects(store: SqlStore) -> None:
    """A project that is late, one that is closed, and time on them."""
    new_project(store, "small nets", owner="ana", due="2020-05-01", description=HOSTILE)
    new_project(store, HOSTILE, owner="ben")
    put_into_project(store, "small nets", "vision/small nets")
    add_time(store, "small nets", 1.5, activity="labelling", person="ana", start="2024-01-02T09:00", note=HOSTILE)
    add_time(store, "small nets", 0.5, activity="review", person="ben", start="2024-01-02T09:00")
    start_time(store, "small nets", person="ana")
    new_project(store, "done", owner="cy")
    close_project(store, "done")


def fill_many(store: SqlStore, count: int = 10_000, points_each: int = 20) -> str:
    """Runs with six params, four tags and four metrics each; returns the id of their experiment."""
    number = create_experiment(store, "sweeps/many").experiment_id
    random = np.random.default_rng(7)
    now = store.clock.now()
    ids = [new_id() for _ in range(count)]
    began = [to_ms(iso(now)) - 60_000 * (count - place) for place in range(count)]
    states = random.choice(["finished", "finished", "finished", "failed", "killed"], count)
    rates = random.choice([0.001, 0.003, 0.01, 0.03, 0.1], count)
    depths = random.integers(2, 12, count)
    with store.transaction():
        store.append_many(
            "run", [_run(number, ids[place], place, began[place], str(states[place])) for place in range(count)]
        )
        params = []
        for place, run in enumerate(ids):
            said = {"lr": f"{rates[place]}", "depth": str(depths[place]), "optimizer": ("adam", "sgd")[place % 2]}
            said |= {"batch": str(2 ** (4 + place % 5)), "dropout": f"{place % 4 / 10}", "data": f"part-{place % 7}"}
            params += [{"run_id": run, "key": key, "value": value, "layer": 0} for key, value in said.items()]
        store.append_many("run_param", params)
        tags = [
            {"run_id": run, "key": key, "value": value}
            for place, run in enumerate(ids)
            for key, value in {
                "mlflow.runName": f"run {place:05d}",
                "team": f"team {place % 3}",
                "night": str(place % 2),
            }.items()
        ]
        store.append_many("run_tag", tags)
        groups: list[tuple[str, str, int]] = []
        owners, values = [], []
        for place, run in enumerate(ids):
            quality = 0.6 + 0.03 * depths[place] - abs(np.log10(rates[place]) + 2) / 20 + random.normal(0, 0.02)
            course = np.linspace(0, 1, points_each)
            for key, line in (
                ("auc", quality * (1 - np.exp(-4 * course))),
                ("loss", 1.2 - quality * (1 - np.exp(-5 * course))),
                ("seconds", np.full(points_each, 1 + place % 9.0)),
                ("val/accuracy", quality * course**0.3),
            ):
                owners.append(np.full(points_each, len(groups)))
                groups.append((run, key, 0))
                values.append(line + random.normal(0, 0.004, points_each))
        steps = np.tile(np.arange(points_each), len(groups))
        times = np.repeat(np.repeat(began, 4), points_each) + steps * 1000
        add_series(store, Series(groups, np.concatenate(owners), Points(steps, times, np.concatenate(values))))
    return number


def _run(number: str, run: str, place: int, began: int, state: str) -> dict[str, object]:
    from assay.record.clock import from_ms

    return {
        "run_id": run,
        "experiment_id": number,
        "name": f"run {place:05d}",
        "kind": "train",
        "stage": "dev",
        "trigger_type": "manual",
        "status": state,
        "started": from_ms(began),
        "ended": from_ms(began + 1000 * (5 + place % 900)),
        "seen": from_ms(began),
        "user_id": f"person {place % 5}",
    }


def write_many(folder: Path, count: int = 10_000) -> tuple[SqlStore, str]:
    """A store of many runs in a folder."""
    from assay.record import open_store

    store = open_store(folder)
    return store, fill_many(store, count)
