"""What a gate's check is, and how it is said in words."""

import math
from typing import Literal

import msgspec

from assay.prove.policy import Policy
from assay.stats import Comparison, minimum_difference, rows_needed

__all__ = ["COMPARISONS", "Check", "Kind", "Verdict", "comparison_check", "finite"]

Verdict = Literal["pass", "fail", "inconclusive"]
Kind = Literal[
    "champion_compare", "slice", "dataset", "bound", "calibration", "fairness", "data", "golden", "size", "latency"
]
COMPARISONS = ("champion_compare", "slice")
OVERALL_NAME = "overall"


class Check(msgspec.Struct, frozen=True):
    """One statement the gate tested. Numbers are None where there is none, or where the rows are too few for one;
    P-values are 1 and the margin 0 for what is no comparison.

    `champion_compare` and `slice` compare with the baseline, overall and on a segment, `dataset` on all rows of another
    dataset; `bound` holds a value against an absolute bound; `fairness` a group (as value) against the reference (as
    baseline value); `golden` counts rows whose answer changed or is wrong; the others are what their names say.
    `dataset` is None for the rows the evaluation is about. `remark` is worth saying whatever the verdict. `blocks`:
    while it is inconclusive, the candidate may not pass. `could_see` is the smallest difference the rows could have
    shown with the policy's power. `reason` is the check in words.
    """

    kind: Kind
    segment: str
    metric: str
    verdict: Verdict
    n: int
    required: bool = False
    blocks: bool = False
    value: float | None = None
    baseline_value: float | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p_worse: float = 1.0
    p_holm: float = 1.0
    p_not_worse: float = 1.0
    margin: float = 0.0
    bound: float | None = None
    rows_needed: int | None = None
    could_see: float | None = None
    method: str = ""
    reason: str = ""
    dataset: str | None = None
    remark: str | None = None

    @property
    def where(self) -> str:
        """The rows in words: a segment, or one of another dataset."""
        return self.segment if self.dataset is None else f"{self.segment} of {self.dataset}"


def finite(value: float) -> float | None:
    """The value, or None for one that is not a number."""
    return float(value) if math.isfinite(value) else None


def comparison_check(
    comparison: Comparison, title: str, p_holm: float, policy: Policy, dataset: str | None = None
) -> Check:
    """The check of one comparison with the baseline, on a segment or on all rows of another dataset."""
    verdict: Verdict = "inconclusive"
    if p_holm <= policy.alpha:
        verdict = "fail"
    elif comparison.p_not_worse <= policy.alpha:
        verdict = "pass"
    segment = comparison.segment.name
    required = segment in policy.required and dataset is None
    overall = segment == OVERALL_NAME
    needed = rows_needed(comparison.variance_per_row, comparison.margin, alpha=policy.alpha, power=policy.power)
    seen = minimum_difference(comparison.variance_per_row, comparison.n, alpha=policy.alpha, power=policy.power)
    check = Check(
        kind="dataset" if dataset else "champion_compare" if overall else "slice",
        segment=segment,
        metric=comparison.metric,
        verdict=verdict,
        n=comparison.n,
        required=required,
        blocks=overall or required or policy.on_inconclusive != "warn",
        value=finite(comparison.value),
        baseline_value=finite(comparison.baseline_value),
        delta=finite(comparison.delta),
        low=finite(comparison.low),
        high=finite(comparison.high),
        p_worse=comparison.p_worse,
        p_holm=p_holm,
        p_not_worse=comparison.p_not_worse,
        margin=comparison.margin,
        rows_needed=needed if verdict == "inconclusive" else None,
        could_see=finite(seen),
        method=comparison.method,
        dataset=dataset,
    )
    return msgspec.structs.replace(check, reason=_words(check, title, policy), remark=_remark(check, title))


def _remark(check: Check, title: str) -> str | None:
    """A proven loss that the policy tolerates passes, and is said: the next one may not be the last."""
    if check.verdict != "pass" or check.high is None or check.high >= 0:
        return None
    return (
        f"{check.where}: {title} does lose, by {-(check.delta or 0):.4f} ({_range(check)}), "
        f"inside what the policy tolerates."
    )


def _words(check: Check, title: str, policy: Policy) -> str:
    if check.verdict == "fail":
        return (
            f"{check.where}: {title} is proven worse by {-(check.delta or 0):.4f} ({_evidence(check)}; "
            f"p {check.p_holm:.1e} after Holm). More rows will not help; a candidate that does not lose here will."
        )
    if check.verdict == "pass":
        return (
            f"{check.where}: {title} changes by {check.delta or 0:+.4f} ({_evidence(check)}):"
            f" not worse by more than {check.margin:g}."
        )
    if check.method == "not kept":
        return f"{check.where}: {title} cannot be compared in profiles that were added up; evaluate the rows at once."
    if check.delta is None or check.rows_needed is None:
        return f"{check.where}: {title} cannot be compared on {check.n:,} rows; collect more."
    decided = f"(power {policy.power:.0%}, if the true difference is 0)"
    if check.low is None and check.n >= policy.minimum_n:
        more = "the rows belong to too few units, or too few of them count for the metric; collect more of them."
    elif check.rows_needed > check.n:
        more = f"about {check.rows_needed:,} rows would decide {decided}"
        canary = ", which a canary or a shadow can collect" if policy.on_inconclusive == "canary" else ""
        more += f"{canary}."
    else:
        more = f"{check.rows_needed:,} rows should have decided {decided}, so the candidate may be somewhat worse."
    return (
        f"{check.where}: {title} changes by {check.delta:+.4f} ({_evidence(check)}), which neither "
        f"shows it within the margin of {check.margin:g} nor proves harm; {more}"
    )


def _evidence(check: Check) -> str:
    """Interval, rows, and the smallest difference they could have shown with the policy's power."""
    seen = f"; could have seen {check.could_see:.2g}" if check.could_see else ""
    return f"{_range(check)}; {check.n:,} rows{seen}"


def _range(check: Check) -> str:
    if check.low is None or check.high is None:
        return "no interval"
    return f"interval {check.low:+.4f} to {check.high:+.4f}"
