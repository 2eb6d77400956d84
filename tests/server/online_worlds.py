"""A store with an endpoint at which releases and a test ran, for the tests of its pages."""

import os
from dataclasses import dataclass
from datetime import timedelta

from tests.operate.releases.release_worlds import BROKEN, ENDPOINT, SOON, World, versions
from tests.server.page_stores import HOSTILE

from assay.operate.labels.recording import Label, record_labels
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import keep_reading
from assay.operate.online_tests.starting import new_test
from assay.operate.online_tests.status import read_test
from assay.operate.online_tests.stopping import stop_test
from assay.operate.predictions.compacting import compact_predictions
from assay.operate.releases.moving import abort
from assay.operate.releases.records import find_rollout
from assay.operate.releases.rules import with_options
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import Ticker
from assay.operate.routing.workers import register_worker
from assay.record.clock import moment
from assay.record.models.routes import acknowledge, current_route
from assay.record.sqlstore import SqlStore

CLICKS = Metric(name="clicks", numerator="label", direction="up", maturity="0s", window="0s")
ERRORS = Metric(name="errors", numerator="error", role="guardrail", margin=0.05, window="0s")


@dataclass(frozen=True, slots=True)
class Online:
    """Ids in the store: a release that was rolled back, one that was ended, one that runs, and a test."""

    rolled_back: str
    ended: str
    running: str
    test: str


def fill_online(store: SqlStore) -> Online:
    """Traffic, compacted in part, three releases and an A/B test with several looks."""
    versions(store)
    world = World(store)
    world.now -= timedelta(minutes=50)
    world.request(600)
    broken = start_release(store, ENDPOINT, 2, strategy="canary:25,50", rules=SOON)
    world.request(300, challenger=BROKEN)
    Ticker(store, broken).tick()
    world.log.close()
    compact_predictions(store, ENDPOINT)
    again = World(store, seed=1)
    again.now = world.now
    again.number_from(10_000)
    ended = start_release(store, ENDPOINT, 2, strategy="shadow,canary:5", rules=SOON)
    again.request(120)
    abort(store, find_rollout(store, ended.rollout_id), HOSTILE)
    test = new_test(store, ENDPOINT, ["2"], metrics=[CLICKS, ERRORS], name="clicks")
    for look in range(4):
        told = again.request(150)
        labels = [Label(one.id, float(again.generator.random() < 0.4), event_ts=moment(one.ts)) for one in told]
        record_labels(store, labels)
        keep_reading(store, read_test(store, test, store.clock.now() + timedelta(minutes=look + 1)))
    stop_test(store, test, reason="enough was seen")
    running = start_release(
        store, ENDPOINT, 2, strategy="canary:10,50,ab", rules=with_options(SOON, metrics=[CLICKS], min_units=10_000)
    )
    again.request(200, seconds=1.0)
    Ticker(store, running).tick()
    register_worker(store, ENDPOINT, "host-1", "http://127.0.0.1:8080", os.getpid())
    register_worker(store, ENDPOINT, "host-2", "http://127.0.0.1:8080", os.getpid())
    acknowledge(store, ENDPOINT, "host-1", current_route(store, ENDPOINT).revision)
    again.log.close()
    return Online(broken.rollout_id, ended.rollout_id, running.rollout_id, test.test_id)
