"""Calibration on mature labels: do as many come true as the model said, and are its probabilities spread rightly?

In the large: mean label minus mean answer. Its error in a window is the larger of what independent rows give,
√Σp(1−p)/n, and what the parts of the window in time show, since a day is right or wrong together. A window that is
surprisingly far, and further than the tolerance, is watched; it alarms by persistence, or once the mean over all
windows is proven to be beyond the tolerance on one side, by betting as in `harm`, at alpha. The slope of the logistic
recalibration says whether answers are too extreme (below 1) or too timid.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, Outcome, Window
from assay.operate.monitors.kinds.answers import Answers, answers_of, hold_out_of
from assay.operate.monitors.kinds.past import Past, past_of
from assay.operate.monitors.persistence import settled, status_of, words_of
from assay.record.store import Store
from assay.stats import BettingTest, benjamini_hochberg, normal

__all__ = ["ALPHA", "TOLERANCE", "Calibration", "logistic_slope", "offset"]

ALPHA = 0.01
TOLERANCE = 0.05  # of mean label minus mean answer; of numbers, a twentieth of the labels' spread
_SLOPES = (0.8, 1.25)  # between them a slope is as good as 1
_FEWEST = 20
_FEWEST_PARTS = 6
_STEPS = 30


class Calibration:
    """The kind `calibration`, of models that answer probabilities or numbers."""

    matures = True

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window. InvalidInput for a model that answers classes."""
        answers = answers_of(monitor, window, hold_out_of(store, monitor, window))
        if answers.task.name not in ("binary", "regression"):
            raise InvalidInput(
                f"calibration of a {answers.task.name} model", expected="a binary model's probabilities, or numbers"
            )
        tolerance = _tolerance(monitor, answers)
        found = {
            name: kept for name, mask in answers.masks().items() if (kept := mask & answers.known).sum() >= _FEWEST
        }
        if OVERALL_SEGMENT not in found:
            return Outcome(status="no_data", value=None, words="too few rows have a label to say how right answers are")
        seen = {name: offset(answers, kept) for name, kept in found.items()}
        p_values = [_p_beyond(off, error, tolerance, freedom) for off, error, freedom in seen.values()]
        adjusted = benjamini_hochberg(p_values)
        alpha = monitor.definition.alpha or ALPHA
        findings = []
        for (name, (off, error, freedom)), p, together in zip(seen.items(), p_values, adjusted, strict=True):
            reach = normal.t_quantile(1 - alpha / 2, freedom) * error
            findings.append(
                Finding(
                    subject="calibration",
                    measure="in the large",
                    segment=name,
                    state="ok",
                    words=_words(answers, name, off, found[name]),
                    value=off,
                    expected=0.0,
                    bound=math.copysign(tolerance, off),
                    low=off - reach,
                    high=off + reach,
                    p=together,
                    harm=abs(off),
                    rows=int(found[name].sum()),
                    raised=p <= alpha and together <= max(alpha, 0.05),
                )
            )
        findings = settled(store, monitor, findings)
        if answers.task.name == "binary":
            proven = _over_windows(past_of(store, monitor, window), findings[0], tolerance, alpha)
            findings += [*([proven] if proven else []), *_slope(answers, alpha)]
        return Outcome(
            status=status_of(findings),
            value=findings[0].value,
            words=words_of(findings),
            findings=findings,
        )


def offset(answers: Answers, kept: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Mean label minus mean answer of the rows that are `kept`, its standard error and the degrees of freedom."""
    p, y = answers.outputs[kept], answers.labels[kept]
    off, n = y - p, len(y)
    mean = float(off.mean())
    variance = float((p * (1 - p)).sum()) if answers.task.name == "binary" else float(((off - mean) ** 2).sum())
    by_rows = math.sqrt(variance) / n
    _, place = np.unique(answers.place[kept], return_inverse=True)
    parts = int(place.max()) + 1
    if parts < _FEWEST_PARTS:
        return mean, by_rows, float(n - 1)
    sums = np.bincount(place, weights=off - mean)
    by_parts = math.sqrt(float((sums**2).sum()) * parts / (parts - 1)) / n
    return mean, max(by_rows, by_parts), float(parts - 1 if by_parts > by_rows else n - 1)


def logistic_slope(p: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """The slope b of logit P(y) = a + b·logit p, and its standard error, by Newton's method (Cox 1958).

    NaN where the labels or the answers do not vary, or where they separate.
    """
    x = np.log(np.clip(p, 1e-9, 1 - 1e-9)) - np.log1p(-np.clip(p, 1e-9, 1 - 1e-9))
    if y.min() == y.max() or x.min() == x.max():
        return math.nan, math.nan
    design = np.stack([np.ones_like(x), x], axis=1)
    beta = np.array([0.0, 1.0])
    for _ in range(_STEPS):
        fitted = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -500, 500)))
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        if np.linalg.cond(information) > 1e12:
            return math.nan, math.nan
        step = np.linalg.solve(information, design.T @ (y - fitted))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            return float(beta[1]), math.sqrt(float(np.linalg.inv(information)[1, 1]))
    return math.nan, math.nan


def _tolerance(monitor: Monitor, answers: Answers) -> float:
    if monitor.definition.tolerance is not None:
        return monitor.definition.tolerance
    if answers.task.name == "binary" or not answers.known.any():
        return TOLERANCE
    return TOLERANCE * float(np.std(answers.labels[answers.known]))


def _p_beyond(off: float, error: float, tolerance: float, freedom: float) -> float:
    """P(as far | truly within the tolerance)."""
    if error == 0.0:
        return float(abs(off) <= tolerance)
    return min(1.0, 2.0 * normal.t_upper_tail((abs(off) - tolerance) / error, freedom))


def _over_windows(past: Sequence[Past], now: Finding, tolerance: float, alpha: float) -> Finding | None:
    """Whether the mean over windows is proven to be beyond the tolerance, above or below; alpha/2 each."""
    if not 0.0 < (1.0 + tolerance) / 2.0 < 1.0 or now.value is None:
        return None
    up, down = BettingTest((1.0 + tolerance) / 2.0), BettingTest((1.0 + tolerance) / 2.0)
    earlier = [one.value("calibration", OVERALL_SEGMENT, "in the large") for one in past]
    for off in [*(one for one in earlier if one is not None), now.value]:
        up.update(min(1.0, max(0.0, (1.0 + off) / 2.0)))
        down.update(min(1.0, max(0.0, (1.0 - off) / 2.0)))
    p = min(1.0, 2.0 * min(up.p_value, down.p_value))
    side = "more" if up.p_value < down.p_value else "less"
    is_proven = p <= alpha
    words = f"over {up.n} windows {side} come true than was said, by over {tolerance:.3f}: "
    return Finding(
        subject="calibration",
        measure="over windows",
        state="drift" if is_proven else "ok",
        words=words + ("proven" if is_proven else "not proven"),
        p=p,
    )


def _slope(answers: Answers, alpha: float) -> list[Finding]:
    p, y = answers.outputs[answers.known], answers.labels[answers.known]
    slope, error = logistic_slope(p, y)
    if math.isnan(slope):
        return []
    reach = normal.critical_value(1 - alpha) * error
    low, high = slope - reach, slope + reach
    is_off = high < _SLOPES[0] or low > _SLOPES[1]
    kind = "too extreme" if slope < 1 else "too timid"
    words = f"the slope of calibration is {slope:.2f} ({low:.2f} to {high:.2f})"
    return [
        Finding(
            subject="calibration",
            measure="slope",
            state="watch" if is_off else "ok",
            words=f"{words}: answers are {kind}" if is_off else words,
            value=slope,
            expected=1.0,
            bound=_SLOPES[0] if slope < 1 else _SLOPES[1],
            low=low,
            high=high,
            harm=abs(math.log(slope)) if slope > 0 else None,
            rows=len(y),
        )
    ]


def _words(answers: Answers, segment: str, off: float, kept: NDArray[np.bool_]) -> str:
    said, true = float(answers.outputs[kept].mean()), float(answers.labels[kept].mean())
    return f"of {segment} {true:.3f} came true where {said:.3f} was said ({off:+.3f})"
