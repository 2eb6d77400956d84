"""The gate: may the candidate replace the baseline? Pass, fail or inconclusive, with the reasons.

* overall: shown to be not worse by more than the margin, one-sided at alpha, for each guarded metric;
* every segment: not proven worse, after Holm over all segments and guarded metrics (an accusation is a union of tests);
* required segments: each shown to be not worse, at alpha each (a certificate is an intersection of tests);
* absolute bounds, calibration, groups compared with each other, and the rows themselves, where the policy
  states it;
* anything else that is inconclusive is listed with the rows that would decide it; the policy says whether it blocks.

Differences are improvements: above 0 the candidate is better, whatever the metric.
"""

from pathlib import Path

import msgspec

from assay.errors import InvalidInput, nearest
from assay.prove.bounds import bound_checks, calibration_checks, data_checks
from assay.prove.checks import COMPARISONS, Check, Verdict, comparison_check
from assay.prove.evaluation import BASELINE, CANDIDATE, Evaluation
from assay.prove.fairness import column_parts, fairness_checks
from assay.prove.policy import Policy, load_policy
from assay.record.canonical import canonical_json
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.store import Store
from assay.stats import Profile, Segment, columns_of, compare_all, holm, metric_named, metrics_of

__all__ = ["Check", "GateResult", "Verdict", "gate", "judge"]

_OVERALL = "overall"


class GateResult(msgspec.Struct, frozen=True):
    """The verdict with all it rests on. `reasons` are sentences, the decisive ones first.

    `alpha` is what was spent on this verdict; `validation_uses` counts the verdicts on the same rows, this one among
    them.
    """

    gate_id: str
    evaluation_id: str
    model: str
    version: int | None
    baseline_version: int | None
    candidate: str
    baseline: str | None
    dataset_hash: str
    policy: str
    policy_version: str
    alpha: float
    verdict: Verdict
    reasons: list[str]
    checks: list[Check]
    validation_uses: int
    decision: int | None


def gate(evaluation: Evaluation, policy: Policy | str | Path, *, store: Store | None = None) -> GateResult:
    """Judge an evaluation by a policy, or the TOML file of one; with a `store`, as a decision in its ledger.

    A recorded verdict counts how often the same labelled rows were used for a verdict before: each use makes it more
    likely that a candidate passes by fitting them. Raises InvalidInput for a policy that does not fit the evaluation,
    and for a verdict to be recorded on an evaluation that was not.
    """
    if not isinstance(policy, Policy):
        policy = load_policy(policy)
    gate_id = new_id()
    if store is None:
        return result_of(gate_id, evaluation, policy, judge(evaluation, policy.at_use(1)), use=1, decision=None)
    candidate, baseline = evaluation.candidate, evaluation.baseline
    if candidate is None or not store.query("evaluation", {"evaluation_id": evaluation.evaluation_id}, limit=1):
        raise InvalidInput(
            "the evaluation is not in the store, so a verdict on it cannot be recorded there",
            hint="evaluate registered versions with store=",
        )
    with store.transaction():
        same_rows = store.query("evaluation", {"dataset_hash": evaluation.dataset_hash})
        same = [row["evaluation_id"] for row in same_rows]
        use = len(store.query("gate", {"evaluation_id in": same, "mode": "auto"})) + 1  # an override looks at no rows
        verdict, reasons, checks = judge(evaluation, policy.at_use(use))
        decision = decide(
            store,
            "gate",
            f"{candidate.model}/{candidate.version}",
            {
                "gate": gate_id,
                "verdict": verdict,
                "reasons": reasons,
                "evaluation": evaluation.evaluation_id,
                "hash": candidate.hash,
                "policy": policy.version,
                "validation_uses": use,
            },
        )
        store.append(
            "gate",
            {
                "id": gate_id,
                "mv_id": candidate.mv_id,
                "baseline_mv_id": baseline.mv_id if baseline else None,
                "subject_hash": candidate.hash,
                "evaluation_id": evaluation.evaluation_id,
                "policy_version": policy.version,
                "checks": canonical_json(msgspec.to_builtins(checks)),
                "detail": canonical_json({"policy": msgspec.to_builtins(policy), "reasons": reasons}),
                "outcome": verdict,
                "mode": "auto",
                "decision": decision,
            },
        )
    return result_of(gate_id, evaluation, policy, (verdict, reasons, checks), use=use, decision=decision)


def result_of(
    gate_id: str,
    evaluation: Evaluation,
    policy: Policy,
    judged: tuple[Verdict, list[str], list[Check]],
    *,
    use: int,
    decision: int | None,
) -> GateResult:
    """What `judge` gave, with what it was about."""
    verdict, reasons, checks = judged
    return GateResult(
        gate_id=gate_id,
        evaluation_id=evaluation.evaluation_id,
        model=evaluation.candidate.model if evaluation.candidate else evaluation.names[CANDIDATE],
        version=evaluation.candidate.version if evaluation.candidate else None,
        baseline_version=evaluation.baseline.version if evaluation.baseline else None,
        candidate=evaluation.names[CANDIDATE],
        baseline=evaluation.names.get(BASELINE),
        dataset_hash=evaluation.dataset_hash,
        policy=policy.name,
        policy_version=policy.version,
        alpha=policy.at_use(use).alpha,
        verdict=verdict,
        reasons=reasons,
        checks=checks,
        validation_uses=use,
        decision=decision,
    )


def judge(evaluation: Evaluation, policy: Policy) -> tuple[Verdict, list[str], list[Check]]:
    """The verdict, its reasons and its checks; a function of the profile and the policy alone.

    Raises InvalidInput for a metric that the profile's task does not have, and for crosses it does not keep.
    """
    profile = evaluation.profile
    _check_fit(profile, policy)
    clustered = bool(evaluation.unit)
    compared = _comparisons(profile, policy, clustered=clustered)
    checks = [
        *compared,
        *bound_checks(profile, CANDIDATE, policy, clustered=clustered),
        *calibration_checks(profile, CANDIDATE, policy, clustered=clustered),
        *fairness_checks(profile, CANDIDATE, policy, clustered=clustered),
        *data_checks(profile, policy),
    ]
    missing = _missing(profile, policy)
    failed = sorted(
        (check for check in checks if check.verdict == "fail"),
        key=lambda check: (check.kind in COMPARISONS, check.p_worse, check.segment),
    )
    undecided = [check for check in checks if check.verdict == "inconclusive"]
    blocking = [check for check in undecided if check.blocks]
    reasons = [check.reason for check in failed] + missing + [check.reason for check in blocking]
    if failed:
        return "fail", reasons, checks
    if blocking or missing:
        return "inconclusive", reasons, checks
    return "pass", _why_pass(evaluation, policy, checks, undecided), checks


def _why_pass(evaluation: Evaluation, policy: Policy, checks: list[Check], undecided: list[Check]) -> list[str]:
    reasons = [check.reason for check in checks if check.segment == _OVERALL or check.required]
    if undecided:
        count = len({check.segment for check in undecided})
        some = "1 smaller segment is" if count == 1 else f"{count} smaller segments are"
        reasons.append(f"{some} inconclusive and {'does' if count == 1 else 'do'} not block by the policy.")
    unlabelled = evaluation.profile.n_rows - evaluation.profile.n_labelled
    if unlabelled and policy.data is None:
        share = unlabelled / evaluation.profile.n_rows
        reasons.append(f"{unlabelled:,} rows have no label ({share:.1%}) and say nothing.")
    return reasons


def _comparisons(profile: Profile, policy: Policy, *, clustered: bool) -> list[Check]:
    """Every segment of at most `cross` columns, on every metric with a margin; Holm over all of them."""
    places = [place for place, segment in enumerate(profile.segments) if _counts(segment, policy)]
    found = {
        metric: compare_all(
            profile,
            CANDIDATE,
            BASELINE,
            metric,
            guard.margin,
            alpha=policy.alpha,
            harm_at=guard.harm_at,
            clustered=clustered,
            minimum_n=policy.minimum_n,
        )
        for metric, guard in policy.metrics.items()
        if guard.margin is not None
    }
    asked = [(metric, found[metric].at(place)) for place in places for metric in found]
    adjusted = holm([comparison.p_worse for _, comparison in asked])
    return [
        comparison_check(comparison, metric_named(metric, profile.task).title, p_holm, policy)
        for (metric, comparison), p_holm in zip(asked, adjusted, strict=True)
    ]


def _counts(segment: Segment, policy: Policy) -> bool:
    """Whether the policy looks at a segment: crosses as deep as it says, and those it requires."""
    return len(segment.conditions) <= policy.cross or segment.name in policy.required


def _check_fit(profile: Profile, policy: Policy) -> None:
    known = metrics_of(profile.task)
    for name in policy.metrics:
        if name not in known:
            raise InvalidInput(
                f"the policy guards {name!r}, which the evaluation does not have",
                expected=", ".join(known),
                hint=nearest(name, list(known)),
            )
    margins = [name for name, guard in policy.metrics.items() if guard.margin is not None]
    if margins and BASELINE not in profile.models:
        raise InvalidInput(
            f"the policy has a margin for {margins[0]!r}, and the evaluation has no baseline to hold it against",
            hint="evaluate with baseline=, or bound the value with at_least or at_most",
        )
    for column in policy.fairness:
        if set(parts := column_parts(profile, column)) <= set(profile.columns):
            columns_of(profile, parts)
    deepest = min(policy.cross, len(profile.columns))
    if deepest > profile.cross:
        raise InvalidInput(
            f"the policy looks at crosses of {policy.cross} columns, the evaluation kept {profile.cross}",
            hint=f"evaluate with cross={policy.cross}",
        )


def _missing(profile: Profile, policy: Policy) -> list[str]:
    """What the policy wants and the evaluation does not have: a verdict, never a silence."""
    names = [segment.name for segment in profile.segments]
    said = []
    for name in policy.required:
        if name not in names:
            close = nearest(name, sorted(names))
            hint = f" Is {close!r} meant?" if close else ""
            said.append(f"{name}: required, and no row of it occurs in the evaluation.{hint}")
    said += [
        f"{column}: the policy wants segments by it, and the evaluation was made without it."
        for column in [*policy.segments, *policy.fairness]
        if not set(column_parts(profile, column)) <= set(profile.columns)
    ]
    return said
