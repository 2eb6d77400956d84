"""Performance on labels that are mature: has the model become worse than it was shown to be, and for whom?

Any metric of the model's task that has a direction, on all rows and by segment, by the sequential test of `harm`. All
rows are tested at alpha; the segments together, with Holm, at alpha again. What the change is made of, the traffic that
moved or the model that changed, is said beside it (`attribution`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from assay.errors import InvalidInput
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, FindingState, Outcome, Window
from assay.operate.monitors.kinds.answers import MODEL, Answers, HoldOut, answers_of, hold_out_of, segment_name
from assay.operate.monitors.kinds.attribution import attributed, parts_of
from assay.operate.monitors.kinds.harm import Evidence, Harm, Observed, harm_after, harm_of
from assay.operate.monitors.kinds.past import Past, past_of
from assay.operate.monitors.kinds.promised import FIRST_WINDOWS, Reference, kept_reference, of_hold_out, of_windows
from assay.operate.monitors.persistence import status_of
from assay.record.store import Store
from assay.stats import Estimate, Metric, estimate_all, holm, metric_named, metrics_of

__all__ = ["ALPHA", "DEFAULT_METRICS", "MEASURE", "Performance", "tolerance_of"]

ALPHA = 0.05
DEFAULT_METRICS: Mapping[str, str] = {
    "binary": "auc",
    "multiclass": "accuracy",
    "regression": "mae",
    "quantile": "pinball",
}
_TOLERANCE = 0.02  # of a metric between 0 and 1
_RELATIVE = 0.05  # of any other: this part of the reference


MEASURE = "window"  # of findings that hold the metric of a window


class _Base(TypedDict):
    subject: str
    measure: str
    segment: str
    value: float
    rows: int
    low: float | None
    high: float | None


class Performance:
    """The kind `performance`."""

    matures = True

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:
        """Take the window's metric into the test. `no_data` where too few rows have a label; it then changes nothing.

        InvalidInput for a metric that the task does not have, or that has no better and worse.
        """
        del earlier  # the test remembers more than states
        hold_out = hold_out_of(store, monitor, window)
        answers = answers_of(monitor, window, hold_out)
        metric = _metric(monitor, answers)
        found = _estimates(answers, metric)
        covered = _coverage(answers)
        whole = found.get(OVERALL_SEGMENT)
        if whole is None:
            return Outcome(
                status="no_data",
                value=None,
                words=f"too few rows have a label for {metric.name}: {covered.words}",
                findings=[covered],
            )
        past = past_of(store, monitor, window)
        alpha = monitor.definition.alpha or ALPHA
        references = _references(store, monitor, hold_out, metric, alpha) or _first(past, metric, alpha)
        judged = [
            _judged(metric, segment, one, references.get(segment), monitor, past) for segment, one in found.items()
        ]
        findings = _settled(judged, metric, alpha)
        parts = parts_of(answers, metric)
        said = attributed(parts, hold_out, [one.detail for one in past])
        overall = findings[0]
        status = status_of(findings)
        words = "; ".join([one.words for one in findings if one.state == "drift"] or [overall.words])
        return Outcome(
            status=status,
            value=overall.value,
            words="; ".join([words, *(one.words for one in said[:1] if status in ("watch", "alarm"))]),
            findings=[*findings, covered, *said],
            detail={"parts": parts, "metric": metric.name, "labelled": int(answers.known.sum())},
        )


def tolerance_of(monitor: Monitor, metric: Metric, mean: float) -> float:
    """What is agreed to be unimportant: what the monitor says, else 0.02, or a twentieth of a metric without bounds."""
    if monitor.definition.tolerance is not None:
        return monitor.definition.tolerance
    return _TOLERANCE if metric.bounds == (0.0, 1.0) else _RELATIVE * abs(mean)


def _metric(monitor: Monitor, answers: Answers) -> Metric:
    name = monitor.definition.metric or DEFAULT_METRICS[answers.task.name]
    metric = metric_named(name, answers.task)
    best = metric.bounds[1] if metric.larger_is_better else metric.bounds[0]
    if metric.larger_is_better is None or not math.isfinite(best):
        raise InvalidInput(
            f"{name} has no best value, so nothing can be proven to be worse",
            where=f"monitor {monitor.name}",
            expected="a metric with a direction, such as auc, log_loss, brier, accuracy, mae or rmse",
        )
    return metric


def _estimates(answers: Answers, metric: Metric) -> dict[str, Estimate]:
    """The metric with an interval, by segment, where enough rows carry it; all rows first."""
    if not answers.known.any():
        return {}
    found = estimate_all(answers.profile(), MODEL, metric)
    every = {segment_name(segment): found.at(place) for place, segment in enumerate(found.segments)}
    return {
        name: one
        for name, one in every.items()
        if not math.isnan(one.value) and one.method != "too small" and one.n >= metric.minimum
    }


def _coverage(answers: Answers) -> Finding:
    known = int(answers.known.sum())
    share = known / answers.rows if answers.rows else 0.0
    missing = answers.rows - known
    words = f"{known:,} of {answers.rows:,} answers have a label"
    if missing:
        words += f", {missing:,} never got one so far"
    return Finding(
        subject="labels", measure="coverage", state="ok" if known else "no_data", words=words, value=share, rows=known
    )


def _references(
    store: Store, monitor: Monitor, hold_out: HoldOut | None, metric: Metric, alpha: float
) -> dict[str, Reference]:
    kept = kept_reference(store, monitor)
    if kept or hold_out is None or metric.name not in _names_of(hold_out):
        return kept
    return of_hold_out(hold_out, metric, alpha=alpha / 2)


def _names_of(hold_out: HoldOut) -> set[str]:
    return set(metrics_of(hold_out.profile.task))


def _first(past: Sequence[Past], metric: Metric, alpha: float) -> dict[str, Reference]:
    """The first windows are the reference where there is no other; they are then no observations."""
    first = [one for one in past if one.value(metric.name, OVERALL_SEGMENT, MEASURE) is not None][:FIRST_WINDOWS]
    if len(first) < FIRST_WINDOWS:
        return {}
    segments = {segment for one in first for subject, segment, _ in one.found if subject == metric.name}
    found = {}
    for segment in segments:
        values = [value for one in first if (value := one.value(metric.name, segment, MEASURE)) is not None]
        if len(values) == FIRST_WINDOWS:
            found[segment] = of_windows(
                values, bool(metric.larger_is_better), alpha=alpha / 2, origin=f"the first {FIRST_WINDOWS} windows"
            )
    return found


def _judged(
    metric: Metric,
    segment: str,
    one: Estimate,
    reference: Reference | None,
    monitor: Monitor,
    past: Sequence[Past],
) -> tuple[str, Estimate, Reference | None, Harm | None, Evidence | None]:
    if reference is None:
        return segment, one, None, None, None
    harm = harm_of(reference, metric, tolerance_of(monitor, metric, reference.mean))
    if harm is None:
        return segment, one, reference, None, None
    windows = [
        Observed(found.value, found.low, found.high)
        for seen in past
        if (found := seen.found.get((metric.name, segment, MEASURE))) is not None and found.value is not None
    ]
    if reference.origin.startswith("the first"):
        windows = windows[reference.windows :]
    return segment, one, reference, harm, harm_after(harm, [*windows, Observed(one.value, one.low, one.high)])


def _settled(
    judged: Sequence[tuple[str, Estimate, Reference | None, Harm | None, Evidence | None]], metric: Metric, alpha: float
) -> list[Finding]:
    """Findings with P-values adjusted: all rows as they are, segments by Holm over segments."""
    parts = [evidence.p for segment, *_, evidence in judged if evidence is not None and segment != OVERALL_SEGMENT]
    adjusted = iter(holm(parts))
    findings = []
    for segment, one, reference, harm, evidence in judged:
        shown = f"{metric.name} of {segment} is {one.value:.3f}"
        base = _Base(
            subject=metric.name,
            measure=MEASURE,
            segment=segment,
            value=one.value,
            rows=one.n,
            low=_or_none(one.low),
            high=_or_none(one.high),
        )
        if reference is None or harm is None or evidence is None:
            why = "there is nothing yet to hold it against" if reference is None else "it cannot become worse"
            findings.append(Finding(state="uncalibrated", words=f"{shown}; {why}", **base))
            continue
        p = evidence.p if segment == OVERALL_SEGMENT else next(adjusted)
        ends = [end for end in (one.low, one.high) if not math.isnan(end)]
        is_beyond = bool(ends) and all(harm.is_worse(end) for end in ends)
        state: FindingState = "drift" if p <= alpha / 2 else "watch" if is_beyond else "ok"
        findings.append(
            Finding(
                state=state,
                words=_words(metric, segment, shown, reference, harm, evidence, state),
                expected=reference.mean,
                bound=harm.limit,
                p=p,
                harm=max(0.0, harm.loss(one.value) - harm.loss(reference.mean)),
                raised=is_beyond,
                **base,
            )
        )
    return findings


def _words(
    metric: Metric, segment: str, shown: str, reference: Reference, harm: Harm, evidence: Evidence, state: str
) -> str:
    side = "below" if harm.larger_is_better else "above"
    if state == "drift":
        return (
            f"{metric.name} of {segment} is proven {side} {harm.limit:.3f} (promised {reference.mean:.3f} by "
            f"{reference.origin}), after {evidence.windows} windows"
        )
    if state == "watch":
        return f"{shown}, {side} {harm.limit:.3f} in this window; not proven yet over {evidence.windows} windows"
    return f"{shown}, promised {reference.mean:.3f} by {reference.origin}; {side} {harm.limit:.3f} would be harm"


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
