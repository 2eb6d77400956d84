"""The quality of a release, by an online test that belongs to it: beside the champion in a shadow, or half and half."""

import msgspec

from assay.operate.online_tests.definition import OnlineTest, find_test
from assay.operate.online_tests.readings import TestReading, keep_reading
from assay.operate.online_tests.starting import new_test
from assay.operate.online_tests.stopping import mark_stopped
from assay.operate.releases.deciding import Quality
from assay.operate.releases.records import Rollout
from assay.operate.releases.strategy import Step
from assay.operate.routing.changing import end_split
from assay.record.models.routes import current_route
from assay.record.store import Store

__all__ = ["begin_test", "close_test", "keep_quality"]


def begin_test(store: Store, rollout: Rollout, step: Step) -> OnlineTest:
    """Begin the test of a step, which shares the traffic out; within the transaction of the step.

    Units that were in a canary before are shared out anew: what it did to them is then the same in both arms.
    """
    if current_route(store, rollout.endpoint).split is not None:
        end_split(store, rollout.endpoint, kind="release", reason="the canary gives way to the A/B test")
    metrics = [msgspec.structs.replace(one, name=name) for name, one in rollout.detail.rules.metrics.items()]
    return new_test(
        store,
        rollout.endpoint,
        [str(rollout.detail.version)],
        metrics=metrics,
        name=f"release-{rollout.rollout_id[:8]}-{step.kind}-{len(rollout.detail.phases) + 1}",
        kind="shadow" if step.kind == "shadow" else "ab",
        rollout=rollout.rollout_id,
        override=rollout.detail.override,
    )


def close_test(store: Store, rollout: Rollout, reason: str) -> None:
    """Say that the test of the step has ended with what its last reading said; within a transaction."""
    if rollout.detail.test_id is None:
        return
    test = find_test(store, rollout.detail.test_id)
    last = store.query("test_reading", {"test_id": test.test_id}, order_by=["-seq"], limit=1)
    outcome = last[0]["outcome"] if last else "inconclusive"
    mark_stopped(store, test, outcome, reason)


def keep_quality(store: Store, reading: TestReading) -> Quality:
    """Keep a reading of the test; what it says of the quality."""
    kept = keep_reading(store, reading)
    return Quality(kept.test_id, kept.seq or 0, kept.outcome, "; ".join((*kept.words, *kept.held)))
