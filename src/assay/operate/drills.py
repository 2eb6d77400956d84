"""Drills: a rollback that was never rehearsed is a claim, not evidence."""

import time

import msgspec

from assay.errors import AssayError
from assay.operate.serving.client import PredictionClient
from assay.prove.promotion import Promotion, put_back
from assay.record.canonical import canonical_json
from assay.record.identity import new_id
from assay.record.models.routes import Route, current_route, wait_acknowledged
from assay.record.store import Store

__all__ = ["Drill", "rehearse_rollback"]

_PATIENCE_S = 10.0


class Drill(msgspec.Struct, frozen=True):
    """A rehearsed rollback: seconds from the decision until the server answered with the earlier version.

    `result` is `pass`, or `fail` where the server answered with another version.
    """

    drill_id: str
    model: str
    from_version: int
    to_version: int
    seconds: float
    restored_seconds: float
    result: str


def rehearse_rollback(store: Store, model: str, client: PredictionClient) -> Drill:
    """Roll the serving champion back, time it at the server, put it in place again, and record the drill.

    Whatever the server does, the champion of before is the champion again at the end, with the split and the shadows
    that it had; only where somebody else has changed the route meanwhile it is the champion alone. AssayError where no
    server took the rollback over or answered; that is on record as a failed drill.
    """
    before = current_route(store, model)
    start = time.perf_counter()
    back = put_back(store, model, to=None, cause="drill", reason="rollback drill")
    champion = back.previous_version
    assert champion is not None, "a rollback has something to roll back from"
    try:
        wait_acknowledged(store, back.endpoint, back.revision, timeout_s=_PATIENCE_S)
        answered = client.version()["version"]
    except AssayError as fault:
        _record(store, Drill(new_id(), model, champion, back.version, time.perf_counter() - start, 0.0, "fail"), fault)
        raise
    finally:
        seconds = time.perf_counter() - start
        again = _put_again(store, before, back)
    wait_acknowledged(store, again.endpoint, again.revision, timeout_s=_PATIENCE_S)
    restored = time.perf_counter() - start - seconds
    result = "pass" if answered == back.version else "fail"
    drill = Drill(new_id(), model, champion, back.version, seconds, restored, result)
    _record(store, drill)
    return drill


def _put_again(store: Store, before: Route, back: Promotion) -> Promotion:
    with store.transaction():
        is_ours = current_route(store, back.endpoint).revision == back.revision
        return put_back(
            store,
            back.model,
            to=back.previous_version,
            cause="drill",
            reason="end of the rollback drill",
            restoring=before if is_ours else None,
        )


def _record(store: Store, drill: Drill, fault: AssayError | None = None) -> None:
    detail = {"from": drill.from_version, "to": drill.to_version}
    outcome = {"fault": fault.what} if fault else {"restored_seconds": drill.restored_seconds}
    store.append(
        "drill",
        {
            "drill_id": drill.drill_id,
            "model": drill.model,
            "kind": "rollback",
            "seconds": drill.seconds,
            "result": drill.result,
            "initiated": "scheduled",
            "detail": canonical_json({**detail, **outcome}),
        },
    )
