"""Triggers on record: declared by a project, changed with its file, and found again."""

from collections.abc import Mapping

import msgspec

from assay.errors import InvalidInput
from assay.operate.named import only_named
from assay.operate.triggers.definition import Condition, Trigger, TriggerDefinition, check_trigger, leaves
from assay.record.canonical import canonical_json
from assay.record.changes import note_change
from assay.record.clock import happened, iso
from assay.record.identity import new_id
from assay.record.store import Row, Store

__all__ = [
    "BY_HAND",
    "LOOPS_OWN",
    "REGRESSION",
    "RUN_TYPES",
    "declare_triggers",
    "find_trigger",
    "trigger_of",
    "triggers_of",
    "type_of",
]

BY_HAND = "by hand"  # the trigger of a model that a person fires
REGRESSION = "regression"  # and the one that the loop fires where a new champion does harm
LOOPS_OWN = (BY_HAND, REGRESSION)

# What a run says that started it, by the kind of the condition that was true.
RUN_TYPES: Mapping[str, str] = {
    "schedule": "schedule",
    "new_data": "data",
    "harm": "performance",
    "drift": "drift",
    "stale_features": "data",
    "max_age": "schedule",
    "decay": "schedule",
    "cost": "schedule",
    "upstream": "event",
    "regression": "performance",
    "called": "event",
    "manual": "manual",
}


def declare_triggers(
    store: Store, model: str, pipeline: str, definitions: Mapping[str, TriggerDefinition], *, where: str = "triggers"
) -> list[Trigger]:
    """Put the triggers of a model in place as they are said here; those that are not named any more are switched off.

    The same definitions again change nothing. InvalidInput for a definition that is none, or that would go round in a
    circle with those of other models.
    """
    for name, definition in definitions.items():
        if not name.strip():
            raise InvalidInput("a trigger has no name", where=where)
        if name in LOOPS_OWN:
            raise InvalidInput(f"a trigger cannot be called {name!r}: the loop has one", where=where)
        check_trigger(definition, f"{where}.{name}")
    with store.transaction():
        _check_circles(store, model, definitions, where)
        known = {row["name"]: row for row in store.query("trigger_def", {"model": model}, order_by=["ts"])}
        for name, definition in definitions.items():
            _put(store, known.get(name), model, name, pipeline, definition)
        for name, row in known.items():
            if name not in definitions and name not in LOOPS_OWN and row["enabled"]:
                _switch(store, row, 0, "not declared any more")
        return triggers_of(store, model)


def triggers_of(store: Store, model: str | None = None, *, all_of_them: bool = False) -> list[Trigger]:
    """The triggers that may fire, by model and name; also those that are switched off where all are asked for."""
    where: dict[str, object] = {} if all_of_them else {"enabled": 1}
    if model is not None:
        where["model"] = model
    return [trigger_of(row) for row in store.query("trigger_def", where, order_by=["model", "name", "trigger_id"])]


def find_trigger(store: Store, name: str, model: str | None = None) -> Trigger:
    """The trigger of that name, or whose id begins so; NotFound where there is none, or several models have one."""
    every = triggers_of(store, model, all_of_them=True)
    return only_named(store, every, name, kind="trigger", of="model", hint="assay triggers ls")


def trigger_of(row: Row) -> Trigger:
    """The trigger of a row."""
    definition = (
        msgspec.json.decode(row["detail"], type=TriggerDefinition)
        if row["detail"]
        else TriggerDefinition(manual=True)  # of a store that only noted what had started a run
    )
    return Trigger(
        trigger_id=row["trigger_id"],
        name=row["name"] or row["type"],
        model=row["model"],
        pipeline=row["pipeline"],
        declared=happened(row),
        enabled=bool(row["enabled"]),
        definition=definition,
    )


def type_of(condition: Condition) -> str:
    """What a run that the condition starts is said to be started by: that of its first leaf."""
    return RUN_TYPES[next(iter(leaves(condition))).kind]


def _put(store: Store, known: Row | None, model: str, name: str, pipeline: str, definition: TriggerDefinition) -> None:
    detail = canonical_json(msgspec.to_builtins(definition))
    enabled = int(definition.enabled)
    said = {"type": type_of(definition), "pipeline": pipeline, "detail": detail, "enabled": enabled}
    if known is None:
        store.append("trigger_def", {"trigger_id": new_id(), "model": model, "name": name, **said})
    elif any(known[key] != value for key, value in said.items()):
        now = iso(store.clock.latest())
        store.amend("trigger_def", {"trigger_id": known["trigger_id"]}, {**said, "updated": now})
        note_change(store, "trigger", known["trigger_id"], "definition", before=known["detail"], after=detail)


def _switch(store: Store, row: Row, enabled: int, reason: str) -> None:
    now = iso(store.clock.latest())
    store.amend("trigger_def", {"trigger_id": row["trigger_id"]}, {"enabled": enabled, "updated": now})
    before, after = str(row["enabled"]), str(enabled)
    note_change(store, "trigger", row["trigger_id"], "enabled", before=before, after=after, reason=reason)


def _check_circles(store: Store, model: str, definitions: Mapping[str, TriggerDefinition], where: str) -> None:
    """InvalidInput where a new champion of the model would, over others, start its own training again."""
    waits: dict[str, set[str]] = {}
    for trigger in triggers_of(store):
        if trigger.model != model:
            waits.setdefault(trigger.model, set()).update(_upstream(trigger.definition))
    waits[model] = {one for definition in definitions.values() for one in _upstream(definition)}
    path = _circle(waits, model, [model])
    if path:
        raise InvalidInput(
            f"models would train each other without end: {' <- '.join(path)}",
            where=where,
            expected="upstream models that do not wait for this one",
        )


def _upstream(definition: Condition) -> set[str]:
    return {one.upstream.model for one in leaves(definition) if one.upstream is not None}


def _circle(waits: Mapping[str, set[str]], start: str, path: list[str]) -> list[str]:
    for one in sorted(waits.get(path[-1], ())):
        if one == start:
            return [*path, one]
        if one not in path and (found := _circle(waits, start, [*path, one])):
            return found
    return []
