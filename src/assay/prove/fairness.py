"""Fairness in a policy: rates of groups within a bound of each other, each with three answers."""

import msgspec

from assay.prove.checks import Check, finite
from assay.prove.policy import Policy
from assay.stats import GroupGap, Profile, group_gaps, metric_named

__all__ = ["fairness_checks", "said_of"]


def fairness_checks(profile: Profile, model: str, policy: Policy, *, clustered: bool) -> list[Check]:
    """A check for every group and bound; a column the evaluation does not have is left to the gate, which misses it."""
    checks = []
    for column, bounds in policy.fairness.items():
        if column not in profile.columns:
            continue
        for metric, bound in bounds.items():
            gaps = group_gaps(
                profile,
                model,
                metric,
                column,
                gap=bound.gap,
                ratio=bound.ratio,
                reference=bound.reference,
                alpha=policy.alpha,
                power=policy.power,
                clustered=clustered,
            )
            checks += [_check(one, policy, metric_named(metric, profile.task).title) for one in gaps]
    return checks


def _check(found: GroupGap, policy: Policy, title: str) -> Check:
    required = found.group.name in policy.required
    check = Check(
        kind="fairness",
        segment=found.group.name,
        metric=found.metric,
        verdict=found.verdict,
        n=found.n,
        required=required,
        blocks=required or policy.on_inconclusive != "warn",
        value=finite(found.value),
        baseline_value=finite(found.reference_value),
        delta=finite(found.gap),
        low=finite(found.low),
        high=finite(found.high),
        p_worse=found.p_beyond,
        p_holm=found.p_holm,
        p_not_worse=found.p_within,
        bound=found.bound,
        rows_needed=found.rows_needed,
        method=found.method,
    )
    return msgspec.structs.replace(check, reason=said_of(found, title))


def said_of(found: GroupGap, title: str) -> str:
    """The finding as a sentence, with who is affected in counts."""
    rates = f"{title} {found.value:.3f} ({found.n:,} rows), {found.reference.name} {found.reference_value:.3f}"
    what = "difference" if found.measure == "gap" else "ratio"
    seen = f"{what} {found.gap:.3f}, interval {found.low:.3f} to {found.high:.3f}"
    limit = f"a {what} of {found.bound:g}"
    if found.method == "too small":
        return f"{found.group.name}: {found.n:,} rows are too few to compare {title} with {found.reference.name}."
    head = f"{found.group.name}: {rates}; {seen}"
    if found.verdict == "pass":
        return f"{head}: shown to be within {limit}."
    if found.verdict == "fail":
        about = f"about {abs(found.affected):,.0f} of its rows would have counted otherwise at the reference's rate"
        return f"{head}: proven to be beyond {limit}; {about}."
    more = f"; about {found.rows_needed:,} rows of the group would decide" if found.rows_needed else ""
    return f"{head}: open whether within {limit}{more}."
