"""Promotion and rollback: a decision in the ledger, the champion alias, the routing table and the deployment, at once.

Serving processes see the new routing table and swap; the deployment counts as complete when they acknowledge it. A
split and shadows end with it: the new route has the champion only, and the decision says what ended.

Where the model's policy asks for an approval, nothing answers people without one that counts at that moment; whoever
overrides that breaks glass. A rollback is never held.
"""

import json
from typing import Annotated, Literal

import msgspec

from assay.errors import Conflict, InvalidInput, NotFound, Refused
from assay.operation import operation
from assay.prove.approvals.exceptions import break_glass
from assay.prove.approvals.plan import BY_TEST, DIRECT, Going, Plan
from assay.prove.approvals.policy import policy_of
from assay.prove.approvals.standing import ApprovalState, state_of
from assay.prove.approvals.subject import subject_of, verdict_on
from assay.record.alerts.incident import open_incident
from assay.record.clock import iso, moment
from assay.record.identity import new_id
from assay.record.ledger import decide, serialise
from assay.record.models.champions import champion_of_moves
from assay.record.models.registry import CHAMPION, ModelVersion, alias, find_version, move_alias, version_by_id
from assay.record.models.routes import Route, Variant, append_route, newest_route
from assay.record.notify.telling import tell
from assay.record.store import Row, Store

__all__ = [
    "Cause",
    "Promotion",
    "Standing",
    "gate_standing",
    "go_live",
    "passed_or_overridden",
    "promote",
    "put_back",
    "require_approval",
    "rollback",
]

Cause = Literal["change", "incident", "drill"]


class Promotion(msgspec.Struct, frozen=True):
    """A champion that was put in place: by which decision, instead of which version, under which routing revision.

    `approval` says who had agreed, or that nobody was asked for.
    """

    model: str
    version: int
    previous_version: int | None
    endpoint: str
    revision: int
    decision: int
    deployment: str
    cause: str
    reason: str
    approval: str = ""


class Standing(msgspec.Struct, frozen=True):
    """What the gate says of a version against the champion: the outcome, `none` without a verdict, and why in words."""

    outcome: str
    words: str


@operation("promote")
def promote(
    store: Store,
    model: str,
    version: int,
    *,
    override: Annotated[str | None, "Promote against the verdict, for this reason, which stays on record"] = None,
) -> Promotion:
    """Make a version the champion, if the gate let it pass against the champion of now and who has to agree did.

    On a model that needs an approval, an override breaks glass: everybody is told, and somebody else reviews it.
    """
    return go_live(store, model, version, override=override)


def go_live(
    store: Store,
    model: str,
    version: int,
    *,
    override: str | None = None,
    proof: str | None = None,
    going: Going = Going(),  # noqa: B008 - frozen
) -> Promotion:
    """The same at the end of a plan: `going` says which, and how long the version was at each stage.

    `proof` is evidence that stands in place of the gate's verdict, such as a test with real users; it stands for no
    approval.
    """
    _check_override(override)
    target = find_version(store, model, version)
    with store.transaction():
        champion = alias(store, model, CHAMPION)
        if champion and champion.mv_id == target.mv_id:
            raise Conflict(f"{model}/{target.version} is the champion already")
        approval: ApprovalState | None
        if proof is None:
            reason, approval = _allowed(store, target, champion, override, going)
        else:
            approval, reason = require_approval(store, target, going), f"override: {proof}"
            _record_override(store, target, champion, verdict_on(store, target, champion), proof)
        return _put_in_place(store, target, champion, cause="change", reason=reason, approval=approval, plan=going.plan)


def passed_or_overridden(
    store: Store,
    target: ModelVersion,
    champion: ModelVersion | None,
    override: str | None,
    *,
    plan: Plan = BY_TEST,
) -> str:
    """Why a version may answer some people: the gate let it pass against the champion and who has to agree to the plan
    did, or somebody says so, on record.

    Refused where neither is so, InvalidInput for an override that gives no reason.
    """
    _check_override(override)
    return _allowed(store, target, champion, override, Going(plan=plan, fully=False))[0]


def _allowed(
    store: Store, target: ModelVersion, champion: ModelVersion | None, override: str | None, going: Going
) -> tuple[str, ApprovalState | None]:
    """Why a version may answer people, and how its approval stands; None for the latter where glass was broken."""
    verdict = verdict_on(store, target, champion)
    if override is None:
        if verdict is None or verdict["outcome"] != "pass":
            raise Refused(**_why_refused(target, champion, verdict))
        return f"gate {verdict['id'][:8]} passed", require_approval(store, target, going)
    gate_id = _record_override(store, target, champion, verdict, override)
    broken = break_glass(store, target, override, gate_id)
    return f"override: {override}", None if broken else state_of(store, target.mv_id, going)


def require_approval(store: Store, target: ModelVersion, going: Going) -> ApprovalState:
    """How the approval of a version stands; Refused, with what is missing, where it may not go like that."""
    if policy_of(store, target.model).asks:
        serialise(store)  # who takes back an approval at this moment comes before or after, not in between
    state = state_of(store, target.mv_id, going)
    if state.outcome != "pass":
        name = f"{target.model}/{target.version}"
        raise Refused(
            f"{name} is not approved: {state.words}",
            where=f"risk tier {state.tier}",
            expected="; ".join(state.missing) or "an approval of what there is now",
            hint=state.next,
        )
    return state


def gate_standing(store: Store, target: ModelVersion, champion: ModelVersion | None) -> Standing:
    """What the gate says of it now; an override changes nothing about that."""
    verdict = verdict_on(store, target, champion)
    if verdict is not None and verdict["outcome"] == "pass":
        return Standing("pass", f"gate {verdict['id'][:8]} passed")
    why = _why_refused(target, champion, verdict)
    words = f"{why['what']}: {why['where']}" if why.get("where") else why["what"]
    return Standing("none" if verdict is None else verdict["outcome"], words)


def _check_override(override: str | None) -> None:
    if override is not None and not override.strip():
        raise InvalidInput("the override gives no reason", expected="why the verdict does not count, in words")


@operation("rollback")
def rollback(
    store: Store,
    model: str,
    *,
    to: Annotated[int | None, "An earlier champion's version; without it the one before"] = None,
    reason: Annotated[str, "Why, for the ledger"] = "rolled back",
) -> Promotion:
    """Put the previous champion back at once; no gate stands in the way."""
    return put_back(store, model, to=to, cause="incident", reason=reason)


def put_back(
    store: Store, model: str, *, to: int | None, cause: Cause, reason: str, restoring: Route | None = None
) -> Promotion:
    """Make an earlier champion the champion again; `cause` tells an incident from a drill.

    With it, the variants, shadows and split of the route `restoring` come back, if they are that champion's.
    """
    with store.transaction():
        champion = alias(store, model, CHAMPION)
        if champion is None:
            raise NotFound(f"model {model!r} has no champion to roll back", where=store.location, hint="`assay models`")
        moves = store.query("alias_move", {"model": model, "alias": CHAMPION}, order_by=["-seq"])
        earlier = {move["mv_id"] for move in moves}
        before = champion_of_moves(store, model, moves)
        if to is not None:
            target = find_version(store, model, to)
        elif before is not None:
            target = version_by_id(store, before)
        else:
            raise NotFound(
                f"there was no champion before {model}/{champion.version}",
                where=store.location,
                hint="`assay models`; any earlier champion can be named",
            )
        if target.mv_id == champion.mv_id:
            raise Conflict(f"{model}/{target.version} is the champion already")
        if target.mv_id not in earlier:
            raise Refused(
                f"{model}/{target.version} was never the champion", hint=f"assay promote {model} {target.version}"
            )
        return _put_in_place(store, target, champion, cause=cause, reason=reason, restoring=restoring)


def _put_in_place(
    store: Store,
    target: ModelVersion,
    champion: ModelVersion | None,
    *,
    cause: Cause,
    reason: str,
    restoring: Route | None = None,
    approval: ApprovalState | None = None,
    plan: Plan = DIRECT,
) -> Promotion:
    endpoint = target.model
    alone = Route(endpoint, 0, (Variant(target.mv_id, target.hash),))
    coming = restoring if restoring and restoring.variants[0].mv_id == target.mv_id else alone
    kind = "promotion" if cause == "change" else "rollback"
    subject_hash, said = _on_what(store, target, approval, plan) if cause == "change" else (None, {})
    decision = decide(
        store,
        kind,
        f"{target.model}/{target.version}",
        {
            "hash": target.hash,
            "previous": champion.version if champion else None,
            "endpoint": endpoint,
            "cause": cause,
            "reason": reason,
            **said,
            **_ended(store, endpoint),
            **({"restored": restoring.revision} if restoring and coming is restoring else {}),
        },
    )
    move_alias(store, target, CHAMPION, decision=decision, expect=champion)
    now = iso(store.clock.now())
    current = store.query("deployment", {"endpoint": endpoint, "ended": None}, limit=1)
    ended = _end_deployment(store, current, now, cause)
    deployment = {
        "dep_id": new_id(),
        "model": target.model,
        "endpoint": endpoint,
        "mv_id": target.mv_id,
        "env": "prod",
        "strategy": "direct",
        "started": now,
        "cause": cause,
        "rollback_of": ended if kind == "rollback" else None,
        "subject_hash": subject_hash,
        "decision": decision,
    }
    store.append("deployment", deployment)
    route = append_route(
        store, endpoint, coming.variants, shadows=coming.shadows, split=coming.split, decision=decision
    )
    promotion = Promotion(
        model=target.model,
        version=target.version,
        previous_version=champion.version if champion else None,
        endpoint=endpoint,
        revision=route.revision,
        decision=decision,
        deployment=str(deployment["dep_id"]),
        cause=cause,
        reason=reason,
        approval=_approval_words(cause, approval),
    )
    if cause == "incident" and champion is not None:
        _note_incident(store, target, champion, current, promotion)
    return promotion


def _on_what(
    store: Store, target: ModelVersion, approval: ApprovalState | None, plan: Plan
) -> tuple[str | None, dict[str, object]]:
    """The hash of all that was agreed on, and what the decision says of it; nothing where no approval is asked for."""
    if approval is None:
        subject = subject_of(store, target.mv_id, plan=plan)
        return subject.hash, {"approval": {"subject_hash": subject.hash, "state": "glass broken"}}
    if approval.state == "not asked":
        return None, {}
    found: dict[str, object] = {"subject_hash": approval.subject_hash, "state": approval.state, "by": approval.by}
    if approval.conditions:
        found["conditions"] = [msgspec.to_builtins(one) for one in approval.conditions]
    return approval.subject_hash, {"approval": found}


def _approval_words(cause: Cause, approval: ApprovalState | None) -> str:
    if cause != "change":
        return "a rollback waits for nobody"
    return approval.words if approval else "glass was broken: somebody else reviews it, `assay approve exceptions`"


def _ended(store: Store, endpoint: str) -> dict[str, object]:
    """What a decision says about the split and the shadows that it ends; nothing where there are none."""
    route = newest_route(store, endpoint)
    if route is None or not (route.split or route.shadows):
        return {}
    said: dict[str, object] = {"revision": route.revision}
    if route.split:
        said |= {"experiment": route.split.experiment, "phase": route.split.phase}
    for role, variants in (("variants", route.variants), ("shadows", route.shadows)):
        said[role] = [{"name": one.name, "mv_id": one.mv_id, "weight": one.weight} for one in variants]
    return {"ended": said}


def _note_incident(store: Store, target: ModelVersion, failed: ModelVersion, served: list[Row], why: Promotion) -> None:
    """The harm lasted at most as long as the version that failed was in place; it is over with the rollback."""
    began = (served[0]["event_ts"] or served[0]["started"]) if served else None
    open_incident(
        store,
        f"{failed.model}/{failed.version} was rolled back to version {target.version}: {why.reason}",
        opened_by="rollback",
        model=failed.model,
        endpoint=why.endpoint,
        owner=store.actor.name,
        started=moment(began) if began else None,
        found_by=store.actor.name,
        dep_id=served[0]["dep_id"] if served else None,
        decision=why.decision,
        restored=True,
    )


def _end_deployment(store: Store, current: list[Row], now: str, cause: Cause) -> str | None:
    """Close what served until now. Only a rollback after an incident says that it failed."""
    if not current:
        return None
    outcome = "rolled_back" if cause == "incident" else "ok"
    store.amend("deployment", {"dep_id": current[0]["dep_id"]}, {"ended": now, "outcome": outcome})
    return str(current[0]["dep_id"])


def _why_refused(target: ModelVersion, champion: ModelVersion | None, verdict: Row | None) -> dict[str, str]:
    name = f"{target.model}/{target.version}"
    if verdict is None:
        against = f" against the champion, version {champion.version}" if champion else ""
        return {
            "what": f"{name} has no verdict{against}",
            "hint": "evaluate it and let the gate judge, or --override REASON",
        }
    reasons = json.loads(verdict["detail"])["reasons"]
    return {
        "what": f"the gate's verdict on {name} is {verdict['outcome']}",
        "where": reasons[0] if reasons else "",
        "expected": "pass",
        "hint": "--override REASON puts a person's name on it",
    }


def _record_override(
    store: Store, target: ModelVersion, champion: ModelVersion | None, verdict: Row | None, reason: str
) -> str:
    """Keep that somebody says so against the verdict, or without one; the id of the record."""
    gate_id = new_id()
    decision = decide(store, "override", f"{target.model}/{target.version}", {"hash": target.hash, "reason": reason})
    store.append(
        "gate",
        {
            "id": gate_id,
            "mv_id": target.mv_id,
            "baseline_mv_id": champion.mv_id if champion else None,
            "subject_hash": target.hash,
            "evaluation_id": verdict["evaluation_id"] if verdict else "",
            "policy_version": verdict["policy_version"] if verdict else "",
            "checks": "[]",
            "outcome": verdict["outcome"] if verdict else "none",
            "mode": "manual",
            "override_by": store.actor.name,
            "override_reason": reason,
            "decision": decision,
        },
    )
    message = f"{store.actor.name} overrides the gate for {target.model}/{target.version}: {reason}"
    subject = {"subject_kind": "version", "subject_id": target.mv_id, "version": target.version}
    tell(store, "gate.overridden", {"message": message, "model": target.model, "severity": "warning", **subject})
    return gate_id
