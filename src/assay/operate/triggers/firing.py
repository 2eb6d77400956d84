"""Firing: each cause once, whoever looks, however often, and whatever dies in between.

A firing has an identity, such as the planned time or the window in which an episode of alarms began. It is written with
the story that it begins, in one transaction and under a key made from the identity: two who look at the same time write
the same row, and only one of them does.
"""

import hashlib
from collections.abc import Mapping, Sequence, Set
from datetime import datetime

import msgspec

from assay.errors import InvalidInput
from assay.operate.triggers.conditions import Look, truth_of
from assay.operate.triggers.definition import Trigger, TriggerDefinition
from assay.operate.triggers.facts import Facts
from assay.operate.triggers.hygiene import Block, blocks, depth_of
from assay.operate.triggers.records import BY_HAND, REGRESSION, RUN_TYPES, triggers_of
from assay.operate.triggers.stories import end_story, past_stories
from assay.operate.triggers.truth import Cause, Truth
from assay.record.alerts.alert import Action, close_alert
from assay.record.alerts.handling import ack_alert
from assay.record.canonical import canonical_json
from assay.record.clock import happened, iso
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion
from assay.record.store import Row, Store

__all__ = [
    "Considered",
    "Firing",
    "close_behind",
    "consider",
    "fire",
    "fire_by_hand",
    "fire_called",
    "fire_due",
    "fire_for_regression",
    "firings",
    "link_run",
    "note_drill",
]


_SAID = Truth(holds=True, words="somebody says so")


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A time that a trigger fired, was kept from it, or was tried.

    `outcome` is fired, blocked, joined (another firing stands for this one too) or drill. `run_type` is what the run it
    starts says that started it.
    """

    fire_id: str
    trigger_id: str
    trigger: str
    model: str
    outcome: str
    reason: str
    when: str
    identity: str | None
    planned: str | None
    evidence: dict[str, object]
    alert_id: str | None
    run_id: str | None
    run_type: str


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as it stands now: whether its condition holds, what is due, and what keeps it from firing."""

    trigger: Trigger
    truth: Truth
    due: Sequence[Cause]
    blocks: Sequence[Block]

    @property
    def fires(self) -> bool:
        """Whether it would fire now."""
        return bool(self.due) and not self.blocks


def consider(store: Store, trigger: Trigger, now: datetime, *, assumed: bool = False) -> Considered:
    """Look at a trigger and change nothing; in a drill its condition is `assumed` to hold."""
    look = Look.alone(store, trigger, now)
    if assumed:
        cause = Cause(kind="manual", identity="drill", words="assumed to hold")
        truth = Truth(holds=True, words=cause.words, causes=[cause])
    else:
        truth = truth_of(look, trigger.definition)
    return _considered(look, truth, _fired_once(store, [(trigger, truth)]))


def fire_due(store: Store, now: datetime, *, model: str | None = None) -> list[Firing]:
    """Fire every trigger that is due and not kept from it; what is kept from it is noted once for each rule.

    Any number of processes may do so at once.
    """
    triggers = triggers_of(store, model)
    facts = Facts(store, triggers)
    looks = [Look(store, trigger, now, facts) for trigger in triggers]
    truths = [truth_of(look, look.trigger.definition) for look in looks]
    known = _fired_once(store, list(zip(triggers, truths, strict=True)))
    every = [_considered(look, truth, known) for look, truth in zip(looks, truths, strict=True)]
    _note_blocks(store, [found for found in every if found.blocks])
    fired = []
    for found in every:
        if found.fires:
            with store.transaction():  # nobody begins a story of the model in between
                again = consider(store, found.trigger, now)
                if again.fires:
                    fired.append(fire(store, again.trigger, again.due[0], also=again.due[1:]))
    return fired


def fire(store: Store, trigger: Trigger, cause: Cause, *, also: Sequence[Cause] = ()) -> Firing:
    """Write that the trigger fired for a cause, and the story that begins with it; acknowledges the alert behind it.

    `also` are causes that are true besides: this firing stands for them too.
    """
    fire_id = _key(trigger, cause.identity)
    now = iso(store.clock.latest())
    with store.transaction():
        evidence = {**cause.evidence, **({"also": [one.words for one in also]} if also else {})}
        row: Row = {
            "fire_id": fire_id,
            "trigger_id": trigger.trigger_id,
            "reason": cause.words,
            "identity": cause.identity,
            "outcome": "fired",
            "evidence": canonical_json({"kind": cause.kind, **evidence}),
            "planned": cause.planned,
            "alert_id": cause.alert_id,
        }
        if store.append_many("trigger_fire", [row], skip_existing=True):
            detail = {"depth": depth_of(store, cause), "pipeline": trigger.pipeline, "trigger": trigger.name}
            story = {"story_id": fire_id, "fire_id": fire_id, "model": trigger.model, "started": now}
            store.append("retraining", {**story, "status": "open", "stage": "begin", "detail": canonical_json(detail)})
            for one in also:
                if not one.repeats:
                    _note(store, trigger, one, "joined", f"firing {fire_id[:8]} stands for it", {"fire_id": fire_id})
            if cause.alert_id is not None:
                ack_alert(store, cause.alert_id, note=f"{trigger.name} fired: {cause.words}")
        return _firing(store.get("trigger_fire", {"fire_id": fire_id}), trigger)


def fire_by_hand(store: Store, model: str, pipeline: str, reason: str) -> Firing:
    """Begin a retraining because somebody says so: no rule keeps it back but one that is under way.

    InvalidInput without a reason.
    """
    if not reason.strip():
        raise InvalidInput("a retraining by hand has no reason", expected="why, in words")
    with store.transaction():
        trigger = _own(store, BY_HAND, model, pipeline)
        running = next((story for story in past_stories(store, model) if story.status == "open"), None)
        if running is not None:
            raise InvalidInput(
                f"a retraining of {model} is under way", where=f"story {running.story_id[:8]}", expected="one at a time"
            )
        cause = Cause(kind="manual", identity=f"manual {new_id()}", words=reason, evidence={"who": store.actor.name})
        return fire(store, trigger, cause)


def fire_called(store: Store, trigger: Trigger, key: str, reason: str) -> Firing:
    """Fire a trigger because somebody says so under a key, if no rule keeps it back; a key that has fired is known."""
    cause = Cause(kind="called", identity=f"call {key}", words=reason, evidence={"who": store.actor.name, "key": key})
    with store.transaction():
        known = store.query("trigger_fire", {"fire_id": _key(trigger, cause.identity)}, limit=1)
        if known:
            return _firing(known[0], trigger)
        kept = blocks(Look.alone(store, trigger, store.clock.latest()), cause)
        if not kept:
            return fire(store, trigger, cause)
        _note_blocks(store, [Considered(trigger=trigger, truth=_SAID, due=[cause], blocks=kept)])
        row = store.get("trigger_fire", {"fire_id": _key(trigger, f"{cause.identity} | {kept[0].rule}")})
        return _firing(row, trigger)


def fire_for_regression(store: Store, version: ModelVersion, pipeline: str, cause: Cause) -> Firing | None:
    """Begin the story that takes a version back for a cause; None where the cause was fired before.

    A retraining that is under way ends: what it began is judged against a champion that does harm.
    """
    with store.transaction():
        trigger = _own(store, REGRESSION, version.model, pipeline)
        if store.query("trigger_fire", {"fire_id": _key(trigger, cause.identity)}, limit=1):
            return None
        for story in past_stories(store, version.model):
            if story.status == "open":
                end_story(store, story.story_id, "stopped", f"version {version.version} is taken back first")
        firing = fire(store, trigger, cause)
        store.amend("retraining", {"story_id": firing.fire_id}, {"mv_id": version.mv_id})
        return firing


def note_drill(store: Store, trigger: Trigger, result: str, found: Mapping[str, object]) -> str:
    """Write that a trigger was tried; returns the id."""
    cause = Cause(kind="manual", identity=f"drill {new_id()}", words="a drill")
    _note(store, trigger, cause, "drill", f"tried: {result}", found)
    return _key(trigger, cause.identity)


def firings(
    store: Store, *, model: str | None = None, trigger: Trigger | None = None, limit: int = 100
) -> list[Firing]:
    """What triggers did, newest first."""
    known = {one.trigger_id: one for one in triggers_of(store, model, all_of_them=True)}
    where: dict[str, object] = {"trigger_id in": [trigger.trigger_id] if trigger else list(known)}
    rows = store.query("trigger_fire", where, order_by=["-ts", "-fire_id"], limit=limit)
    return [_firing(row, known[row["trigger_id"]]) for row in rows if row["trigger_id"] in known]


def link_run(store: Store, fire_id: str, run_id: str) -> None:
    """Say which run a firing started."""
    with store.transaction():
        store.amend("trigger_fire", {"fire_id": fire_id}, {"linked_run": run_id})
        if store.query("retraining", {"story_id": fire_id}, limit=1):
            store.amend("retraining", {"story_id": fire_id}, {"run_id": run_id})


def close_behind(store: Store, fire_id: str, reason: str, action: Action = "retrained") -> None:
    """Close the alert behind a firing, because another version serves now."""
    fired = store.get("trigger_fire", {"fire_id": fire_id})
    if fired["alert_id"]:
        close_alert(store, fired["alert_id"], action=action, reason=reason, linked_run=fired["linked_run"])


def _considered(look: Look, truth: Truth, known: Set[str]) -> Considered:
    pending = [_pending(look, cause, known) for cause in truth.causes] if truth.holds else []
    due = [cause for cause in pending if cause is not None]
    return Considered(trigger=look.trigger, truth=truth, due=due, blocks=blocks(look, due[0]) if due else [])


def _fired_once(store: Store, found: Sequence[tuple[Trigger, Truth]]) -> Set[str]:
    """The keys of causes that hold, and were fired before."""
    keys = [_key(trigger, cause.identity) for trigger, truth in found if truth.holds for cause in truth.causes]
    return {row["fire_id"] for row in store.query("trigger_fire", {"fire_id in": keys})} if keys else set()


def _pending(look: Look, cause: Cause, known: Set[str]) -> Cause | None:
    """The cause under the identity that it would fire with now; None where that was fired already."""
    store, trigger = look.store, look.trigger
    if cause.repeats:
        where = {"trigger_id": trigger.trigger_id, "identity prefix": f"{cause.identity} #", "outcome": "fired"}
        count = len(store.query("trigger_fire", where))
        return msgspec.structs.replace(cause, identity=f"{cause.identity} #{count + 1}")
    if _key(trigger, cause.identity) in known:
        return None
    if cause.planned is not None and any(
        story.status == "promoted" and story.started >= cause.planned for story in look.facts.stories(trigger.model)
    ):
        return None  # a training since the planned time has done what was planned
    return cause


def _own(store: Store, name: str, model: str, pipeline: str) -> Trigger:
    """The trigger of that name that the model has without its file saying so."""
    found = [one for one in triggers_of(store, model, all_of_them=True) if one.name == name]
    if found:
        return msgspec.structs.replace(found[0], pipeline=pipeline)
    definition = TriggerDefinition(manual=True)
    row = {"trigger_id": new_id(), "model": model, "name": name, "type": "manual", "pipeline": pipeline}
    store.append("trigger_def", {**row, "detail": canonical_json(msgspec.to_builtins(definition)), "enabled": 1})
    return next(one for one in triggers_of(store, model) if one.name == name)


def _note_blocks(store: Store, found: Sequence[Considered]) -> None:
    """Write what keeps triggers from firing, each rule once for a cause."""
    rows = []
    for one in found:
        for block in one.blocks:
            cause = msgspec.structs.replace(one.due[0], identity=f"{one.due[0].identity} | {block.rule}")
            evidence = {"rule": block.rule, "until": block.until}
            rows.append(_noted(one.trigger, cause, "blocked", f"{cause.words}; {block.words}", evidence))
    keys = [row["fire_id"] for row in rows]
    known = {row["fire_id"] for row in store.query("trigger_fire", {"fire_id in": keys})} if keys else set()
    new = [row for row in rows if row["fire_id"] not in known]
    if new:
        store.append_many("trigger_fire", new, skip_existing=True)


def _note(
    store: Store, trigger: Trigger, cause: Cause, outcome: str, reason: str, evidence: Mapping[str, object]
) -> None:
    store.append_many("trigger_fire", [_noted(trigger, cause, outcome, reason, evidence)], skip_existing=True)


def _noted(trigger: Trigger, cause: Cause, outcome: str, reason: str, evidence: Mapping[str, object]) -> Row:
    row = {"fire_id": _key(trigger, cause.identity), "trigger_id": trigger.trigger_id, "identity": cause.identity}
    said = {"reason": reason, "outcome": outcome, "planned": cause.planned}
    return {**row, **said, "evidence": canonical_json({"kind": cause.kind, **evidence})}


def _key(trigger: Trigger, identity: str) -> str:
    return hashlib.blake2b(f"{trigger.trigger_id} {identity}".encode(), digest_size=16).hexdigest()


def _firing(row: Row, trigger: Trigger) -> Firing:
    evidence = msgspec.json.decode(row["evidence"]) if row["evidence"] else {}
    return Firing(
        fire_id=row["fire_id"],
        trigger_id=trigger.trigger_id,
        trigger=trigger.name,
        model=trigger.model,
        outcome=row["outcome"] or "fired",
        reason=row["reason"],
        when=happened(row),
        identity=row["identity"],
        planned=row["planned"],
        evidence=evidence,
        alert_id=row["alert_id"],
        run_id=row["linked_run"],
        run_type=RUN_TYPES.get(str(evidence.get("kind")), "manual"),
    )
