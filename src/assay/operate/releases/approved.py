"""What people have agreed to, as a release sees it: its plan, how long each stage ran, what is still awaited."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from assay.operate.releases.records import Rollout
from assay.operate.releases.rules import Rules
from assay.operate.releases.strategy import parse_strategy
from assay.prove.approvals.plan import BY_TEST, DIRECT, Going, Plan
from assay.prove.approvals.policy import policy_of
from assay.prove.approvals.standing import state_of
from assay.record.canonical import digest
from assay.record.clock import moment
from assay.record.store import Store

__all__ = ["awaited", "going_of", "plan_of"]


def plan_of(strategy: str, rules: Rules) -> Plan:
    """The plan of a strategy under rules, as people approve it. InvalidInput for a strategy that cannot be."""
    bare = strategy.replace(" ", "")
    if bare in (DIRECT.strategy, BY_TEST.strategy):  # no step has rules there
        return Plan(bare)
    parse_strategy(bare)
    return Plan(bare, digest(msgspec.to_builtins(rules)))


def going_of(rollout: Rollout, now: datetime, *, fully: bool) -> Going:
    """By which plan a release goes, and how long its version was at each stage until now."""
    ran: dict[str, float] = {}
    for phase in rollout.detail.phases:
        kind = rollout.detail.steps[phase.step].kind
        until = moment(phase.ended) if phase.ended else now
        ran[kind] = ran.get(kind, 0.0) + max(0.0, (until - moment(phase.started)).total_seconds())
    return Going(plan_of(rollout.strategy, rollout.detail.rules), fully, ran)


def awaited(store: Store, rollout: Rollout, now: datetime) -> tuple[str, ...]:
    """The conditions of the approval that keep a release at its step, in words.

    Before the last step only those that no later one could make true: how long a stage runs that is over with the step.
    """
    if rollout.detail.override is not None or not policy_of(store, rollout.model).asks:
        return ()
    state = state_of(store, rollout.detail.challenger.mv_id, going_of(rollout, now, fully=True))
    if state.state != "conditions":  # what else is missing holds the release when it moves on
        return ()
    steps = rollout.detail.steps
    kind, later = steps[rollout.step].kind, [step.kind for step in steps[rollout.step + 1 :]]
    return tuple(
        f"approved if {one.condition}: {one.words}"
        for one in state.conditions
        if one.verdict == "fail" and (not later or (one.stage == kind and _is_over(kind, later)))
    )


def _is_over(kind: str, later: Sequence[str]) -> bool:
    return kind not in later
