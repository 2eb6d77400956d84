"""Servers carry a release on: what breaks in traffic is taken back by themselves, in all of them, in under a second."""

import time
from pathlib import Path

from tests.operate.releases.release_worlds import Failing
from tests.operate.serving_helpers import ENDPOINT, add_version, serve_command

from assay.errors import AssayError
from assay.operate.releases.records import find_rollout
from assay.operate.releases.rules import Rules
from assay.operate.releases.starting import start_release
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.prove.promotion import promote
from assay.record.models.routes import current_route, live_workers, wait_acknowledged
from assay.record.sqlstore import SqlStore


def test_two_servers_take_a_failing_canary_back_by_themselves(store: SqlStore) -> None:
    add_version(store)
    add_version(store, Failing(0.02))
    promote(store, ENDPOINT, 1, override="the first one")
    command = serve_command(Path(store.location))
    with ServerProcess(store, ENDPOINT, command=command) as one, ServerProcess(store, ENDPOINT, command=command) as two:
        assert len(live_workers(store, ENDPOINT)) == 2
        rollout = start_release(store, ENDPOINT, 2, strategy="canary:25", rules=Rules(), override="to see it fail")
        wait_acknowledged(store, ENDPOINT, rollout.now.revision)
        clients = [PredictionClient(server.url) for server in (one, two)]
        deadline = time.monotonic() + 40
        number = 0
        while find_rollout(store, rollout.rollout_id).status == "running" and time.monotonic() < deadline:
            for client in clients:
                number += 1
                try:
                    client.predict([{"distance": 1.0, "carrier": "ZZ"}], units=[f"unit {number}"])
                except AssayError:
                    continue  # the canary answers with an error, which is what the release is to see
        done = find_rollout(store, rollout.rollout_id)
        assert done.status == "rolled_back"
        waited = wait_acknowledged(store, ENDPOINT, current_route(store, ENDPOINT).revision, timeout_s=5)
        assert waited < 1.0
        for client in clients:
            client.close()
