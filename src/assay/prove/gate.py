"""The gate: may the candidate replace the baseline? Pass, fail or inconclusive, with the reasons.

* overall: shown to be not worse by more than the margin, one-sided at alpha, for each guarded metric;
* every segment: not proven worse, after Holm over all segments and guarded metrics (an accusation is a union of tests);
* required segments: each shown to be not worse, at alpha each (a certificate is an intersection of tests);
* absolute bounds, calibration, groups compared with each other, further datasets, examples that must not change, what
  the model costs, and the rows themselves, where the policy states it;
* anything else that is inconclusive is listed with the rows that would decide it; the policy says whether it blocks.

Differences are improvements: above 0 the candidate is better, whatever the metric.
"""

import platform
from collections.abc import Sequence
from importlib import metadata
from itertools import islice
from pathlib import Path

import msgspec

from assay.errors import InvalidInput, nearest
from assay.prove.bounds import bound_checks, calibration_checks, data_checks, label_remarks
from assay.prove.checks import COMPARISONS, Check, Verdict, comparison_checks
from assay.prove.costs import budget_checks
from assay.prove.evaluation import BASELINE, CANDIDATE, Evaluation
from assay.prove.fairness import column_parts, fairness_checks
from assay.prove.golden import golden_checks
from assay.prove.policy import Policy, load_policy
from assay.prove.verdict import GateResult, settings_of
from assay.record.canonical import canonical_json
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.models.registry import ModelVersion
from assay.record.notify.telling import tell
from assay.record.store import Store
from assay.stats import Comparisons, Profile, Segment, columns_of, compare_all, holm, metric_named, metrics_of

__all__ = ["Check", "GateResult", "Verdict", "computed_with", "gate", "judge", "result_of"]

_OVERALL = "overall"
_HARM = (*COMPARISONS, "dataset")  # kinds of checks that Holm shares alpha among
_SHOWN = 3  # segments with a tolerated loss


def gate(evaluation: Evaluation, policy: Policy | str | Path, *, store: Store | None = None) -> GateResult:
    """Judge an evaluation by a policy, or the TOML file of one; with a `store`, as a decision in its ledger.

    A recorded verdict counts how often the same labelled rows were used for a verdict before: each use makes it more
    likely that a candidate passes by fitting them. Raises InvalidInput for a policy that does not fit the evaluation,
    and for a verdict to be recorded on an evaluation that was not.
    """
    if not isinstance(policy, Policy):
        policy = load_policy(policy)
    gate_id = new_id()
    if store is None:  # nobody counts the uses of the rows
        return result_of(gate_id, evaluation, policy, judge(evaluation, policy), use=0, decision=None)
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
                "detail": canonical_json(
                    {
                        "policy": msgspec.to_builtins(policy),
                        "reasons": reasons,
                        "rows": evaluation.dataset_hash,
                        "seed": evaluation.profile.seed,
                        "versions": computed_with(),
                    }
                ),
                "outcome": verdict,
                "mode": "auto",
                "decision": decision,
            },
        )
        if verdict == "fail":
            tell_failed(store, candidate, reasons)
    return result_of(gate_id, evaluation, policy, (verdict, reasons, checks), use=use, decision=decision)


def tell_failed(store: Store, candidate: ModelVersion, reasons: Sequence[str]) -> None:
    """Tell that the gate refused a version, with the first reason."""
    name = f"{candidate.model}/{candidate.version}"
    said = {"message": f"the gate says no to {name}: {reasons[0] if reasons else 'fail'}", "severity": "warning"}
    subject = {"subject_kind": "version", "subject_id": candidate.mv_id}
    tell(store, "gate.failed", {"model": candidate.model, "version": candidate.version, **said, **subject})


def computed_with() -> dict[str, str]:
    """The versions of what computes a verdict."""
    packages = {name: metadata.version(package) for name, package in (("assay", "assay-mlops"), ("numpy", "numpy"))}
    return {**packages, "scipy": metadata.version("scipy"), "python": platform.python_version()}


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
        dataset=evaluation.dataset_name,
        dataset_hash=evaluation.dataset_hash,
        rows=evaluation.profile.n_rows,
        labelled=evaluation.profile.n_labelled,
        unit=evaluation.unit,
        policy=policy.name,
        policy_version=policy.version,
        settings=settings_of(policy),
        alpha=policy.at_use(max(use, 1)).alpha,
        holm_tests=sum(check.kind in _HARM for check in checks),
        verdict=verdict,
        reasons=reasons,
        checks=checks,
        validation_uses=use,
        decision=decision,
    )


def judge(evaluation: Evaluation, policy: Policy) -> tuple[Verdict, list[str], list[Check]]:
    """The verdict, its reasons and its checks; a function of what the evaluation keeps and the policy alone.

    Raises InvalidInput for a metric that the profile's task does not have, and for crosses it does not keep.
    """
    profile = evaluation.profile
    policy = _as_spelled(profile, policy)
    _check_fit(profile, policy)
    clustered = bool(evaluation.unit)
    others = {name: evaluation.others[name] for name in policy.datasets if name in evaluation.others}
    checks = _comparisons(profile, others, policy, clustered=clustered)
    checks += bound_checks(profile, CANDIDATE, policy, clustered=clustered)
    for name, other in others.items():
        checks += bound_checks(other, CANDIDATE, _there(policy, name), clustered=clustered, dataset=name)
    checks += calibration_checks(profile, CANDIDATE, policy, clustered=clustered)
    checks += fairness_checks(profile, CANDIDATE, policy, clustered=clustered)
    golden = _dataset(evaluation, policy.golden.dataset) if policy.golden else None
    if policy.golden and golden is not None:
        checks += golden_checks(golden, CANDIDATE, BASELINE, policy.golden)
    checks += budget_checks(evaluation.costs, policy)
    checks += data_checks(profile, policy)
    missing = _missing(evaluation, policy)
    failed = sorted(
        (check for check in checks if check.verdict == "fail"),
        key=lambda check: (check.kind in _HARM, check.p_worse, check.where),
    )
    undecided = [check for check in checks if check.verdict == "inconclusive"]
    blocking = [check for check in undecided if check.blocks]
    reasons = [check.reason for check in failed] + missing + [check.reason for check in blocking]
    remarks = _tolerated(checks) + label_remarks(profile, policy)
    if failed:
        return "fail", reasons + remarks, checks
    if blocking or missing:
        return "inconclusive", reasons + remarks, checks
    return "pass", _why_pass(evaluation, policy, checks, undecided) + remarks, checks


def _tolerated(checks: list[Check]) -> list[str]:
    """Proven losses that pass: those on all rows, and of segments the largest, so that the list stays readable."""
    found = [check for check in checks if check.remark]
    everywhere = [check for check in found if check.segment == _OVERALL]
    segments = sorted((check for check in found if check.segment != _OVERALL), key=lambda check: check.delta or 0.0)
    said = [check.remark or "" for check in (*everywhere, *segments[:_SHOWN])]
    more = len(segments) - _SHOWN
    return [*said, f"{more:,} more segments lose inside what the policy tolerates."] if more > 0 else said


def _as_spelled(profile: Profile, policy: Policy) -> Policy:
    """The policy with required crosses in the order of the evaluation's columns: both orders mean the same rows."""
    if not policy.required:
        return policy
    names = {frozenset(segment.name.split(" & ")): segment.name for segment in profile.segments}
    required = [names.get(frozenset(name.split(" & ")), name) for name in policy.required]
    return msgspec.structs.replace(policy, required=list(dict.fromkeys(required)))


def _there(policy: Policy, dataset: str) -> Policy:
    """The policy with the metrics that count on a further dataset."""
    chosen = policy.datasets[dataset].metrics or list(policy.metrics)
    return msgspec.structs.replace(policy, metrics={name: policy.metrics[name] for name in chosen})


def _dataset(evaluation: Evaluation, name: str) -> Profile | None:
    return evaluation.profile if name == evaluation.dataset_name else evaluation.others.get(name)


def _why_pass(evaluation: Evaluation, policy: Policy, checks: list[Check], undecided: list[Check]) -> list[str]:
    reasons = [check.reason for check in checks if check.segment == _OVERALL or check.required]
    if undecided:
        count = len({check.where for check in undecided})
        some = "1 smaller segment is" if count == 1 else f"{count} smaller segments are"
        reasons.append(f"{some} inconclusive and {'does' if count == 1 else 'do'} not block by the policy.")
    unlabelled = evaluation.profile.n_rows - evaluation.profile.n_labelled
    if unlabelled and policy.data is None:
        share = unlabelled / evaluation.profile.n_rows
        reasons.append(f"{unlabelled:,} rows have no label ({share:.1%}) and say nothing.")
    return reasons


def _comparisons(profile: Profile, others: dict[str, Profile], policy: Policy, *, clustered: bool) -> list[Check]:
    """Every segment of at most `cross` columns, and all rows of the further datasets, on every metric with a margin;
    Holm over all of them: one proven loss among them is what the error rate is about."""
    names = profile.segment_names()
    places = [place for place, segment in enumerate(profile.segments) if _counts(segment, names[place], policy)]
    asked: list[tuple[str | None, list[int], Comparisons]]
    asked = [(None, places, one) for one in _compared(profile, policy, clustered=clustered)]
    for name, other in others.items():
        there = _compared(other, _there(policy, name), clustered=clustered)
        asked += [(name, [0], one) for one in there if other.segments]
    adjusted = iter(holm([float(p) for _, at, one in asked for p in one.p_worse[at]]))
    checks = [
        comparison_checks(
            one,
            at,
            names,
            metric_named(one.metric, profile.task).title,
            list(islice(adjusted, len(at))),
            policy,
            dataset,
        )
        for dataset, at, one in asked
    ]
    many = sum(dataset is None for dataset, _, _ in asked)
    by_segment = [check for together in zip(*checks[:many], strict=True) for check in together]
    return by_segment + [check for found in checks[many:] for check in found]


def _compared(profile: Profile, policy: Policy, *, clustered: bool) -> list[Comparisons]:
    return [
        compare_all(
            profile,
            CANDIDATE,
            BASELINE,
            metric,
            guard.margin,
            alpha=policy.alpha,
            harm_at=policy.harm_at(metric),
            clustered=clustered,
            minimum_n=policy.minimum_n,
        )
        for metric, guard in policy.metrics.items()
        if guard.margin is not None
    ]


def _counts(segment: Segment, name: str, policy: Policy) -> bool:
    """Whether the policy looks at a segment: crosses as deep as it says, and those it requires."""
    return len(segment.conditions) <= policy.cross or name in policy.required


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


def _missing(evaluation: Evaluation, policy: Policy) -> list[str]:
    """What the policy wants and the evaluation does not have: a verdict, never a silence."""
    profile = evaluation.profile
    names = profile.segment_names()
    said = [
        f"{name}: required, and no row of it occurs in the evaluation.{_meant(name, sorted(names))}"
        for name in policy.required
        if name not in names
    ]
    said += [
        f"{column}: the policy wants segments by it, and the evaluation was made without it."
        f"{_meant(column, profile.columns)}"
        for column in [*policy.segments, *policy.fairness]
        if not set(column_parts(profile, column)) <= set(profile.columns)
    ]
    wanted = [*policy.datasets, *([policy.golden.dataset] if policy.golden else [])]
    said += [
        f"{name}: the policy wants this dataset too, and the evaluation was made without it."
        f"{_meant(name, list(evaluation.others))}"
        for name in dict.fromkeys(wanted)
        if _dataset(evaluation, name) is None
    ]
    return said


def _meant(name: str, known: Sequence[str]) -> str:
    close = nearest(name, list(known))
    return f" Is {close!r} meant?" if close else ""
