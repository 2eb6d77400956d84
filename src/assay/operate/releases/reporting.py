"""A release in words: where it stands, what each guardrail says, what is still needed, how it ended."""

from typing import Literal

import msgspec

from assay.operate.releases.evidence import Outcome
from assay.operate.releases.records import LIVE, Rollout
from assay.operate.releases.rules import Rules

__all__ = ["GuardrailReport", "ReleaseReport", "StepReport", "false_rollback_rate", "report_of"]


class StepReport(msgspec.Struct, frozen=True):
    """A step of a release: `done`, the one that runs `now`, or `open`."""

    name: str
    state: Literal["done", "now", "open"]


class GuardrailReport(msgspec.Struct, frozen=True):
    """What is known about a guardrail: `pass` is safe, `fail` is proven harm."""

    guardrail: str
    verdict: Outcome
    words: str


class ReleaseReport(msgspec.Struct, frozen=True):
    """A release as it stands. `verdict` is `pass` once promoted, `fail` once rolled back, else `inconclusive`; None
    where it was not asked for: the release was only begun, held, resumed or ended.

    `unproven` is what the gate had against the version when it began as a shadow, for as long as it is one.
    `acknowledged_s` is how long it took until all servers answered by its last route, None where nobody waited.
    """

    rollout_id: str
    endpoint: str
    model: str
    version: int
    champion_version: int
    strategy: str
    status: str
    verdict: Outcome | None
    reason: str
    started: str
    ended: str | None
    steps: list[StepReport]
    guardrails: list[GuardrailReport]
    needed: list[str]
    false_rollbacks: str
    override: str | None
    unproven: str | None = None
    acknowledged_s: float | None = None


_VERDICTS: dict[str, Outcome] = {"promoted": "pass", "rolled_back": "fail"}


def report_of(rollout: Rollout, *, judged: bool = True, acknowledged_s: float | None = None) -> ReleaseReport:
    """What a release is, in words; with no verdict where something else was asked for, and done (`judged` is False)."""
    detail, look = rollout.detail, rollout.detail.look
    evidence = look.decision.evidence if look else ()
    over = rollout.status == "promoted"
    states: list[Literal["done", "now", "open"]] = [
        "done" if over or place < rollout.step else "now" if place == rollout.step else "open"
        for place in range(len(detail.steps))
    ]
    needed = list(look.decision.needed) if look and rollout.status in LIVE else []
    return ReleaseReport(
        rollout_id=rollout.rollout_id,
        endpoint=rollout.endpoint,
        model=rollout.model,
        version=detail.version,
        champion_version=detail.champion_version,
        strategy=rollout.strategy,
        status=rollout.status,
        verdict=_VERDICTS.get(rollout.status, "inconclusive") if judged else None,
        reason=rollout.reason or (look.decision.reason if look else ""),
        started=rollout.started,
        ended=rollout.ended,
        steps=[StepReport(step.name, state) for step, state in zip(detail.steps, states, strict=True)],
        guardrails=[GuardrailReport(one.guardrail, one.verdict, one.words) for one in evidence],
        needed=needed,
        false_rollbacks=false_rollback_rate(detail.rules),
        override=detail.override,
        unproven=detail.unproven if rollout.status in LIVE and detail.steps[rollout.step].kind == "shadow" else None,
        acknowledged_s=acknowledged_s,
    )


def false_rollback_rate(rules: Rules) -> str:
    """How often a release is rolled back for nothing, as a sentence."""
    quality = f", and by each test on labels in at most {rules.quality_alpha:.2%}" if rules.metrics else ""
    return (
        f"a version that is no worse than tolerated is rolled back by these {len(rules.guardrails)} guardrails in at "
        f"most {rules.alpha:.2%} of releases{quality}, however often one looks"
    )
