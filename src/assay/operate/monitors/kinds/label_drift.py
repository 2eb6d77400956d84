"""Label drift: whether outcomes are as frequent, or as large, as they were; inputs may say nothing of it.

A window's mean label (the share of a class) is predicted from reference windows of its season: from six on by
Student's t over windows, so that what windows usually move by is no drift. With fewer, the days within the windows say
how far a mean moves by itself. As with inputs, two conditions: a surprise, and large enough to matter.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, Outcome, Window
from assay.operate.monitors.kinds.answers import Answers, answers_of, hold_out_of
from assay.operate.monitors.kinds.past import Past, past_of
from assay.operate.monitors.persistence import settled, status_of, words_of
from assay.record.store import Store
from assay.stats import Task, benjamini_hochberg, normal
from assay.stats.drift import ALPHA, MINIMUM_WINDOWS, same_season

__all__ = ["FALSE_SHARE", "FLOOR_OF_SHARES", "FLOOR_OF_SPREADS", "LabelDrift", "Part", "prediction"]

FLOOR_OF_SHARES = 0.05  # a share of positives that moves by less is not told
FLOOR_OF_SPREADS = 0.2  # the same of numbers, in standard deviations of the label
FALSE_SHARE = 0.05
_MOST_WINDOWS = 60  # the newest that are compared with
_FEWEST = 20  # labels in a window, fewer say nothing
_FEWEST_BLOCKS = 6


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A window's labels of one subject in one segment: rows, their sum and squares, and both by part of the window."""

    rows: float
    total: float
    squares: float
    blocks: list[tuple[float, float]]

    @property
    def mean(self) -> float:
        """The mean label."""
        return self.total / self.rows

    @property
    def variance(self) -> float:
        """Of a label within the window."""
        return max(0.0, self.squares / self.rows - self.mean**2)

    def squared_error(self) -> float:
        """The variance of the mean: of independent blocks of time where there are enough, at least that of rows."""
        by_rows = self.variance / self.rows
        if len(self.blocks) < _FEWEST_BLOCKS:
            return by_rows
        rows, totals = np.array(self.blocks).T
        off = totals - self.mean * rows
        held_together = 1.0 + 2.0 * max(0.0, _correlation(off))  # a day is like the one before
        count = len(off)
        return max(by_rows, float((off**2).sum()) * count / (count - 1) * held_together / self.rows**2)


class _Base(TypedDict):
    subject: str
    measure: str
    segment: str
    value: float
    rows: int


class LabelDrift:
    """The kind `label_drift`."""

    matures = True

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:
        """Compare the window's labels with those of reference windows; it is one itself if nothing is found."""
        del earlier  # states by segment are what counts
        answers = answers_of(monitor, window, hold_out_of(store, monitor, window))
        parts = _parts(answers)
        if not parts:
            return Outcome(status="no_data", value=None, words="too few rows have a label to say how labels are")
        past = past_of(store, monitor, window)
        reference, says = _reference(monitor, window, past)
        judged = [
            (subject, segment, part, prediction(part, _of(reference, subject, segment), answers.task, monitor))
            for (subject, segment), part in parts.items()
        ]
        findings = settled(store, monitor, _findings(judged, says, answers.task, monitor))
        return Outcome(
            status=status_of(findings),
            value=findings[0].value,
            words=words_of(findings),
            findings=findings,
            detail={"labels": [[*key, msgspec.to_builtins(part)] for key, part in parts.items()]},
        )


class Predicted(msgspec.Struct, frozen=True):
    """What a window's mean label should be: between `low` and `high`, and how surprising what came is."""

    expected: float
    low: float
    high: float
    p: float
    method: str
    far_enough: bool


def prediction(part: Part, reference: Sequence[Part], task: Task, monitor: Monitor) -> Predicted | None:
    """One window's mean predicted from others at the monitor's alpha, two-sided; None where there is nothing to go by.

    With K windows or more: m ± t·s·√(1 + 1/K), on the logit scale for shares; s is the standard deviation between
    windows, and at least what chance within them gives. With fewer: the sum of both means' errors by blocks of time.
    """
    if not reference:
        return None
    alpha = monitor.definition.alpha or ALPHA
    is_share = task.name in ("binary", "multiclass")
    rows = sum(one.rows for one in reference)
    expected = sum(one.total for one in reference) / rows
    if len(reference) >= MINIMUM_WINDOWS:
        values = np.array([_scaled(one, is_share) for one in reference])
        by_chance = math.sqrt(float(np.mean([_chance(one, is_share) for one in (*reference, part)])))
        spread = max(float(values.std(ddof=1)), by_chance) * math.sqrt(1.0 + 1.0 / len(values))
        centre, freedom, method = float(values.mean()), len(values) - 1.0, f"{len(values)} windows"
        t = (_scaled(part, is_share) - centre) / spread if spread > 0.0 else _sign(part.mean - expected)
    elif min(len(part.blocks), sum(len(one.blocks) for one in reference)) >= _FEWEST_BLOCKS:
        spread = math.sqrt(_pooled_error(reference, rows) + part.squared_error())
        freedom = min(len(part.blocks), sum(len(one.blocks) for one in reference)) - 1.0
        centre, method = expected, "days within windows"
        t = (part.mean - expected) / spread if spread > 0.0 else _sign(part.mean - expected)
        is_share = False
    else:
        return None
    reach = normal.t_quantile(1.0 - alpha / 2.0, freedom) * spread
    low, high = (_unscaled(centre + side * reach, is_share) for side in (-1.0, 1.0))
    p = min(1.0, 2.0 * normal.t_upper_tail(abs(t), freedom)) if math.isfinite(t) else 0.0
    return Predicted(
        _unscaled(centre, is_share), low, high, p, method, _is_far(part.mean - expected, reference, task, monitor)
    )


def _is_far(shift: float, reference: Sequence[Part], task: Task, monitor: Monitor) -> bool:
    if task.name in ("binary", "multiclass"):
        return abs(shift) >= (FLOOR_OF_SHARES if monitor.definition.floor is None else monitor.definition.floor)
    variance = sum(one.variance * one.rows for one in reference) / sum(one.rows for one in reference)
    floor = FLOOR_OF_SPREADS if monitor.definition.floor is None else monitor.definition.floor
    return abs(shift) >= floor * math.sqrt(variance)


def _findings(
    judged: Sequence[tuple[str, str, Part, Predicted | None]], says: str, task: Task, monitor: Monitor
) -> list[Finding]:
    """What the window itself shows, with P-values adjusted for all that was looked at (Benjamini-Hochberg)."""
    adjusted = iter(benjamini_hochberg([one.p for *_, one in judged if one is not None]))
    alpha = monitor.definition.alpha or ALPHA
    measure = "share" if task.name in ("binary", "multiclass") else "mean"
    findings = []
    for subject, segment, part, one in judged:
        shown = f"{_called(subject, task)} of {segment} is {part.mean:.3f}"
        base = _Base(subject=subject, measure=measure, segment=segment, value=part.mean, rows=int(part.rows))
        if one is None:
            words = f"{shown}; there are too few windows to know what is usual"
            findings.append(Finding(state="uncalibrated", words=words, **base))
            continue
        p = next(adjusted)
        raised = one.far_enough and one.p <= alpha and p <= max(FALSE_SHARE, alpha)
        findings.append(
            Finding(
                state="watch" if raised else "ok",
                words=f"{shown}, usual of {says} is {one.low:.3f} to {one.high:.3f} ({one.method})",
                expected=one.expected,
                bound=one.high if part.mean >= one.expected else one.low,
                low=one.low,
                high=one.high,
                p=p,
                harm=abs(part.mean - one.expected),
                raised=raised,
                **base,
            )
        )
    return findings


def _reference(monitor: Monitor, window: Window, past: Sequence[Past]) -> tuple[list[Past], str]:
    """The windows of the season of this one, and what they have in common; those in which nothing was found, where
    they are enough to know what is usual."""
    alike, says = [one for one in past if one.detail.get("labels")], "all windows"
    if monitor.definition.season != "none":
        season = same_season([datetime.fromisoformat(str(one.started)) for one in alike], window.started)
        alike, says = [alike[place] for place in season.places], season.says
    calm = [one for one in alike if not any(seen.raised for seen in one.found.values())]
    has_days = any(len(part.blocks) >= _FEWEST_BLOCKS for part in _of(calm, *_first_key(calm)))
    return (calm if has_days or len(calm) >= MINIMUM_WINDOWS else alike)[-_MOST_WINDOWS:], says


def _first_key(past: Sequence[Past]) -> tuple[str, str]:
    """A subject of all rows that the windows have."""
    labels = past[0].detail["labels"] if past else []
    assert isinstance(labels, list)
    return (str(labels[0][0]), str(labels[0][1])) if labels else ("", "")


def _of(past: Sequence[Past], subject: str, segment: str) -> list[Part]:
    found = []
    for one in past:
        labels = one.detail["labels"]
        assert isinstance(labels, list)
        found += [msgspec.convert(kept, Part) for name, where, kept in labels if (name, where) == (subject, segment)]
    return found


def _parts(answers: Answers) -> dict[tuple[str, str], Part]:
    """By subject and segment; all rows first. A multiclass label has a subject for each class."""
    known = answers.known
    found = {}
    for segment, mask in answers.masks().items():
        kept = known & mask
        if int(kept.sum()) < _FEWEST:
            continue
        for subject, values in _subjects(answers).items():
            found[subject, segment] = _part(values[kept], answers.place[kept] if answers.has_days else None)
    return found if any(segment == OVERALL_SEGMENT for _, segment in found) else {}


def _subjects(answers: Answers) -> dict[str, NDArray[np.float64]]:
    if answers.task.name != "multiclass":
        return {"label": answers.labels}
    return {
        f"label={name}": np.where(answers.known, answers.labels == code, np.nan)
        for code, name in enumerate(answers.task.classes)
    }


def _part(values: NDArray[np.float64], place: NDArray[np.int64] | None) -> Part:
    if place is None:
        place = np.zeros(len(values), dtype=np.int64)
    blocks = [
        (float(rows), float(total))
        for rows, total in zip(np.bincount(place), np.bincount(place, weights=values), strict=True)
        if rows
    ]
    return Part(float(len(values)), float(values.sum()), float((values**2).sum()), blocks)


def _pooled_error(reference: Sequence[Part], rows: float) -> float:
    return sum(one.squared_error() * one.rows**2 for one in reference) / rows**2


def _scaled(part: Part, is_share: bool) -> float:
    if not is_share:
        return part.mean
    return math.log((part.total + 0.5) / (part.rows - part.total + 0.5))


def _chance(part: Part, is_share: bool) -> float:
    """The variance of `_scaled` by independent rows."""
    if not is_share:
        return part.variance / part.rows
    return 1.0 / (part.total + 0.5) + 1.0 / (part.rows - part.total + 0.5)


def _unscaled(value: float, is_share: bool) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if is_share else value


def _correlation(off: NDArray[np.float64]) -> float:
    total = float((off**2).sum())
    return float((off[1:] * off[:-1]).sum()) / total if total > 0.0 else 0.0


def _sign(shift: float) -> float:
    return math.copysign(math.inf, shift) if shift else 0.0


def _called(subject: str, task: Task) -> str:
    if task.name == "binary":
        return "the share of positives"
    return f"the share of {subject.partition('=')[2]}" if task.name == "multiclass" else "the mean label"
