"""Checks that need no baseline: absolute bounds, calibration, and the rows themselves.

A bound is a three-valued test like everything else: shown to be kept, shown to be broken, or neither.
"""

import math

import msgspec

from assay.prove.checks import OVERALL_NAME, Check, Verdict
from assay.prove.policy import Policy
from assay.stats import Estimate, Profile, estimate_all, holm, metric_named, normal, shares_differ_p
from assay.stats.arrays import finite

__all__ = ["bound_checks", "calibration_checks", "data_checks", "label_remarks"]


def bound_checks(
    profile: Profile, model: str, policy: Policy, *, clustered: bool, dataset: str | None = None
) -> list[Check]:
    """`at_least` and `at_most` of every guarded metric, on all rows and on each required segment; of another `dataset`
    on all rows.

    A bound is kept where the end of the interval at confidence 1 - 2 alpha keeps it; it is broken where the whole
    interval, at alpha shared out over the segments asked (Bonferroni), breaks it.
    """
    checks = []
    names = profile.segment_names()
    required = policy.required if dataset is None else []
    asked = [name for name in (OVERALL_NAME, *required) if name in names]
    for metric, guard in policy.metrics.items():
        for bound, at_least in ((guard.at_least, True), (guard.at_most, False)):
            if bound is None:
                continue
            title = metric_named(metric, profile.task).title
            keeping = estimate_all(profile, model, metric, 1 - 2 * policy.alpha, clustered=clustered)
            breaking = estimate_all(profile, model, metric, 1 - 2 * policy.alpha / len(asked), clustered=clustered)
            for name in asked:
                place = names.index(name)
                found, wide = keeping.at(place), breaking.at(place)
                verdict = _bound_verdict(found, wide, bound, at_least=at_least)
                check = Check(
                    kind="bound",
                    segment=name,
                    metric=metric,
                    verdict=verdict,
                    n=found.n,
                    required=name in required,
                    blocks=True,
                    value=finite(found.value),
                    low=finite(found.low),
                    high=finite(found.high),
                    bound=bound,
                    dataset=dataset,
                    rows_needed=_rows_for(found, bound, policy) if verdict == "inconclusive" else None,
                    method=found.method,
                )
                side = "at least" if at_least else "at most"
                checks.append(msgspec.structs.replace(check, reason=_bound_words(check, title, side)))
    return checks


def calibration_checks(profile: Profile, model: str, policy: Policy, *, clustered: bool) -> list[Check]:
    """Mean score minus share of positives within the policy's bound, on all rows and on each required segment."""
    if policy.calibration is None:
        return []
    within = policy.calibration.within
    names = profile.segment_names()
    metric = "calibration_in_the_large"
    found = estimate_all(profile, model, metric, 1 - 2 * policy.alpha, clustered=clustered)
    checks = []
    for name in (OVERALL_NAME, *(required for required in policy.required if required in names)):
        one = found.at(names.index(name))
        verdict: Verdict = "inconclusive"
        if one.low > -within and one.high < within:
            verdict = "pass"
        elif one.high < -within or one.low > within:
            verdict = "fail"
        said = {
            "pass": f"the mean score is within {within:g} of the share of positives",
            "fail": f"the mean score is off the share of positives by more than {within:g}",
            "inconclusive": f"it is open whether the mean score is within {within:g} of the share of positives",
        }[verdict]
        checks.append(
            Check(
                kind="calibration",
                segment=name,
                metric=metric,
                verdict=verdict,
                n=one.n,
                required=name in policy.required,
                blocks=True,
                value=finite(one.value),
                low=finite(one.low),
                high=finite(one.high),
                bound=within,
                method=one.method,
                reason=f"{name}: {said}; off by {_interval(one.value, one.low, one.high)} on {one.n:,} rows.",
            )
        )
    return checks


def data_checks(profile: Profile, policy: Policy) -> list[Check]:
    """Enough labelled rows, and not too many without a label."""
    if policy.data is None:
        return []
    rows, labelled = profile.n_rows, profile.n_labelled
    enough = labelled >= policy.data.minimum_rows
    share = 1 - labelled / rows if rows else math.nan
    known = share <= policy.data.maximum_unlabelled
    return [
        Check(
            kind="data",
            segment=OVERALL_NAME,
            metric="rows",
            verdict="pass" if enough else "inconclusive",
            n=labelled,
            blocks=True,
            bound=float(policy.data.minimum_rows),
            rows_needed=None if enough else policy.data.minimum_rows,
            reason=f"{labelled:,} labelled rows; the policy wants at least {policy.data.minimum_rows:,}.",
        ),
        Check(
            kind="data",
            segment=OVERALL_NAME,
            metric="unlabelled",
            verdict="pass" if known else "inconclusive",
            n=rows,
            blocks=True,
            value=finite(share),
            bound=policy.data.maximum_unlabelled,
            reason=f"{rows - labelled:,} of {rows:,} rows have no label ({share:.1%}); "
            f"the policy allows {policy.data.maximum_unlabelled:.1%}.",
        ),
    ]


def label_remarks(profile: Profile, policy: Policy) -> list[str]:
    """Where labels are missing in some segments rather than in others: what is judged is then not who was served.

    A chi-square test for each segment column, Holm over the columns; it treats rows as independent, so it warns and
    never decides.
    """
    totals = profile.totals()
    rows, missing = totals.n("rows"), totals.n("unlabelled")
    places = {
        column: [i for i, s in enumerate(profile.segments) if len(s.conditions) == 1 and s.conditions[0][0] == column]
        for column in profile.columns
    }
    found = holm([shares_differ_p(missing[at], rows[at]) for at in places.values()])
    said = []
    for (column, at), p in zip(places.items(), found, strict=True):
        if p > policy.alpha:
            continue
        shares = sorted(
            ((missing[i] / rows[i], profile.segments[i].name) for i in at), key=lambda one: (-one[0], one[1])
        )
        most = ", ".join(f"{name} {share:.1%}" for share, name in shares[:-1][:3])
        said.append(
            f"Labels are missing unevenly over {column} ({_tiny(p)}): {most}; least in {shares[-1][1]} "
            f"{shares[-1][0]:.1%}. The verdict is about labelled rows."
        )
    return said


def _tiny(p: float) -> str:
    return f"p {p:.1e}" if p >= 1e-99 else "p below 1e-99"


def _bound_verdict(found: Estimate, wide: Estimate, bound: float, *, at_least: bool) -> Verdict:
    if at_least:
        return "pass" if found.low >= bound else "fail" if wide.high < bound else "inconclusive"
    return "pass" if found.high <= bound else "fail" if wide.low > bound else "inconclusive"


def _rows_for(found: Estimate, bound: float, policy: Policy) -> int | None:
    """n (half/|value - bound|)²·((z₁₋α + z₁₋β)/z₁₋α)²: the rows that would decide if the value stays as it is."""
    half = (found.high - found.low) / 2
    away = abs(found.value - bound)
    if not (math.isfinite(half) and away > 0):
        return None
    z = -normal.quantile(policy.alpha)
    return math.ceil(found.n * (half / away) ** 2 * ((z + normal.quantile(policy.power)) / z) ** 2)


def _bound_words(check: Check, title: str, side: str) -> str:
    value, low, high = (math.nan if end is None else end for end in (check.value, check.low, check.high))
    head = f"{check.where}: {title} {_interval(value, low, high)} on {check.n:,} rows"
    if check.verdict == "pass":
        return f"{head} is {side} {check.bound:g}."
    if check.verdict == "fail":
        return f"{head} is not {side} {check.bound:g}."
    more = f"; about {check.rows_needed:,} rows would decide" if check.rows_needed else ""
    return f"{head} does not show that it is {side} {check.bound:g}{more}."


def _interval(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return "undefined"
    return f"{value:.4f}" + ("" if math.isnan(low) else f" (interval {low:.4f} to {high:.4f})")
