"""`assay triggers ls|history|test`: what may start a training, what did, and a drill."""

import time
from typing import Annotated

import msgspec

from assay.operate.triggers.conditions import Look, truth_of
from assay.operate.triggers.definition import Condition, Trigger, leaves
from assay.operate.triggers.firing import Firing, consider, firings, note_drill
from assay.operate.triggers.hygiene import Block
from assay.operate.triggers.records import BY_HAND, REGRESSION, find_trigger, triggers_of
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.store import Store

__all__ = [
    "ConditionFound",
    "TriggerDrill",
    "TriggerState",
    "list_triggers",
    "rehearse_trigger",
    "said",
    "trigger_history",
]


_LOOPS_OWN = {
    BY_HAND: "somebody says so: `assay retrain`",
    REGRESSION: "a new champion is proven worse than the one before it",
}


class TriggerState(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as it stands: `state` is off, due, blocked, waiting or unknown.

    `words` say why; `blocks` what keeps it from firing; `next` the next planned time; `last` when it last fired.
    """

    trigger_id: str
    name: str
    model: str
    pipeline: str
    condition: str
    state: str
    words: str
    blocks: list[Block]
    next: str | None
    last: str | None
    fired: int


class ConditionFound(msgspec.Struct, frozen=True):
    """A part of a trigger's condition: what it asks, and whether that can be told now; None where it cannot."""

    asks: str
    holds: bool | None
    words: str


class TriggerDrill(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that was tried: what each part of its condition said, and what would keep it from firing.

    `result` is pass where every part can be told, so that it would fire once they hold; fail where one cannot.
    """

    drill_id: str
    fire_id: str
    trigger: str
    model: str
    pipeline: str
    result: str
    seconds: float
    parts: list[ConditionFound]
    blocks: list[Block]


@operation("triggers ls")
def list_triggers(store: Store, *, model: Annotated[str | None, "Only this model"] = None) -> list[TriggerState]:
    """List what may start a training by itself, and where each stands now."""
    return [_state(store, one) for one in triggers_of(store, model, all_of_them=True)]


@operation("triggers history")
def trigger_history(
    store: Store,
    trigger: Annotated[str | None, "Only this trigger, by name or the first characters of its id"] = None,
    *,
    model: Annotated[str | None, "Only this model"] = None,
    limit: Annotated[int, "At most so many, newest first"] = 50,
) -> list[Firing]:
    """List what triggers did: fired, blocked by a rule, joined with another firing, or tried in a drill."""
    found = None if trigger is None else find_trigger(store, trigger, model)
    return firings(store, model=model, trigger=found, limit=limit)


@operation("triggers test")
def rehearse_trigger(
    store: Store,
    trigger: Annotated[str, "Its name, or the first characters of its id"],
    *,
    model: Annotated[str | None, "Of this model, where several have one of that name"] = None,
) -> TriggerDrill:
    """Try a trigger as if its condition held, and record that as a drill; nothing is trained.

    A trigger that never fired is a claim. What its condition asks for is looked up: a monitor that is not there, a
    dataset or a staleness curve that is missing fails the drill.
    """
    begun = time.perf_counter()
    found = find_trigger(store, trigger, model)
    now = store.clock.latest()
    look = Look.alone(store, found, now)
    parts = []
    for leaf in leaves(found.definition):
        truth = truth_of(look, leaf)
        parts.append(ConditionFound(said(leaf), truth.holds, truth.words))
    kept = consider(store, found, now, assumed=True).blocks
    result = "fail" if any(part.holds is None for part in parts) else "pass"
    seconds = time.perf_counter() - begun
    told = {"trigger": found.name, "parts": [msgspec.to_builtins(part) for part in parts]}
    with store.transaction():
        fire_id = note_drill(store, found, result, told)
        row = {"drill_id": fire_id, "model": found.model, "kind": "trigger", "seconds": seconds, "result": result}
        store.append("drill", {**row, "initiated": "manual", "detail": canonical_json(told)})
    return TriggerDrill(
        drill_id=fire_id,
        fire_id=fire_id,
        trigger=found.name,
        model=found.model,
        pipeline=found.pipeline,
        result=result,
        seconds=seconds,
        parts=parts,
        blocks=list(kept),
    )


def said(condition: Condition) -> str:
    """A condition in words, as the file has it."""
    for name, between in (("any_of", " or "), ("all_of", " and ")):
        several = getattr(condition, name)
        if several is not None:
            return between.join(f"({said(one)})" if one.kind.endswith("_of") else said(one) for one in several)
    if condition.none_of is not None:
        return f"not {said(condition.none_of)}"
    value = getattr(condition, condition.kind)
    words = {
        "schedule": f"schedule {condition.schedule} {condition.zone or 'UTC'}",
        "harm": f"harm shown by {value}",
        "drift": f"drift shown by {value}",
        "max_age": f"the champion is older than {value}",
        "decay": f"it has lost {value} by its age",
        "manual": "somebody says so",
    }
    if condition.kind in words:
        return words[condition.kind]
    if condition.new_data is not None:
        least = f"{condition.new_data.rows:,} new rows" if condition.new_data.rows else "a new version"
        return f"{least} of {condition.new_data.dataset}"
    if condition.stale_features is not None:
        return f"rows of {condition.stale_features.view} older than {condition.stale_features.max_age}"
    if condition.upstream is not None:
        return f"a new champion of {condition.upstream.model}"
    assert condition.cost is not None, "every kind is said"
    return f"decay has cost what a training costs, {condition.cost.training:g}"


def _state(store: Store, trigger: Trigger) -> TriggerState:
    found = consider(store, trigger, store.clock.latest())
    every = [one for one in firings(store, trigger=trigger) if one.outcome == "fired"]
    enabled, own = trigger.enabled, _LOOPS_OWN.get(trigger.name)
    if not enabled:
        state = "off"
    elif found.fires:
        state = "due"
    elif found.due:
        state = "blocked"
    else:
        state = "unknown" if found.truth.holds is None else "waiting"
    return TriggerState(
        trigger_id=trigger.trigger_id,
        name=trigger.name,
        model=trigger.model,
        pipeline=trigger.pipeline,
        condition=own or said(trigger.definition),
        state=state,
        words="; ".join(block.words for block in found.blocks) or ("" if own else found.truth.words),
        blocks=list(found.blocks),
        next=found.truth.next,
        last=every[0].when if every else None,
        fired=len(every),
    )
