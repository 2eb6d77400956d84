"""Performance estimated before labels are there, under covariate shift only, and whether such estimates were right.

How it is estimated is the task's (`estimating`). Where a monitor of performance looks at the same windows and the same
metric, each of its figures says whether the interval held what came: the back-test. An estimate whose back-test fails
is shown, and alarms nobody.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, Outcome, Window
from assay.operate.monitors.kinds.answers import HoldOut, answers_of, hold_out_of
from assay.operate.monitors.kinds.estimating import CONFIDENCE, FEWEST_LABELLED, checked_metric, estimator_of
from assay.operate.monitors.kinds.past import past_of
from assay.operate.monitors.kinds.performance import MEASURE, tolerance_of
from assay.operate.monitors.kinds.promised import of_hold_out
from assay.operate.monitors.persistence import settled, status_of, told
from assay.record.store import Store
from assay.stats import Metric, metric_named
from assay.stats.estimation import BackTest, Expectation, back_test

__all__ = ["Estimate"]

_UNDER = "estimated under covariate shift only"
_FEWEST = 50  # rows of a segment


class Estimate:
    """The kind `estimate`: of binary and multiclass models by their probabilities, of numbers by labelled answers."""

    matures = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Estimate one window. InvalidInput for a metric that needs labels, and answers that are no probabilities."""
        hold_out = hold_out_of(store, monitor, window)
        answers = answers_of(monitor, window, hold_out)
        name = checked_metric(monitor, answers.task.name)
        if answers.rows < _FEWEST:
            return Outcome(status="no_data", value=None, words=f"{answers.rows} answers are too few for an estimate")
        estimator = estimator_of(store, monitor, window, answers, hold_out, name)
        if estimator is None:
            words = f"{name} is estimated once {FEWEST_LABELLED} earlier answers have labels"
            return Outcome(status="no_data", value=None, words=words)
        metric = metric_named(name, answers.task)
        found = {segment: estimator.of(mask) for segment, mask in answers.masks().items() if mask.sum() >= _FEWEST}
        tested = _back_tested(store, monitor, window, name)
        is_believed = tested.verdict != "fails" and estimator.is_fitted
        findings = [
            _finding(monitor, metric, hold_out, segment, one, basis=estimator.basis, is_believed=is_believed)
            for segment, one in found.items()
            if not math.isnan(one.value)
        ]
        if not findings:
            return Outcome(status="no_data", value=None, words=f"{name} is not defined for these answers")
        findings = settled(store, monitor, findings)
        whole = findings[0]
        moved = told(findings)
        findings.append(_of_back_test(tested, name))
        words = "; ".join(one.words for one in (moved or [whole]))
        if tested.verdict == "fails":
            words = f"{words}; {findings[-1].words}"
        return Outcome(status=status_of(findings[:-1]), value=whole.value, words=words, findings=findings)


def _finding(
    monitor: Monitor,
    metric: Metric,
    hold_out: HoldOut | None,
    segment: str,
    one: Expectation,
    *,
    basis: str,
    is_believed: bool,
) -> Finding:
    shown = f"{metric.name} of {segment} is {one.value:.3f} ({one.low:.3f} to {one.high:.3f}), {_UNDER}, by {basis}"
    plain = Finding(
        subject=metric.name,
        measure="estimate",
        segment=segment,
        state="uncalibrated",
        words=shown,
        value=one.value,
        low=one.low,
        high=one.high,
        rows=one.n,
    )
    if hold_out is None or metric.larger_is_better is None:
        why = "there is no hold-out" if hold_out is None else "no direction is better"
        return msgspec.structs.replace(plain, words=f"{shown}; {why} to hold it against")
    promised = of_hold_out(hold_out, metric, alpha=1 - CONFIDENCE).get(segment)
    if promised is None:
        return msgspec.structs.replace(plain, words=f"{shown}; the hold-out had too few rows of it")
    tolerance = tolerance_of(monitor, metric, promised.mean)
    sign = 1.0 if metric.larger_is_better else -1.0
    bound = promised.worst - sign * tolerance
    nearer = one.high if metric.larger_is_better else one.low
    raised = is_believed and sign * (bound - nearer) > 0.0
    side = "below" if metric.larger_is_better else "above"
    return msgspec.structs.replace(
        plain,
        state="ok" if is_believed else "uncalibrated",
        words=f"{shown}; promised {promised.mean:.3f}, {side} {bound:.3f} would be harm",
        expected=promised.mean,
        bound=bound,
        harm=max(0.0, sign * (promised.mean - one.value)),
        raised=raised,
    )


def _back_tested(store: Store, monitor: Monitor, window: Window, name: str) -> BackTest:
    """Estimates of earlier windows beside what a monitor of performance found of them since."""
    watches = store.query("monitor", {"endpoint": monitor.endpoint, "kind": "performance"})
    where = {
        "monitor_id in": [one["monitor_id"] for one in watches],
        "subject": name,
        "measure": MEASURE,
        "segment": OVERALL_SEGMENT,
    }
    true: Mapping[str, float] = {row["window"]: row["value"] for row in store.query("monitor_finding", where)}
    inside = []
    for past in past_of(store, monitor, window):
        seen = past.found.get((name, OVERALL_SEGMENT, "estimate"))
        if seen and past.window in true and seen.low is not None and seen.high is not None:
            inside.append(seen.low <= true[past.window] <= seen.high)
    return back_test(inside, confidence=CONFIDENCE)


def _of_back_test(tested: BackTest, name: str) -> Finding:
    if not tested.windows:
        words = f"no estimate was tested yet: no monitor of performance knows {name} of the same windows"
    else:
        words = f"{tested.covered} of {tested.windows} windows had their {name} inside the interval"
        if tested.verdict == "fails":
            words += "; estimates without labels are not to be believed here"
    return Finding(
        subject="back-test",
        measure="coverage",
        state={"holds": "ok", "fails": "watch", "unknown": "uncalibrated"}[tested.verdict],  # type: ignore[arg-type]
        words=words,
        value=tested.share if tested.windows else None,
        expected=tested.confidence,
        bound=tested.tolerated,
        low=tested.low if tested.windows else None,
        high=tested.high if tested.windows else None,
        p=tested.p,
        rows=tested.windows,
    )
