"""How a release begins: of which version, by which strategy, and whether it may."""

import msgspec

from assay.errors import Conflict, InvalidInput, Refused
from assay.operate.releases.approved import plan_of
from assay.operate.releases.moving import begin_phase
from assay.operate.releases.records import CHALLENGER, Detail, EventKind, Rollout, add_event, open_rollout
from assay.operate.releases.rules import Rules
from assay.operate.releases.strategy import Step, parse_strategy
from assay.prove.approvals.plan import Going
from assay.prove.promotion import gate_standing, passed_or_overridden, promote, require_approval
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion, find_version, version_by_id
from assay.record.models.routes import Variant, current_route, decision_behind
from assay.record.store import Store

__all__ = ["start_release"]


def start_release(
    store: Store,
    endpoint: str,
    version: int,
    *,
    strategy: str,
    rules: Rules | None = None,
    override: str | None = None,
) -> Rollout:
    """Begin to replace the champion of an endpoint by a version of its model, step by step.

    A version that answers anybody needs a verdict of the gate that is a pass, or `override` says why not. A shadow
    needs none, and the release says what is missing; one that the gate let fail may only be a shadow and no more. Where
    the model's policy asks for an approval, nothing begins without one of this very plan. The strategy `direct`
    promotes at once. InvalidInput for a strategy that cannot be, NotFound for an unknown endpoint or version, Refused
    by the gate, Conflict where the endpoint is in use by a release or a test.
    """
    steps = parse_strategy(strategy)
    if steps[-1].kind == "ab" and not any(one.role == "success" for one in (rules or Rules()).metrics.values()):
        raise InvalidInput(
            f"the strategy {strategy!r} ends with an A/B test, and nothing says what success is",
            expected="a metric with the role success, as [metrics.NAME] of the rules or of --metrics FILE",
        )
    with store.transaction():
        route = current_route(store, endpoint)
        champion = version_by_id(store, route.variants[0].mv_id)
        challenger = find_version(store, champion.model, version)
        if challenger.mv_id == champion.mv_id:
            raise Conflict(f"{champion.model}/{version} is the champion of endpoint {endpoint!r} already")
        running = open_rollout(store, endpoint)
        if running is not None:
            raise Conflict(
                f"a release of version {running.detail.version} is {running.status} at endpoint {endpoint!r}",
                hint=f"assay release status {endpoint}, or assay release abort {endpoint} REASON",
            )
        tests = store.query("online_test", {"endpoint": endpoint, "status": "running"}, limit=1)
        if tests:  # one whose split a promotion has ended, too: its next look would end what begins here
            raise Conflict(
                f"test {tests[0]['name']} is running at endpoint {endpoint!r}",
                hint=f"end it first: assay test stop {tests[0]['name']}",
            )
        if len(route.variants) > 1 or route.shadows:
            raise Conflict(
                f"endpoint {endpoint!r} has other variants than its champion",
                expected="a champion alone",
                hint=f"assay endpoint show {endpoint}; end the test or the split first",
            )
        plan = plan_of(strategy, rules or Rules())
        unproven = None
        if steps[0].kind != "shadow" or override is not None:
            passed_or_overridden(store, challenger, champion, override, plan=plan)
        else:
            unproven = _unproven(store, challenger, champion, steps)
            require_approval(store, challenger, Going(plan, fully=False))
        rollout = Rollout(
            rollout_id=new_id(),
            endpoint=endpoint,
            model=champion.model,
            strategy=strategy.replace(" ", ""),
            status="running",
            step=0,
            started=iso(store.clock.now()),
            ended=None,
            reason=None,
            decision=0,
            detail=Detail(
                rules=rules or Rules(),
                steps=steps,
                champion=Variant(route.variants[0].mv_id, champion.hash),
                challenger=Variant(challenger.mv_id, challenger.hash, name=CHALLENGER),
                salt=new_id(),
                phases=(),
                version=challenger.version,
                champion_version=champion.version,
                override=override,
                unproven=unproven,
            ),
        )
        return _promoted(store, rollout) if steps[0].kind == "direct" else _begun(store, rollout)


def _unproven(store: Store, challenger: ModelVersion, champion: ModelVersion, steps: tuple[Step, ...]) -> str | None:
    """Why a version that begins as a shadow may go no further as it is; None where it may."""
    standing = gate_standing(store, challenger, champion)
    if standing.outcome == "pass":
        return None
    if standing.outcome == "fail" and len(steps) > 1:
        raise Refused(
            standing.words,
            expected="pass, before it answers anybody",
            hint="--strategy shadow lets it watch and no more; or --override REASON puts a person's name on it",
        )
    after = f"before {steps[1].name}" if len(steps) > 1 else "before it is promoted"
    return f"{standing.words}. As a shadow it answers nobody; {after} the release is held until the gate lets it pass"


def _begun(store: Store, rollout: Rollout) -> Rollout:
    reason = f"release of version {rollout.detail.version} by {rollout.strategy}"
    if rollout.detail.override:
        reason += f"; override: {rollout.detail.override}"
    if rollout.detail.unproven:
        reason += f"; {rollout.detail.unproven}"
    going = begin_phase(store, rollout, 0, kind="release", reason=reason)
    decision = decision_behind(store, rollout.endpoint, going.now.revision)
    return _written(store, msgspec.structs.replace(going, decision=decision), "start", reason)


def _promoted(store: Store, rollout: Rollout) -> Rollout:
    promoted = promote(store, rollout.model, rollout.detail.version, override=rollout.detail.override)
    done = msgspec.structs.replace(
        rollout, status="promoted", ended=iso(store.clock.now()), reason=promoted.reason, decision=promoted.decision
    )
    return _written(store, done, "promote", promoted.reason)


def _written(store: Store, rollout: Rollout, kind: EventKind, reason: str) -> Rollout:
    detail = rollout.detail
    row = {name: getattr(rollout, name) for name in Rollout.__struct_fields__ if name != "detail"}
    versions = {"mv_id": detail.challenger.mv_id, "baseline_mv_id": detail.champion.mv_id}
    store.append("rollout", {**row, **versions, "detail": canonical_json(msgspec.to_builtins(detail))})
    add_event(store, rollout.rollout_id, kind, 0, reason, ledger=rollout.decision)
    return rollout
