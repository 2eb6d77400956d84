"""The gate: may the candidate replace the baseline? Pass, fail or inconclusive, with the reasons.

* overall: shown to be not worse by more than the margin, one-sided at alpha, for each guarded metric;
* every segment: not proven worse, after Holm over all segments and guarded metrics (an accusation is a union of tests);
* required segments: each shown to be not worse, at alpha each (a certificate is an intersection of tests);
* anything else that is inconclusive is listed with the rows that would decide it; the policy says whether it blocks.

Differences are improvements: above 0 the candidate is better, whatever the metric.
"""

import math
from typing import Literal

import msgspec

from assay.errors import nearest
from assay.prove.evaluation import BASELINE, CANDIDATE, Evaluation
from assay.prove.policy import Policy
from assay.record.canonical import canonical_json
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.store import Store
from assay.stats import METRICS, Comparison, Segment, compare, holm, rows_needed

__all__ = ["Check", "GateResult", "Verdict", "gate", "judge"]

Verdict = Literal["pass", "fail", "inconclusive"]
_OVERALL = "overall"


class Check(msgspec.Struct, frozen=True):
    """One comparison of the gate. Numbers are None where the segment is too small to say anything."""

    kind: Literal["champion_compare", "slice"]
    segment: str
    required: bool
    metric: str
    n: int
    value: float | None
    baseline_value: float | None
    delta: float | None
    low: float | None
    high: float | None
    p_worse: float
    p_holm: float
    p_not_worse: float
    margin: float
    verdict: Verdict
    rows_needed: int | None
    method: str


class GateResult(msgspec.Struct, frozen=True):
    """The verdict with all it rests on. `reasons` are sentences, the decisive ones first."""

    gate_id: str
    evaluation_id: str
    model: str
    version: int
    baseline_version: int
    policy: str
    policy_version: str
    alpha: float
    verdict: Verdict
    reasons: list[str]
    checks: list[Check]
    validation_uses: int
    decision: int


def gate(store: Store, evaluation: Evaluation, policy: Policy) -> GateResult:
    """Judge an evaluation by a policy, and record the verdict as a decision in the ledger.

    The verdict counts how often the same labelled rows were used for a verdict before: each use makes it more likely
    that a candidate passes by fitting them.
    """
    verdict, reasons, checks = judge(evaluation, policy)
    gate_id = new_id()
    with store.transaction():
        same_rows = store.query("evaluation", {"dataset_hash": evaluation.dataset_hash})
        same = [row["evaluation_id"] for row in same_rows]
        used = store.query("gate", {"evaluation_id in": same, "mode": "auto"})  # an override looks at no rows
        decision = decide(
            store,
            "gate",
            f"{evaluation.candidate.model}/{evaluation.candidate.version}",
            {
                "gate": gate_id,
                "verdict": verdict,
                "reasons": reasons,
                "evaluation": evaluation.evaluation_id,
                "hash": evaluation.candidate.hash,
                "policy": policy.version,
                "validation_uses": len(used) + 1,
            },
        )
        store.append(
            "gate",
            {
                "id": gate_id,
                "mv_id": evaluation.candidate.mv_id,
                "baseline_mv_id": evaluation.baseline.mv_id,
                "subject_hash": evaluation.candidate.hash,
                "evaluation_id": evaluation.evaluation_id,
                "policy_version": policy.version,
                "checks": canonical_json(msgspec.to_builtins(checks)),
                "detail": canonical_json({"policy": msgspec.to_builtins(policy), "reasons": reasons}),
                "outcome": verdict,
                "mode": "auto",
                "decision": decision,
            },
        )
    return GateResult(
        gate_id=gate_id,
        evaluation_id=evaluation.evaluation_id,
        model=evaluation.candidate.model,
        version=evaluation.candidate.version,
        baseline_version=evaluation.baseline.version,
        policy=policy.name,
        policy_version=policy.version,
        alpha=policy.alpha,
        verdict=verdict,
        reasons=reasons,
        checks=checks,
        validation_uses=len(used) + 1,
        decision=decision,
    )


def judge(evaluation: Evaluation, policy: Policy) -> tuple[Verdict, list[str], list[Check]]:
    """The verdict, its reasons and its checks; a function of the profile and the policy alone."""
    profile = evaluation.profile
    segments = profile.segments(policy.cross)
    pairs = [(segment, metric) for segment in segments for metric in policy.metrics]
    compared = [_compare(evaluation, segment, metric, policy) for segment, metric in pairs]
    adjusted = holm([comparison.p_worse for comparison in compared])
    checks = [
        _check(segment, comparison, p_holm, policy)
        for (segment, _), comparison, p_holm in zip(pairs, compared, adjusted, strict=True)
    ]
    names = {segment.name for segment in segments}
    missing = [_missing(name, sorted(names)) for name in policy.required if name not in names]
    missing += [
        f"{column}: the policy wants segments by it, and the evaluation was made without it."
        for column in policy.segments
        if column not in profile.columns
    ]
    failed = sorted((c for c in checks if c.verdict == "fail"), key=lambda c: (c.p_worse, c.segment))
    undecided = [c for c in checks if c.verdict == "inconclusive"]
    blocking = [c for c in undecided if c.segment == _OVERALL or c.required or policy.on_inconclusive == "block"]
    reasons = [_failure(check) for check in failed]
    reasons += missing
    reasons += [_question(check, policy) for check in blocking]
    if failed:
        return "fail", reasons, checks
    if blocking or missing:
        return "inconclusive", reasons, checks
    overall = [_success(check) for check in checks if check.segment == _OVERALL]
    if undecided:
        count = len({check.segment for check in undecided})
        some = "1 smaller segment is" if count == 1 else f"{count} smaller segments are"
        overall.append(f"{some} inconclusive and {'does' if count == 1 else 'do'} not block by the policy.")
    return "pass", overall, checks


def _compare(evaluation: Evaluation, segment: Segment, metric: str, policy: Policy) -> Comparison:
    guard = policy.metrics[metric]
    return compare(
        evaluation.profile,
        segment,
        CANDIDATE,
        BASELINE,
        metric,
        guard.margin,
        alpha=policy.alpha,
        harm_at=guard.harm_at,
        clustered=True,
        minimum_n=policy.minimum_n,
    )


def _check(segment: Segment, comparison: Comparison, p_holm: float, policy: Policy) -> Check:
    verdict: Verdict = "inconclusive"
    if p_holm <= policy.alpha:
        verdict = "fail"
    elif comparison.p_not_worse <= policy.alpha:
        verdict = "pass"
    needed = rows_needed(comparison.variance_per_row, comparison.margin, alpha=policy.alpha, power=policy.power)
    return Check(
        kind="champion_compare" if segment.name == _OVERALL else "slice",
        segment=segment.name,
        required=segment.name in policy.required,
        metric=comparison.metric,
        n=comparison.n,
        value=_finite(comparison.value),
        baseline_value=_finite(comparison.baseline_value),
        delta=_finite(comparison.delta),
        low=_finite(comparison.low),
        high=_finite(comparison.high),
        p_worse=comparison.p_worse,
        p_holm=p_holm,
        p_not_worse=comparison.p_not_worse,
        margin=comparison.margin,
        verdict=verdict,
        rows_needed=needed if verdict == "inconclusive" else None,
        method=comparison.method,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _missing(name: str, names: list[str]) -> str:
    close = nearest(name, names)
    hint = f" Is {close!r} meant?" if close else ""
    return f"{name}: required, and no row of it occurs in the evaluation.{hint}"


def _failure(check: Check) -> str:
    title = METRICS[check.metric].title
    return (
        f"{check.segment}: {title} is proven worse by {-(check.delta or 0):.4f} ({_range(check)}; {check.n:,} rows, "
        f"p {check.p_holm:.1e} after Holm). More rows will not help; a candidate that does not lose here will."
    )


def _question(check: Check, policy: Policy) -> str:
    title = METRICS[check.metric].title
    if check.delta is None or check.rows_needed is None:
        return f"{check.segment}: {title} cannot be compared on {check.n:,} rows; collect more."
    decided = f"(power {policy.power:.0%}, if the true difference is 0)"
    if check.rows_needed > check.n:
        more = f"about {check.rows_needed:,} rows would decide {decided}."
    elif check.low is None:
        more = "the rows belong to too few units, or too few of them count for the metric; collect more of them."
    else:
        more = f"{check.rows_needed:,} rows should have decided {decided}, so the candidate may be somewhat worse."
    return (
        f"{check.segment}: {title} changes by {check.delta:+.4f} ({_range(check)}; {check.n:,} rows), which neither "
        f"shows it within the margin of {check.margin:g} nor proves harm; {more}"
    )


def _success(check: Check) -> str:
    title = METRICS[check.metric].title
    return (
        f"{check.segment}: {title} changes by {check.delta or 0:+.4f} ({_range(check)}; {check.n:,} rows): not worse "
        f"by more than {check.margin:g}."
    )


def _range(check: Check) -> str:
    if check.low is None or check.high is None:
        return "no interval"
    return f"interval {check.low:+.4f} to {check.high:+.4f}"
