"""What a gate's check is, and how it is said in words."""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.prove.policy import Policy
from assay.stats import Comparisons, minimum_differences, rows_needed

__all__ = ["COMPARISONS", "Check", "Kind", "Verdict", "comparison_checks"]

Verdict = Literal["pass", "fail", "inconclusive"]
Kind = Literal[
    "champion_compare", "slice", "dataset", "bound", "calibration", "fairness", "data", "golden", "size", "latency"
]
COMPARISONS = ("champion_compare", "slice")
OVERALL_NAME = "overall"


class Check(msgspec.Struct, frozen=True, gc=False):
    """One statement the gate tested. Numbers are None where there is none, or where the rows are too few for one;
    P-values are 1 and the margin 0 for what is no comparison.

    `champion_compare` and `slice` compare with the baseline, overall and on a segment, `dataset` on all rows of another
    dataset; `bound` holds a value against an absolute bound; `fairness` a group (as value) against the reference (as
    baseline value); `golden` counts rows whose answer changed or is wrong; the others are what their names say.
    `dataset` is None for the rows the evaluation is about. `remark` is worth saying whatever the verdict. `blocks`:
    while it is inconclusive, the candidate may not pass. `could_see` is the smallest difference the rows could have
    shown with the policy's power. `reason` is the check in words, where it decides or is about
    all rows or a required segment.
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


def comparison_checks(
    found: Comparisons,
    places: Sequence[int],
    names: Sequence[str],
    title: str,
    p_holm: Sequence[float],
    policy: Policy,
    dataset: str | None,
) -> list[Check]:
    """The checks of one metric's comparisons with the baseline on the segments at `places`, with the P-values of harm
    after Holm in the same order.

    `names` are those of all segments; `dataset` is given where it is another than the one the evaluation is about.
    """
    required = set(policy.required) if dataset is None else set()
    at = np.asarray(places, dtype=np.int64)
    # All at once: what a gate costs is thousands of numbers taken out of arrays one at a time.
    given = [_finite_all(getattr(found, name)[at]) for name in ("value", "baseline_value", "delta", "low", "high")]
    exact = [
        getattr(found, name)[at].tolist() for name in ("p_worse", "p_not_worse", "n", "variance_per_row", "method")
    ]
    seen = minimum_differences(found.variance_per_row[at], found.n[at].astype(np.float64), policy.alpha, policy.power)
    checks = []
    for place, p, *numbers in zip(places, p_holm, *given, *exact, _finite_all(seen), strict=True):
        value, baseline_value, delta, low, high, p_worse, p_not_worse, n, variance, method, could_see = numbers
        verdict: Verdict = "inconclusive"
        if p <= policy.alpha:
            verdict = "fail"
        elif p_not_worse <= policy.alpha:
            verdict = "pass"
        segment = names[place]
        overall = segment == OVERALL_NAME
        needed = None
        if verdict == "inconclusive":
            needed = rows_needed(variance, found.margin, alpha=policy.alpha, power=policy.power)
        check = Check(
            kind="dataset" if dataset else "champion_compare" if overall else "slice",
            segment=segment,
            metric=found.metric,
            verdict=verdict,
            n=n,
            required=segment in required,
            blocks=overall or segment in required or policy.on_inconclusive != "warn",
            value=value,
            baseline_value=baseline_value,
            delta=delta,
            low=low,
            high=high,
            p_worse=p_worse,
            p_holm=p,
            p_not_worse=p_not_worse,
            margin=found.margin,
            rows_needed=needed,
            could_see=could_see,
            method=method,
            dataset=dataset,
        )
        if verdict == "fail" or overall or check.required or (verdict == "inconclusive" and check.blocks):
            check = msgspec.structs.replace(check, reason=_words(check, title, policy))
        if verdict == "pass" and high is not None and high < 0:
            check = msgspec.structs.replace(check, remark=_remark(check, title))
        checks.append(check)
    return checks


def _finite_all(values: NDArray[np.float64]) -> list[float | None]:
    return [number if math.isfinite(number) else None for number in values.tolist()]


def _remark(check: Check, title: str) -> str:
    """A proven loss that the policy tolerates passes, and is said: the next one may not be the last."""
    return (
        f"{check.where}: {title} does lose, by {-(check.delta or 0):.4f} ({_range(check)}), "
        f"inside what the policy tolerates."
    )


def _words(check: Check, title: str, policy: Policy) -> str:
    if check.verdict == "fail":
        return (
            f"{check.where}: {title} is proven worse by {-(check.delta or 0):.4f} ({_evidence(check)}; "
            f"p {check.p_holm:.2g} after Holm). More rows will not help; a candidate that does not lose here will."
        )
    if check.verdict == "pass":
        return f"{check.where}: {title} {_change(check)} ({_evidence(check)}): not worse by more than {check.margin:g}."
    if check.method == "not kept":
        return f"{check.where}: {title} cannot be compared in profiles that were added up; evaluate the rows at once."
    if check.low is None and check.n < policy.minimum_n:
        return f"{check.where}: {title} rests on {check.n:,} of the {policy.minimum_n:,} rows it takes; collect more."
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
        f"{check.where}: {title} {_change(check)} ({_evidence(check)}), which neither "
        f"shows it within the margin of {check.margin:g} nor proves harm; {more}"
    )


def _change(check: Check) -> str:
    """What the difference means, whatever the metric's direction."""
    delta = check.delta or 0.0
    if round(delta, 4) == 0:
        return "hardly changes"
    return f"improves by {delta:.4f}" if delta > 0 else f"is worse by {-delta:.4f}"


def _evidence(check: Check) -> str:
    """Interval, rows, and the smallest difference they could have shown with the policy's power."""
    seen = f"; could have seen {check.could_see:.2g}" if check.could_see else ""
    return f"{_range(check)}; {check.n:,} rows{seen}"


def _range(check: Check) -> str:
    if check.low is None or check.high is None:
        return "no interval"
    return f"interval {check.low:+.4f} to {check.high:+.4f}"
