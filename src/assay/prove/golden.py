"""Examples that must not change: every row's answer beside the baseline's and the label, counted."""

from assay.errors import InvalidInput
from assay.prove.checks import OVERALL_NAME, Check, Verdict
from assay.prove.policy import GoldenSet
from assay.stats import Profile

__all__ = ["golden_checks"]


def golden_checks(profile: Profile, candidate: str, baseline: str, golden: GoldenSet) -> list[Check]:
    """How many rows of the golden set are answered otherwise than by the baseline, and how many wrongly.

    Both are counts and no samples: within the limit passes, beyond it fails, and what rows without a label could hide
    is inconclusive. Answers are those at the thresholds of the evaluation.

    Raises InvalidInput for models that do not answer with yes or no, and for changes where there is no baseline.
    """
    totals = profile.totals()
    if f"tp/{candidate}" not in totals:
        raise InvalidInput(
            f"the golden set {golden.dataset!r} holds no answers of yes or no",
            expected="an evaluation of binary classification",
            hint="bound a metric with at_least under [metrics] and name the dataset under [datasets]",
        )
    if totals.weighted:
        raise InvalidInput("the rows have weights, and a golden set is counted example by example")
    checks = []
    limits = {"changed": golden.maximum_changed, "wrong": golden.maximum_wrong}
    for metric, limit in limits.items():
        if limit is None:
            continue
        if metric == "changed" and baseline not in profile.models:
            raise InvalidInput(
                "the golden set bounds changed answers, and the evaluation has no baseline",
                hint="evaluate with baseline=, or bound wrong answers with maximum_wrong",
            )
        if metric == "changed":
            count = 0  # one says yes and the other no
            for kind in ("tp", "fp"):
                one, other = totals.count(kind, candidate), totals.count(kind, baseline)
                count += int((one + other - 2 * totals.count(kind, candidate, baseline))[0])
        else:
            count = int((totals.count("positive") - totals.count("tp", candidate) + totals.count("fp", candidate))[0])
        checks.append(_check(golden.dataset, metric, count, limit, profile))
    return checks


def _check(dataset: str, metric: str, count: int, limit: int, profile: Profile) -> Check:
    unlabelled = profile.n_rows - profile.n_labelled
    verdict: Verdict = "pass"
    if count > limit:
        verdict = "fail"
    elif (unlabelled and count + unlabelled > limit) or not profile.n_rows:
        verdict = "inconclusive"
    what = {"changed": "answered otherwise than by the baseline", "wrong": "answered wrongly"}[metric]
    are = "is" if count == 1 else "are"
    hidden = f" {unlabelled:,} more have no label and cannot be told." if unlabelled else ""
    return Check(
        kind="golden",
        segment=OVERALL_NAME,
        metric=metric,
        verdict=verdict,
        n=profile.n_labelled,
        blocks=True,
        value=float(count),
        bound=float(limit),
        method="counted",
        dataset=dataset,
        reason=f"golden set {dataset}: {count:,} of {profile.n_labelled:,} examples {are} {what}; the policy allows "
        f"{limit:,}.{hidden}",
    )
