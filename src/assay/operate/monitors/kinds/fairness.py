"""Fairness on mature labels: are rates of the model the same for all groups, within the bound agreed?

Three answers for each group and rate, as at the gate: proven to be beyond the bound (with Holm over all groups and
rates of the window), shown to be within it, or neither. A group too small for a rate is said to be small; its rate is
no finding, however far it is.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from assay.errors import InvalidInput
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Finding, FindingState, Outcome, Window
from assay.operate.monitors.kinds.answers import MODEL, answers_of, hold_out_of
from assay.operate.monitors.persistence import settled, status_of, told
from assay.record.store import Store
from assay.stats import GROUP_RATES, GroupGap, Interval, group_gaps, judged_together, newcombe_independent

__all__ = ["ALPHA", "BOUND", "SMALL", "Fairness"]

ALPHA = 0.05
BOUND = 0.1  # of a gap, where the monitor says no tolerance
SMALL = 100  # rows of a group, below which its rate may be far by chance alone
_RATES = ("recall", "fpr")
_STATE: Mapping[str, FindingState] = {"pass": "ok", "fail": "watch", "inconclusive": "ok"}


class Fairness:
    """The kind `fairness`: `segments` are the groups, `metric` one rate (recall and false positive rate where none)."""

    matures = True

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window. InvalidInput without groups, for a model that is not binary, and for other metrics."""
        definition = monitor.definition
        if not definition.segments:
            raise InvalidInput(
                "fairness between which groups?", where=f"monitor {monitor.name}", expected='segments = ["sex"]'
            )
        answers = answers_of(monitor, window, hold_out_of(store, monitor, window))
        if answers.task.name != "binary":
            raise InvalidInput(f"fairness of a {answers.task.name} model", expected="a binary model")
        if definition.metric is not None and definition.metric not in GROUP_RATES:
            raise InvalidInput(
                f"{definition.metric} is no rate of groups",
                where=f"monitor {monitor.name}",
                expected=", ".join(GROUP_RATES),
            )
        if not answers.known.any():
            return Outcome(status="no_data", value=None, words="no row has a label")
        profile = answers.profile()
        bound = BOUND if definition.tolerance is None else definition.tolerance
        alpha = definition.alpha or ALPHA
        rates = (definition.metric,) if definition.metric else _RATES
        gaps = [
            one
            for column in definition.segments
            for rate in rates
            for one in group_gaps(profile, MODEL, rate, column, gap=bound, alpha=alpha)
        ]
        large = judged_together([one for one in gaps if not _is_small(one)], alpha)
        findings = settled(store, monitor, [_finding(one) for one in large])
        findings += [_small(one) for one in gaps if _is_small(one)]
        widest = max(large, key=lambda one: abs(one.gap), default=None)
        moved = told(findings)
        if widest is None:
            words = "every group is too small to be compared" if gaps else "there is one group only"
        elif moved:
            words = "; ".join(one.words for one in moved)
        else:
            words = f"no gap is proven to be beyond {bound:g}; the widest: {_said(widest)}"
        return Outcome(
            status=status_of(findings),
            value=None if widest is None else abs(widest.gap),
            words=words,
            findings=findings,
            detail={"verdicts": [[one.group.name, one.metric, one.verdict] for one in large]},
        )


def _is_small(one: GroupGap) -> bool:
    return min(one.n, one.reference_n) < SMALL or one.method == "too small"


def _finding(one: GroupGap) -> Finding:
    interval = _interval(one)
    ends = {"pass": "within", "fail": "proven beyond", "inconclusive": "neither shown within nor beyond"}
    return Finding(
        subject=one.metric,
        measure="gap",
        segment=one.group.name,
        state=_STATE[one.verdict],
        words=f"{_said(one)}, {ends[one.verdict]} {one.bound:g}",
        value=_known(one.gap),
        expected=0.0,
        bound=one.bound,
        low=_known(interval.low),
        high=_known(interval.high),
        p=_known(one.p_holm),
        harm=max(0.0, abs(one.gap) - one.bound) * one.n,  # rows that have another answer than at the bound
        rows=one.n,
        raised=one.verdict == "fail",
    )


def _small(one: GroupGap) -> Finding:
    found = _finding(one)
    rows = min(one.n, one.reference_n)
    words = f"{one.metric} of {one.group.name} rests on {rows} rows, which is too small a group to be judged"
    return msgspec.structs.replace(found, state="no_data", raised=False, words=words, harm=None, p=None)


def _interval(one: GroupGap) -> Interval:
    """Newcombe's, at 95 %, for a difference of rates; a mean has its own."""
    if one.metric == "calibration_in_the_large" or not one.n or not one.reference_n:
        return Interval(one.low, one.high)
    first, second = round(one.value * one.n), round(one.reference_value * one.reference_n)
    return newcombe_independent(first, one.n, second, one.reference_n)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _said(one: GroupGap) -> str:
    return (
        f"{one.metric} of {one.group.name} is {one.value:.3f}, of {one.reference.name} {one.reference_value:.3f} "
        f"(gap {one.gap:+.3f})"
    )
