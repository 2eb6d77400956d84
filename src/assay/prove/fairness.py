"""Fairness in a policy: rates of groups within a bound of each other, each with three answers."""

from dataclasses import dataclass

from assay.prove.checks import Check
from assay.prove.policy import EQUALISED_ODDS, Bound, Policy
from assay.stats import GroupGap, OddsGap, Profile, equalised_odds, group_gaps, judged_together, metric_named
from assay.stats.arrays import finite

__all__ = ["column_parts", "fairness_checks", "said_of"]

_CALIBRATION = "calibration_in_the_large"

_MOST_ROWS = 10_000_000  # beyond it a number of rows is no advice


def fairness_checks(profile: Profile, model: str, policy: Policy, *, clustered: bool) -> list[Check]:
    """A check for every group and bound, with Holm over all of them.

    A column the evaluation does not have is left to the gate, which misses it.
    """
    asked = [
        one
        for column, bounds in policy.fairness.items()
        if set(column_parts(profile, column)) <= set(profile.columns)
        for metric, bound in bounds.items()
        for one in _asked(profile, model, column, metric, bound, policy, clustered=clustered)
    ]
    together = iter(judged_together([part for one in asked for part in one.parts], policy.alpha))
    checks = []
    for one in asked:
        parts = tuple(next(together) for _ in one.parts)
        checks.append(_check(_Asked(one.metric, parts), profile, policy))
    return checks


def column_parts(profile: Profile, column: str) -> list[str]:
    """The columns of a cross such as "race & sex"; the name itself where a column is called that."""
    return [column] if column in profile.columns else [part.strip() for part in column.split(" & ")]


def said_of(found: GroupGap, title: str) -> str:
    """The finding as a sentence, with who is affected in counts."""
    group, reference = found.group.name, found.reference.name
    if found.method == "too small":
        return f"{group}: {found.n:,} rows are too few to compare {title} with {reference}."
    rates = f"{title} {found.value:.3f} ({found.n:,} rows), {reference} {found.reference_value:.3f}"
    what = "difference" if found.measure == "gap" else "ratio"
    head = f"{group}: {rates}; {what} {found.gap:.3f}, interval {found.low:.3f} to {found.high:.3f}"
    limit = f"a {what} of {found.bound:g}"
    if found.verdict == "pass":
        return f"{head}: shown to be within {limit}."
    if found.verdict == "fail":
        return f"{head}: proven to be beyond {limit}; {_affected(found)}."
    more = ""
    if found.rows_needed is not None and found.rows_needed > _MOST_ROWS:
        more = "; it lies so near the bound that hardly any number of rows would decide"
    elif found.rows_needed is not None and found.rows_needed > found.n:
        more = f"; about {found.rows_needed:,} rows of the group would decide"
    elif found.rows_needed is not None:
        more = "; more rows of the group would decide, because many groups are looked at"
    return f"{head}: open whether within {limit}{more}."


@dataclass(frozen=True, slots=True)
class _Asked:
    """A group under one bound of a policy: one comparison, or the two of equalised odds."""

    metric: str
    parts: tuple[GroupGap, ...]


def _asked(
    profile: Profile, model: str, column: str, metric: str, bound: Bound, policy: Policy, *, clustered: bool
) -> list[_Asked]:
    if metric == EQUALISED_ODDS:
        assert bound.gap is not None
        odds = equalised_odds(
            profile,
            model,
            column,
            gap=bound.gap,
            reference=bound.reference,
            alpha=policy.alpha,
            power=policy.power,
            clustered=clustered,
        )
        return [_Asked(metric, one.parts) for one in odds]
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
    return [_Asked(metric, (one,)) for one in gaps]


def _check(asked: _Asked, profile: Profile, policy: Policy) -> Check:
    titles = [metric_named(part.metric, profile.task).title for part in asked.parts]
    if asked.metric == EQUALISED_ODDS:
        odds = OddsGap(*asked.parts)
        verdict, found = odds.verdict, odds.decisive
        said = " ".join(said_of(*pair) for pair in zip(asked.parts, titles, strict=True))
        reason = f"Equalised odds, {_ODDS[verdict]}: {said}"
    else:
        (found,) = asked.parts
        verdict, reason = found.verdict, said_of(found, titles[0])
    needed = [part.rows_needed for part in asked.parts if part.verdict == "inconclusive"]
    required = found.group.name in policy.required
    return Check(
        kind="fairness",
        segment=found.group.name,
        metric=asked.metric,
        verdict=verdict,
        n=found.n,
        required=required,
        blocks=required or policy.on_inconclusive != "warn",
        value=finite(found.value),
        baseline_value=finite(found.reference_value),
        delta=finite(found.gap),
        low=finite(found.low),
        high=finite(found.high),
        p_worse=min(part.p_beyond for part in asked.parts),
        p_holm=min(part.p_holm for part in asked.parts),
        p_not_worse=max(part.p_within for part in asked.parts),
        bound=found.bound,
        rows_needed=_most(needed) if verdict == "inconclusive" else None,
        method=found.method,
        reason=reason,
    )


_ODDS = {
    "pass": "both rates within the bound",
    "fail": "a rate beyond the bound",
    "inconclusive": "not shown for both rates",
}


def _most(needed: list[int | None]) -> int | None:
    """The most rows that are needed; None where no number of them would do for one."""
    known = [rows for rows in needed if rows is not None]
    return max(known) if len(known) == len(needed) else None


def _affected(found: GroupGap) -> str:
    count = f"{abs(found.affected):,.0f}"
    if found.metric == _CALIBRATION:
        side = "more" if found.affected < 0 else "fewer"
        return f"its scores announce about {count} {side} positives than they would with the reference's error"
    return f"about {count} of its rows would have counted otherwise at the reference's rate"
