"""A release begins, moves on, is held, and ends: each time the ledger, the route, the release and its event at once."""

from collections.abc import Callable

import msgspec

from assay.errors import Conflict, Refused
from assay.operate.releases.approved import going_of, plan_of
from assay.operate.releases.deciding import Decision, Inputs
from assay.operate.releases.quality import begin_test, close_test
from assay.operate.releases.records import (
    Detail,
    Event,
    EventKind,
    Look,
    PhaseRecord,
    Rollout,
    add_event,
    save,
)
from assay.operate.releases.strategy import Step, coverage_of
from assay.operate.routing.changing import end_split, set_split
from assay.prove.promotion import go_live, passed_or_overridden
from assay.record.alerts.incident import open_incident
from assay.record.canonical import digest
from assay.record.clock import iso, moment
from assay.record.models.registry import version_by_id
from assay.record.models.routes import Route, Split, decision_behind
from assay.record.store import Store

__all__ = ["abort", "begin_phase", "carry_out", "hold", "resume"]


def begin_phase(store: Store, rollout: Rollout, step: int, *, kind: str, reason: str, **said: object) -> Rollout:
    """Route the endpoint as a step says, as a new phase of the release; not written yet. Within a transaction."""
    close_test(store, rollout, reason)
    detail = rollout.detail
    number = len(detail.phases) + 1
    now = iso(store.clock.now())
    test_id = None
    if detail.steps[step].kind == "ab" or (detail.steps[step].kind == "shadow" and detail.rules.metrics):
        _require_revision(store, rollout)
        test = begin_test(store, rollout, detail.steps[step])
        revision, test_id = test.phases[-1].revision, test.test_id
    else:
        revision = _routed(store, rollout, detail.steps[step], number, kind=kind, reason=reason, **said).revision
    record = PhaseRecord(number, step, revision, now, coverage_of(detail.steps[step]))
    phases = (*_ended(detail.phases, now), record)
    return msgspec.structs.replace(rollout, step=step, detail=_with(detail, phases=phases, test_id=test_id))


def carry_out(store: Store, rollout: Rollout, inputs: Inputs, decision: Decision) -> Event | None:
    """Do what was decided, or nothing where that is to wait.

    A promotion that the gate does not let happen holds the release instead, and a route that somebody else changed ends
    it: then the endpoint is theirs. Conflict where the release was moved on meanwhile; then nothing was done.
    """
    if decision.choice == "wait":
        return None
    seen = Look(inputs, decision)
    with store.transaction():
        try:
            with store.savepoint():
                return _ACTIONS[decision.choice](store, rollout, seen)
        except Refused as error:
            return _hold(store, rollout, seen, reason=f"{error.what}: {error.hint}")


def hold(store: Store, rollout: Rollout, reason: str) -> Event:
    """Stop a release where it is, at a person's word; guardrails go on and may take it back."""
    if rollout.status != "running":
        raise Conflict(f"the release at {rollout.endpoint!r} is {_spoken(rollout)} already")
    with store.transaction():
        save(store, rollout, status="held", reason=reason)
        return add_event(store, rollout.rollout_id, "hold", rollout.step, reason)


def resume(store: Store, rollout: Rollout, reason: str) -> Event:
    """Let a release go on in a new phase of its step; what mismatched before counts as looked at."""
    if rollout.status != "held":
        raise Conflict(f"the release at {rollout.endpoint!r} is {_spoken(rollout)}, not held")
    with store.transaction():
        settled = tuple(msgspec.structs.replace(phase, settled=True) for phase in rollout.detail.phases)
        known = msgspec.structs.replace(rollout, detail=_with(rollout.detail, phases=settled))
        going = begin_phase(store, known, rollout.step, kind="release", reason=f"resumed: {reason}")
        save(store, rollout, status="running", reason=None, detail=going.detail)
        return add_event(store, rollout.rollout_id, "resume", rollout.step, reason)


def abort(store: Store, rollout: Rollout, reason: str) -> Event:
    """End a release at a person's word: the champion answers everything again."""
    if rollout.status not in ("running", "held"):
        raise Conflict(f"the release at {rollout.endpoint!r} is over: {_spoken(rollout)}")
    with store.transaction():
        route = end_split(store, rollout.endpoint, kind="release", reason=f"stopped: {reason}")
        _end(store, rollout, "stopped", reason)
        return add_event(store, rollout.rollout_id, "stop", rollout.step, reason, ledger=_ledger_of(store, route))


def _spoken(rollout: Rollout) -> str:
    return rollout.status.replace("_", " ")


def _advance(store: Store, rollout: Rollout, seen: Look) -> Event:
    step = rollout.step + 1
    if rollout.detail.steps[rollout.step].kind == "shadow":
        _require_pass(store, rollout)
    reason = seen.decision.reason
    going = begin_phase(store, rollout, step, kind="release", reason=reason, inputs=_digest(seen))
    save(store, rollout, step=step, detail=going.detail)
    return _event(store, rollout, "advance", seen, ledger=decision_behind(store, rollout.endpoint, going.now.revision))


def _roll_back(store: Store, rollout: Rollout, seen: Look) -> Event:
    rules, harmed = seen.inputs.rules, any(one.verdict == "fail" for one in seen.decision.evidence)
    detail = {"inputs": _digest(seen), "false_rollback_rate": rules.alpha if harmed else rules.quality_alpha}
    reason = seen.decision.reason
    route = end_split(
        store, rollout.endpoint, kind="rollback", reason=f"release rolled back: {reason}",
        expect=rollout.now.revision, detail=_about(rollout, detail),
    )  # fmt: skip
    _end(store, rollout, "rolled_back", reason, seen)
    ledger = _ledger_of(store, route)
    exposed = [phase.started for phase in rollout.detail.phases if rollout.detail.steps[phase.step].kind != "shadow"]
    if exposed:  # answers of a shadow reach nobody: no harm was done
        open_incident(
            store, f"the release of {rollout.model}/{rollout.detail.version} was rolled back: {reason}",
            opened_by="rollback", severity="warning", model=rollout.model, endpoint=rollout.endpoint,
            started=moment(exposed[0]), found_by="release", cause=reason, decision=ledger, restored=True,
        )  # fmt: skip
    return _event(store, rollout, "rollback", seen, ledger=ledger)


def _promote(store: Store, rollout: Rollout, seen: Look) -> Event:
    _require_revision(store, rollout)
    going = going_of(rollout, moment(seen.inputs.as_of), fully=True)  # who agreed is looked at once more
    promoted = go_live(store, rollout.model, rollout.detail.version, override=rollout.detail.override, going=going)
    store.amend("deployment", {"dep_id": promoted.deployment}, {"strategy": rollout.strategy})
    _end(store, rollout, "promoted", seen.decision.reason, seen)
    return _event(store, rollout, "promote", seen, ledger=promoted.decision)


def _hold(store: Store, rollout: Rollout, seen: Look, reason: str | None = None) -> Event | None:
    if rollout.status == "held":
        return None
    said = reason or seen.decision.reason
    save(store, rollout, status="held", reason=said, detail=_with(rollout.detail, look=seen))
    return _event(store, rollout, "hold", seen, reason=said)


_ACTIONS: dict[str, Callable[[Store, Rollout, Look], Event | None]] = {
    "advance": _advance,
    "rollback": _roll_back,
    "promote": _promote,
    "hold": _hold,
}


def _routed(store: Store, rollout: Rollout, step: Step, phase: int, *, kind: str, reason: str, **said: object) -> Route:
    detail = rollout.detail
    about = _about(rollout, said)
    expect = detail.phases[-1].revision if detail.phases else None
    if step.kind == "shadow":
        return set_split(
            store, rollout.endpoint, [detail.champion], shadows=[detail.challenger], split=None,
            kind=kind, reason=reason, expect=expect, detail=about,
        )  # fmt: skip
    split = Split(rollout.rollout_id, phase, detail.salt, coverage=coverage_of(step))
    return set_split(
        store, rollout.endpoint, [detail.champion, detail.challenger], split=split,
        kind=kind, reason=reason, expect=expect, detail=about,
    )  # fmt: skip


def _about(rollout: Rollout, said: dict[str, object]) -> dict[str, object]:
    return {"rollout": rollout.rollout_id, "step": rollout.step, **said}


def _end(store: Store, rollout: Rollout, status: str, reason: str, seen: Look | None = None) -> None:
    close_test(store, rollout, reason)
    now = iso(store.clock.now())
    detail = _with(rollout.detail, phases=_ended(rollout.detail.phases, now))
    save(store, rollout, status=status, reason=reason, detail=_with(detail, look=seen) if seen else detail)


def _event(
    store: Store, rollout: Rollout, kind: EventKind, seen: Look, *, reason: str = "", ledger: int | None = None
) -> Event:
    said = reason or seen.decision.reason
    return add_event(
        store, rollout.rollout_id, kind, rollout.step, said, inputs=seen.inputs, decision=seen.decision, ledger=ledger
    )


def _with(detail: Detail, **changes: object) -> Detail:
    changed: Detail = msgspec.structs.replace(detail, **changes)
    return changed


def _ended(phases: tuple[PhaseRecord, ...], now: str) -> tuple[PhaseRecord, ...]:
    return tuple(msgspec.structs.replace(phase, ended=phase.ended or now) for phase in phases)


def _digest(seen: Look) -> str:
    return digest(msgspec.to_builtins(seen.inputs))


def _require_pass(store: Store, rollout: Rollout) -> None:
    if rollout.detail.override is None:
        champion = version_by_id(store, rollout.detail.champion.mv_id)
        plan = plan_of(rollout.strategy, rollout.detail.rules)
        passed_or_overridden(store, version_by_id(store, rollout.detail.challenger.mv_id), champion, None, plan=plan)


def _require_revision(store: Store, rollout: Rollout) -> None:
    if not rollout.detail.phases:
        return
    rows = store.query("route", {"endpoint": rollout.endpoint, "revision >": rollout.now.revision}, limit=1)
    if rows:
        raise Conflict(f"the route of endpoint {rollout.endpoint!r} was changed by {rows[0]['actor']}")


def _ledger_of(store: Store, route: Route) -> int:
    return decision_behind(store, route.endpoint, route.revision)
