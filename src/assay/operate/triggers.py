"""Triggers: a condition that starts a pipeline by itself, and the record of each time it did."""

import msgspec

from assay.errors import InvalidInput
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.store import Store

__all__ = ["Trigger", "define_trigger", "fire", "link_run"]

_TYPES = ("manual", "schedule", "data", "drift", "performance", "event")


class Trigger(msgspec.Struct, frozen=True):
    """What starts `pipeline` for `model`; `type` becomes the trigger_type of the runs it starts."""

    trigger_id: str
    model: str
    type: str
    pipeline: str


def define_trigger(store: Store, model: str, kind: str, pipeline: str) -> Trigger:
    """Enable a trigger of a type: manual | schedule | data | drift | performance | event."""
    if kind not in _TYPES:
        raise InvalidInput(f"there is no trigger of type {kind!r}", expected=" | ".join(_TYPES))
    trigger = Trigger(new_id(), model, kind, pipeline)
    store.append("trigger_def", {**msgspec.to_builtins(trigger), "enabled": 1})
    return trigger


def fire(store: Store, trigger: Trigger, reason: str, *, alert_id: str | None = None) -> str:
    """Record that the trigger fired, and acknowledge the alert behind it; returns the id of the firing."""
    fire_id = new_id()
    with store.transaction():
        row = {"fire_id": fire_id, "trigger_id": trigger.trigger_id, "reason": reason, "alert_id": alert_id}
        store.append("trigger_fire", row)
        if alert_id:
            store.amend("alert", {"alert_id": alert_id}, {"acked": iso(store.clock.latest())})
    return fire_id


def link_run(store: Store, fire_id: str, run_id: str) -> None:
    """Say which run a firing started; it closes the alert with the action `retrain`."""
    with store.transaction():
        store.amend("trigger_fire", {"fire_id": fire_id}, {"linked_run": run_id})
        alert_id = store.get("trigger_fire", {"fire_id": fire_id})["alert_id"]
        if alert_id:
            changes = {"closed": iso(store.clock.latest()), "action": "retrain", "linked_run": run_id}
            store.amend("alert", {"alert_id": alert_id}, changes)
