"""What a change of a metric is made of: traffic that moved between segments, or a model that changed within them.

Kitagawa's decomposition over the values of each segment column. Arithmetic, not cause.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from assay.operate.monitors.kind import Finding
from assay.operate.monitors.kinds.answers import MODEL, Answers, HoldOut
from assay.stats import Metric, Mix, Profile, kitagawa, metrics_of

__all__ = ["attributed", "in_words", "parts_of"]

_LOSS: Mapping[str, str] = {"binary": "log_loss", "multiclass": "accuracy", "regression": "mae"}
_FIRST_WINDOWS = 10

Parts = dict[str, dict[str, list[float]]]  # column -> value -> rows, sum


def parts_of(answers: Answers, metric: Metric) -> dict[str, object]:
    """The rows and the sum of the metric by value of each segment column, of the metric itself where it is a mean.

    An area is no mean of rows; the loss of its task stands in for it.
    """
    if not answers.segments or not answers.known.any():
        return {}
    chosen = _additive(metric, answers)
    if chosen is None:
        return {}
    return {"metric": chosen.name, "by": _sums(answers.profile(), MODEL, chosen)}


def attributed(
    parts: Mapping[str, object], hold_out: HoldOut | None, past: Sequence[Mapping[str, object]]
) -> list[Finding]:
    """One finding for each segment column, the largest move of traffic first; none without a reference.

    The reference is the hold-out of the version, where it was judged by the same columns, else the first windows.
    """
    by = parts.get("by")
    if not isinstance(by, dict):
        return []
    name = str(parts["metric"])
    before: Parts = {}
    if hold_out is not None and name in (known := metrics_of(hold_out.profile.task)):
        before = _sums(hold_out.profile, hold_out.model, known[name])
    earlier = [part for one in past if isinstance(part := one.get("parts"), dict) and part.get("metric") == name]
    before = {**_added([part["by"] for part in earlier[:_FIRST_WINDOWS]]), **before}
    found = []
    for column, after in by.items():
        if column not in before:
            continue
        values = sorted({*before[column], *after})
        rows_0, sums_0 = np.array([before[column].get(value, [0.0, 0.0]) for value in values]).T
        rows_1, sums_1 = np.array([after.get(value, [0.0, 0.0]) for value in values]).T
        mix = kitagawa(rows_0, sums_0, rows_1, sums_1)
        found.append(
            Finding(
                subject=name,
                measure=f"mix by {column}",
                state="ok",
                words=in_words(mix, name, column, values),
                value=mix.mix,
                expected=mix.delta,
                rows=int(rows_1.sum()),
            )
        )
    return sorted(found, key=lambda one: -abs(one.value or 0.0))


def in_words(mix: Mix, metric: str, column: str, values: Sequence[str]) -> str:
    """The decomposition for people; "the model is unchanged" where at least four fifths of the change is mix."""
    made = f"{metric} changed by {mix.delta:+.4f}: {mix.mix:+.4f} because traffic moved between values of {column}"
    made += f", {mix.rate:+.4f} within them"
    whole = abs(mix.mix) + abs(mix.rate)
    if not whole:
        return f"{metric} is what it was"
    if abs(mix.mix) >= 0.8 * whole:
        mover = values[int(np.argmax(np.abs(mix.mix_by_segment)))]
        return f"{made}; the model is unchanged, the traffic moved, most of all at {column}={mover}"
    if abs(mix.rate) >= 0.8 * whole:
        worst = values[int(np.argmax(np.abs(mix.rate_by_segment)))]
        return (
            f"{made}; the traffic is much the same, the model answers differently well, most of all at {column}={worst}"
        )
    return f"{made}; both the traffic and the model's answers changed"


def _additive(metric: Metric, answers: Answers) -> Metric | None:
    known = metrics_of(answers.task)
    if metric.kind == "mean" or (metric.kind == "rate" and metric.name == "accuracy"):
        return metric
    return known.get(_LOSS.get(answers.task.name, ""))


def _sums(profile: Profile, model: str, metric: Metric) -> Parts:
    totals = profile.totals()
    rows = metric.denominator(totals, model)
    assert metric.numerator is not None, "means have numerators"
    sums = metric.numerator(totals, model)
    found: Parts = {}
    for place, segment in enumerate(profile.segments):
        if len(segment.conditions) == 1 and rows[place]:
            ((column, value),) = segment.conditions
            found.setdefault(column, {})[value] = [float(rows[place]), float(sums[place])]
    return found


def _added(several: Sequence[Parts]) -> Parts:
    found: Parts = {}
    for one in several:
        for column, values in one.items():
            for value, (rows, total) in values.items():
                kept = found.setdefault(column, {}).setdefault(value, [0.0, 0.0])
                kept[0] += rows
                kept[1] += total
    return found
