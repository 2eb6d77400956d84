"""What looking features up adds to a prediction, and how long a replay takes: lines of JSON.

Requests go to the application in this process, without a network; the best of several rounds counts. One request has
the keys, the other brings all columns itself. The replay compares predictions with a log of as many rows as are said.

    python -m benchmarks.feature_serving --predictions 100000 --rows 1000000
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from benchmarks.measured import say
from numpy.typing import NDArray

from assay.build.models.packaging import package_model
from assay.build.views.arriving.push import push
from assay.build.views.declared.history import as_rows
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import append_rows
from assay.build.views.registry.registered import register
from assay.operate.features.replay import replay
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.routing.watching import Watcher
from assay.operate.serving.app import Application, Message
from assay.record.canonical import canonical_json
from assay.record.clock import to_us
from assay.record.location import open_store
from assay.record.models.routes import current_route
from assay.record.store import Store
from assay.record.tracking.runs import start_run

ENDPOINT = "delays"
FEATURES = 10
START = datetime(2026, 1, 1, tzinfo=UTC)


class Mean:
    """As cheap as a model can be."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """[rows, 2]."""
        positive = np.full(len(X), 0.5)
        return np.column_stack([1 - positive, positive])


def history(entities: int, rows: int, seed: int) -> pa.Table:
    """Rows of ten features over a day."""
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {"airport": random.integers(0, entities, rows)}
    moments = to_us(START) + random.integers(0, 86_400_000_000, rows)
    columns["at"] = pa.array(moments).cast(pa.timestamp("us", "UTC"))
    return pa.table(columns | {f"f{place}": random.normal(size=rows) for place in range(FEATURES)})


def serve_two_views(store: Store) -> list[FeatureView]:
    """Two views of one entity, and a model that takes all of their features."""
    views: list[FeatureView] = []
    for name in ("first", "second"):
        table = history(1000, 1000, 1)
        table = table.rename_columns([f"{name}_{one}" if one.startswith("f") else one for one in table.column_names])
        views.append(feature_view(name, entity="airport", time="at", source=table))
        register(store, views[-1])
        push(name, table, store=store, now_us=to_us(START + timedelta(days=1)))
    labels = pa.table({"airport": [1, 2], "when": [START + timedelta(days=1)] * 2, "distance": [1.0, 2.0]})
    trained = training_set(labels, ["first:*", "second:*"], store=store)
    columns = ["distance", *[one.column for one in trained.used]]
    with start_run(store, "benchmark") as run:
        version = package_model(store, ENDPOINT, Mean(), trained.table, columns, run=run, features=trained)
    variants = [{"mv_id": version.mv_id, "hash": version.hash, "weight": 1}]
    detail = canonical_json({"variants": variants})
    store.append("route", {"endpoint": ENDPOINT, "revision": 1, "detail": detail, "decision": 0})
    return views


def ask(application: Application, body: bytes) -> Callable[[], None]:
    """A call that sends a request as a server would and checks that it is answered."""
    scope: Message = {"type": "http", "method": "POST", "path": "/predict", "headers": []}

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"status {message['status']}")

    def call() -> None:
        asyncio.get_event_loop().run_until_complete(application(scope, receive, send))

    return call


def microseconds(call: Callable[[], None], *, calls: int = 1000, rounds: int = 7) -> float:
    """Of processor time for a call, in the best round."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(calls):
            call()
        found.append((time.process_time() - began) / calls * 1e6)
    return min(found)


def measure(folder: Path, predictions: int, rows: int) -> None:
    """Print all figures."""
    store = open_store(folder)
    first, _ = serve_two_views(store)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    log = LogWriter(log_folder(store, ENDPOINT), durability="process")
    application = Application(watcher, log)
    assert watcher.table.champion.lookup is not None
    names = sorted(watcher.table.champion.lookup.looked_up)
    keys: dict[str, object] = {"airport": 7, "distance": 1.0}
    whole = msgspec.json.encode({"rows": [{"distance": 1.0, **dict.fromkeys(names, 1.0)}]})
    alone = microseconds(ask(application, whole))
    looked_up = microseconds(ask(application, msgspec.json.encode({"rows": [keys]})))
    say("lookup of 20 features of 2 views: added to a request of one row (us)", 100, looked_up - alone, without=alone)
    many = microseconds(ask(application, msgspec.json.encode({"rows": [keys] * 100})), calls=20)
    say("a row of a request of 100 rows, looked up and answered (us)", None, many / 100)

    version = register(store, first)
    for part in range(10):
        table = history(1000, rows // 10, part + 2)
        table = table.rename_columns([f"first_{one}" if one.startswith("f") else one for one in table.column_names])
        append_rows(store, version, as_rows(first, table, 0), "push", to_us(datetime.now(UTC) + timedelta(days=1)))
    send = ask(application, msgspec.json.encode({"rows": [keys] * 1000}))
    for _ in range(predictions // 1000):
        send()
    began = time.perf_counter()
    found = replay(store, ENDPOINT)
    seconds = time.perf_counter() - began
    say("replay (s)", None, seconds, predictions=found.sampled, rows=rows, verdict=found.verdict)
    watcher.close()
    log.close()
    store.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    asyncio.set_event_loop(asyncio.new_event_loop())
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "store", given.predictions, given.rows)


if __name__ == "__main__":
    main()
