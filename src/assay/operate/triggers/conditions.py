"""Whether a condition holds now, from what is on record: nothing is computed that a monitor has not computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from assay.build.views.declared.spans import span_text
from assay.build.views.log.freshness import freshness
from assay.build.views.registry.registered import find_view
from assay.errors import NotFound
from assay.operate.triggers.definition import Condition, Trigger
from assay.operate.triggers.facts import Facts
from assay.operate.triggers.schedules import last_planned, next_planned
from assay.operate.triggers.truth import Cause, Truth, all_true, any_true, inverted
from assay.record.clock import happened, iso, moment, to_us
from assay.record.lengths import checked_length
from assay.record.models.registry import CHAMPION, ModelVersion
from assay.record.store import Row, Store

__all__ = ["STALENESS", "Look", "champion_age", "truth_of"]

STALENESS = "staleness"  # the kind of a test result that holds a staleness curve
_MANY_CHECKS = 200  # the newest checks of a monitor, among which an episode of alarms begins
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """A trigger that is looked at, when, and what the records say."""

    store: Store
    trigger: Trigger
    now: datetime
    facts: Facts

    @classmethod
    def alone(cls, store: Store, trigger: Trigger, now: datetime) -> "Look":
        """A look at one trigger with the records as they are now."""
        return cls(store, trigger, now, Facts(store, [trigger]))


def truth_of(look: Look, condition: Condition) -> Truth:
    """Whether the condition of a trigger, or a part of it, holds at that moment."""
    if condition.any_of is not None:
        return any_true([truth_of(look, one) for one in condition.any_of])
    if condition.all_of is not None:
        return all_true([truth_of(look, one) for one in condition.all_of])
    if condition.none_of is not None:
        return inverted(truth_of(look, condition.none_of))
    if condition.manual:
        return Truth(holds=False, words="it is fired by `assay triggers fire`, or over HTTP")
    return _LOOKS[condition.kind](look, condition)


def champion_age(look: Look) -> tuple[ModelVersion, timedelta] | None:
    """The champion and the time since it was made; None where there is no champion."""
    found = look.facts.champion(look.trigger.model)
    if found is None:
        return None
    champion, row = found
    return champion, look.now - moment(happened(row))


def _schedule(look: Look, condition: Condition) -> Truth:
    assert condition.schedule is not None
    begin = moment(look.trigger.declared)
    planned = last_planned(condition.schedule, condition.zone, begin, look.now)
    coming = next_planned(condition.schedule, condition.zone, look.now)
    soon = None if coming is None else iso(coming)
    if planned is None:
        return Truth(holds=False, words=f"planned for {_short(soon)}", next=soon)
    last = iso(planned)
    cause = Cause(
        kind="schedule",
        identity=f"schedule {condition.schedule} {condition.zone or 'UTC'} {last}",
        words=f"it was planned for {_short(last)}",
        evidence={"planned": last, "schedule": condition.schedule, "zone": condition.zone or "UTC"},
        planned=last,
    )
    return Truth(holds=True, words=cause.words, causes=[cause], next=soon)


def _new_data(look: Look, condition: Condition) -> Truth:
    wanted = condition.new_data
    assert wanted is not None
    newest = look.facts.newest_data(wanted.dataset)
    if newest is None:
        return Truth(holds=None, words=f"there is no dataset {wanted.dataset}")
    taught = look.facts.taught(look.trigger, wanted.dataset)
    _, known, before = max(((one["created"], one["hash"], one["rows"]) for one in taught), default=("", None, 0))
    if newest["hash"] != known and _made_by(look.store, newest, look.trigger.model):
        versions = look.store.query("artifact", {"type": "dataset", "name": wanted.dataset}, order_by=["-created"])
        others = (one for one in versions if not _made_by(look.store, one, look.trigger.model))
        newest = next(others, None)
        if newest is None:
            return Truth(holds=False, words=f"{look.trigger.model} itself makes {wanted.dataset}")
    if newest["hash"] == known:
        return Truth(holds=False, words=f"{wanted.dataset} has no new version")
    more = newest["rows"] - before
    said = f"{more:,} new rows of {wanted.dataset}"
    if more < wanted.rows:
        return Truth(holds=False, words=f"{said}, {wanted.rows - more:,} are missing")
    cause = Cause(
        kind="new_data",
        identity=f"data {wanted.dataset} {newest['hash']}",
        words=said,
        evidence={"dataset": wanted.dataset, "hash": newest["hash"], "rows": newest["rows"], "before": before},
    )
    return Truth(holds=True, words=said, causes=[cause])


def _made_by(store: Store, version: Row, model: str) -> bool:
    """Whether a run of the model made it: what its own pipeline publishes is no news to it."""
    made = store.query("run_io", {"artifact_id": version["artifact_id"], "role": "output"})
    return bool(store.query("run", {"run_id in": [one["run_id"] for one in made], "model": model}, limit=1))


def _alarm(look: Look, name: str, kind: str) -> Truth:
    model = look.trigger.model
    monitors = look.facts.monitors(model, name)
    if not monitors:
        return Truth(holds=None, words=f"{model} has no monitor {name}")
    return any_true([_alarm_of(look, monitor, kind) for monitor in monitors])


def _alarm_of(look: Look, monitor: Row, kind: str) -> Truth:
    store, last = look.store, look.facts.last_check(monitor["monitor_id"])
    if last is None:
        return Truth(holds=None, words=f"{monitor['name']} has looked at no window yet")
    if monitor["since"] and last["started"] < monitor["since"]:  # then another version was the champion
        return Truth(holds=None, words=f"{monitor['name']} has looked at no window of this champion yet")
    if last["status"] != "alarm":
        return Truth(holds=False, words=f"{monitor['name']} says {last['status']}")
    where = {"monitor_id": monitor["monitor_id"], "status !=": "no_data"}
    looked = store.query("monitor_check", where, order_by=["-ended", "-ts", "-window"], limit=_MANY_CHECKS)
    first = looked[0]
    for one in looked[1:]:
        if one["status"] != "alarm":
            break
        first = one
    alerts = store.query("alert", {"monitor_id": monitor["monitor_id"], "closed": None}, limit=1)
    said = alerts[0]["message"] if alerts else f"{monitor['name']} alarms since {first['window']}"
    cause = Cause(
        kind=kind,
        identity=f"{kind} {monitor['monitor_id']} {first['window']}",
        words=said,
        evidence={
            "monitor": monitor["name"],
            "since": first["window"],
            "window": looked[0]["window"],
            "value": looked[0]["value"],
            "detail": msgspec.json.decode(looked[0]["detail"]) if looked[0]["detail"] else None,
        },
        repeats=True,
        alert_id=alerts[0]["alert_id"] if alerts else None,
    )
    return Truth(holds=True, words=said, causes=[cause])


def _harm(look: Look, condition: Condition) -> Truth:
    assert condition.harm is not None
    return _alarm(look, condition.harm, "harm")


def _drift(look: Look, condition: Condition) -> Truth:
    assert condition.drift is not None
    return _alarm(look, condition.drift, "drift")


def _stale_features(look: Look, condition: Condition) -> Truth:
    wanted = condition.stale_features
    assert wanted is not None
    try:
        version = find_view(look.store, wanted.view)
    except NotFound as error:
        return Truth(holds=None, words=error.what)
    found = freshness(look.store, version, to_us(look.now))
    if found.newest_us is None:
        return Truth(holds=None, words=f"{wanted.view} has no rows")
    age_us = to_us(look.now) - found.newest_us
    most_us = checked_length(wanted.max_age, "max_age") // timedelta(microseconds=1)
    said = f"the newest row of {wanted.view} is {span_text(age_us // _US * _US)} old"
    if age_us <= most_us:
        return Truth(holds=False, words=said)
    evidence = {"view": wanted.view, "version": version.version, "newest_us": found.newest_us, "age_us": age_us}
    cause = Cause(
        kind="stale_features", identity=f"stale {wanted.view} {found.newest_us}", words=said, evidence=evidence
    )
    return Truth(holds=True, words=said, causes=[cause])


def _max_age(look: Look, condition: Condition) -> Truth:
    assert condition.max_age is not None
    return _aged(look, checked_length(condition.max_age, "max_age"), "max_age", {})


def _decay(look: Look, condition: Condition) -> Truth:
    assert condition.decay is not None
    found = _curve(look)
    if isinstance(found, Truth):
        return found
    per_second = found["per_second"]
    if not per_second > 0:
        return Truth(holds=False, words="its staleness curve shows no decay")
    limit = timedelta(seconds=condition.decay / per_second)
    return _aged(look, limit, "decay", {"decay": condition.decay, "per_second": per_second})


def _cost(look: Look, condition: Condition) -> Truth:
    """Whether the loss that was accumulated since the last training is what a training costs."""
    costs = condition.cost
    assert costs is not None
    found, aged = _curve(look), champion_age(look)
    if isinstance(found, Truth):
        return found
    assert aged is not None, "a curve is that of a champion"
    champion, age = aged
    answered = _answered(look.store, look.trigger.model, champion.mv_id)
    if answered is None:
        return Truth(holds=None, words=f"no monitor of {look.trigger.model} counts predictions")
    lost = max(0.0, found["per_second"]) * age.total_seconds() / 2 * answered * costs.loss
    due = costs.training / costs.success
    said = f"decay has cost {lost:,.2f} since the last training, a new one costs {due:,.2f}"
    if lost < due:
        return Truth(holds=False, words=said)
    evidence: dict[str, object] = {
        "lost": lost,
        "due": due,
        "predictions": answered,
        "age_s": age.total_seconds(),
        **found,
    }
    identity = f"cost {champion.mv_id}"
    cause = Cause(kind="cost", identity=identity, words=said, evidence=evidence, repeats=True)
    return Truth(holds=True, words=said, causes=[cause])


def _upstream(look: Look, condition: Condition) -> Truth:
    wanted = condition.upstream
    assert wanted is not None
    where = {"model": wanted.model, "alias": CHAMPION, "cleared": 0}
    moves = look.store.query("alias_move", where, order_by=["-seq"], limit=1)
    if not moves or happened(moves[0]) <= look.trigger.declared:
        return Truth(holds=False, words=f"{wanted.model} has no new champion")
    said = f"{wanted.model} has a new champion"
    cause = Cause(
        kind="upstream",
        identity=f"upstream {wanted.model} {moves[0]['seq']}",
        words=said,
        evidence={"model": wanted.model, "mv_id": moves[0]["mv_id"], "seq": moves[0]["seq"]},
    )
    return Truth(holds=True, words=said, causes=[cause])


def _aged(look: Look, limit: timedelta, kind: str, evidence: Mapping[str, object]) -> Truth:
    aged = champion_age(look)
    if aged is None:
        return Truth(holds=None, words=f"{look.trigger.model} has no champion")
    champion, age = aged
    said = f"version {champion.version} is {_days(age)} old, {_days(limit)} are allowed"
    if age <= limit:
        return Truth(holds=False, words=said, next=iso(look.now + (limit - age)))
    found = {"version": champion.version, "age_s": age.total_seconds(), "limit_s": limit.total_seconds(), **evidence}
    cause = Cause(kind=kind, identity=f"{kind} {champion.mv_id}", words=said, evidence=found, repeats=True)
    return Truth(holds=True, words=said, causes=[cause])


def _curve(look: Look) -> dict[str, float] | Truth:
    """The decay of the champion's staleness curve, or what is missing."""
    model, found = look.trigger.model, look.facts.champion(look.trigger.model)
    if found is None:
        return Truth(holds=None, words=f"{model} has no champion")
    champion, _ = found
    where = {"subject_id": champion.mv_id, "kind": STALENESS}
    rows = look.store.query("test_result", where, order_by=["-ts"], limit=1)
    if not rows:
        return Truth(holds=None, words=f"version {champion.version} of {model} has no staleness curve")
    detail = msgspec.json.decode(rows[0]["detail"])
    return {name: float(detail[name]) for name in ("per_second", "low", "high")}


def _answered(store: Store, model: str, mv_id: str) -> int | None:
    """Predictions of a version, as a monitor of volume has counted them."""
    monitors = store.query("monitor", {"model": model, "kind": "volume"})
    if not monitors:
        return None
    where = {"monitor_id in": [one["monitor_id"] for one in monitors], "mv_id": mv_id}
    return sum(one["rows"] or 0 for one in store.query("monitor_check", where))


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):.1f} days"


def _short(text: str | None) -> str:
    return "never" if text is None else f"{text[:10]} {text[11:16]} UTC"


_LOOKS: Mapping[str, Callable[[Look, Condition], Truth]] = {
    "schedule": _schedule,
    "new_data": _new_data,
    "harm": _harm,
    "drift": _drift,
    "stale_features": _stale_features,
    "max_age": _max_age,
    "decay": _decay,
    "cost": _cost,
    "upstream": _upstream,
}
