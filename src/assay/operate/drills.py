"""Drills: a rollback that was never rehearsed is a claim, not evidence."""

import time

import msgspec

from assay.operate.client import PredictionClient
from assay.operate.routing import wait_acknowledged
from assay.prove.promotion import put_back
from assay.record.canonical import canonical_json
from assay.record.identity import new_id
from assay.record.store import Store

__all__ = ["Drill", "rehearse_rollback"]

_PATIENCE_S = 10.0


class Drill(msgspec.Struct, frozen=True):
    """A rehearsed rollback: seconds from the decision until the server answered with the earlier version."""

    drill_id: str
    model: str
    from_version: int
    to_version: int
    seconds: float
    restored_seconds: float
    result: str


def rehearse_rollback(store: Store, model: str, client: PredictionClient) -> Drill:
    """Roll the serving champion back, time it at the server, put it in place again, and record the drill."""
    start = time.perf_counter()
    back = put_back(store, model, to=None, cause="drill", reason="rollback drill")
    assert back.previous_version is not None, "a rollback has something to roll back from"
    wait_acknowledged(store, back.endpoint, back.revision, timeout_s=_PATIENCE_S)
    answered = client.version()
    seconds = time.perf_counter() - start
    result = "pass" if answered["version"] == back.version else "fail"
    start = time.perf_counter()
    again = put_back(store, model, to=back.previous_version, cause="drill", reason="end of the rollback drill")
    wait_acknowledged(store, again.endpoint, again.revision, timeout_s=_PATIENCE_S)
    restored = time.perf_counter() - start
    drill = Drill(new_id(), model, back.previous_version, back.version, seconds, restored, result)
    detail = {"from": drill.from_version, "to": drill.to_version, "restored_seconds": restored}
    store.append(
        "drill",
        {
            "drill_id": drill.drill_id,
            "model": model,
            "kind": "rollback",
            "seconds": seconds,
            "result": result,
            "initiated": "scheduled",
            "detail": canonical_json(detail),
        },
    )
    return drill
