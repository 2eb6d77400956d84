"""From a training set of two views to a server that looks them up, and to a replay that finds one corrupted row."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from tests.operate.features.feature_serving import HOUR, NOON, ROW, Place, Served, make_place
from tests.operate.serving_helpers import ENDPOINT, add_route, predict

from assay.build.models.packaging import package_model
from assay.build.training.train import train
from assay.build.views.arriving.push import push
from assay.build.views.declared.moments import latest_us
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import log_parts, part_rows
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import find_view
from assay.cli.main import run
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.record.clock import iso
from assay.record.location import open_store
from assay.record.tracking.runs import start_run

FOLDER = "store"
VIEWS = """
import assay

@assay.feature_view(entity="airport", time="at", ttl="2d", source="{folder}/airports.parquet")
def airports_seen(rows):
    return rows.select(["airport", "at", "delay"])

carriers_seen = assay.feature_view(
    "carriers_seen", entity="carrier", time="at", created="told", source="{folder}/c.parquet"
)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = make_place(tmp_path / FOLDER)
    yield made
    made.store.close()


def replay_command(folder: Path, *options: str) -> list[str]:
    return ["--store", str(folder), "features", "replay", ENDPOINT, "--settle", "0s", *options]


def test_what_was_trained_on_is_served_by_key_and_a_replay_finds_the_row_that_was_corrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, now = tmp_path / FOLDER, datetime.now(UTC)
    hours = [now - HOUR * number for number in range(20, 0, -1)]
    delays = [float(number) for number in range(20)]
    pq.write_table(pa.table({"airport": ["JFK"] * 20, "at": hours, "delay": delays}), tmp_path / "airports.parquet")
    pq.write_table(
        pa.table({"carrier": [7], "at": [hours[0]], "told": [hours[0]], "size": [2]}), tmp_path / "c.parquet"
    )
    (tmp_path / "views_of_flights.py").write_text(VIEWS.format(folder=tmp_path))
    assert run(["--store", str(folder), "features", "register", str(tmp_path / "views_of_flights.py")]) == 0

    store = open_store(folder)
    labels = pa.table({"airport": ["JFK"] * 20, "carrier": [7] * 20, "when": hours, "late": [d > 9 for d in delays]})
    trained = training_set(labels, ["airports_seen:delay", "carriers_seen:*"], store=store)
    model = train(LogisticRegression(), trained.table, label="late", features=["delay", "size"])
    with start_run(store, "flights") as run_:
        version = package_model(store, "delays", model, trained.table, run=run_, features=trained)
    add_route(store, version)
    assert run(["--store", str(folder), "features", "materialize"]) == 0

    row: dict[str, object] = {"airport": "JFK", "carrier": 7}
    with ServerProcess(store, ENDPOINT) as server, PredictionClient(server.url) as client:
        assert client.ready()
        ((_, first),) = client.predict([row])
        assert first == pytest.approx(model.predict_table(pa.table({"delay": [19.0], "size": [2]}))[0], rel=1e-12)
        push("airports_seen", {"airport": "JFK", "at": datetime.now(UTC), "delay": -30.0}, store=store)
        ((_, second),) = client.predict([row])
        lower = model.predict_table(pa.table({"delay": [-30.0], "size": [2]}))[0]
        assert second == pytest.approx(lower, rel=1e-12)  # a server answers with the compiled form
        assert lower < 0.5 < first
        assert client.features(["airports_seen:delay"], [row]) == [{"delay": -30.0}]
        client.predict([row] * 4000)

        capsys.readouterr()
        assert run(replay_command(folder)) == 0
        assert "delays: pass" in capsys.readouterr().out
        assert run(replay_command(folder, "--tolerated", "0.00001")) == 3
        assert "about 380,141 more rows would decide" in capsys.readouterr().out

        seen = find_view(store, "airports_seen")
        corrupt = part_rows(store, seen, log_parts(store, seen)[-1])
        place = corrupt.column_names.index("delay")
        later = pa.array([latest_us(store.clock)])
        corrupt = corrupt.set_column(place, "delay", pa.array([-30.000000001])).set_column(1, "__ts", later)
        open_online(store).table(seen).write(corrupt, later[0].as_py())
        client.predict([row] * 40)
    assert run(replay_command(folder, "--json")) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["feature"], one["kinds"]) for one in found["features"] if one["kinds"]] == [
        ("airports_seen@1:delay", {"type or precision": 40})
    ]
    assert [alert["message"] for alert in store.query("alert")] == [
        "airports_seen@1:delay of delays was served otherwise than training computes it in 40 of 4,042 rows"
    ]
    store.close()


def test_a_replay_that_goes_on_sees_what_is_logged_meanwhile_and_ends_with_its_verdict(
    place: Place, tmp_path: Path
) -> None:
    served = Served(place)
    at_noon = {"assay-event-time": iso(NOON)}
    predict(served.application, {"rows": [ROW] * 10}, **at_noon)
    command = [sys.executable, "-m", "assay", *replay_command(tmp_path / FOLDER, "--every", "0.05")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert "delays: inconclusive, 10 rows" in watching.stdout.readline()
        predict(served.application, {"rows": [ROW] * 4000}, **at_noon)
        deadline = time.monotonic() + 20
        while "delays: pass" not in watching.stdout.readline():
            assert time.monotonic() < deadline
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=20)
        assert watching.returncode == 0
    served.close()
