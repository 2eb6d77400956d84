"""The table of an evaluation: a row for each dataset, segment and metric."""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.prove.checks import Verdict
from assay.prove.text_table import aligned, as_html, number_text, range_text
from assay.stats import (
    Comparison,
    Metric,
    Profile,
    Segment,
    compare_all,
    estimate_all,
    holm,
    metric_named,
    normal,
    pool,
    rows_needed,
)
from assay.stats.arrays import finite

__all__ = ["EvaluationRow", "EvaluationTable", "evaluation_rows"]

Floats = NDArray[np.float64]
_MOST_ROWS = 10**15
_ALPHA = 0.05  # one-sided, as the gate's by default


class EvaluationRow(msgspec.Struct, frozen=True):
    """A metric of the candidate on a segment, and how it differs from the baseline's; None where it is undefined.

    `low` and `high` are the 95 % interval of `value`, `delta_low` and `delta_high` the 90 % interval of `delta`, which
    is the improvement: above 0 the candidate is better, whatever the metric. `p_worse` is the P-value of "no worse" and
    `p_adjusted` the same after Holm over all segments and metrics of the dataset.

    `verdict` is "fail" where harm is proven (`p_adjusted` at most .05). For a metric with a margin it is "pass" where
    the candidate is shown to be not worse by more (each at .05), and "inconclusive" otherwise; without one it is None
    where nothing is proven. A policy may ask for more: `assay.gate` decides. `rows_needed` are those of the segment
    that would show a candidate that is no different to be within the margin, or, without one, prove a difference of the
    size seen, with a power of 80 %; None where the verdict stands already.

    `pooled_value` and `pooled_delta` are drawn towards the other segments as far as chance explains the distance
    (`stats.pool`): for looking at small segments and ranking them. No verdict uses them.
    """

    dataset: str
    segment: str
    metric: str
    n: int
    n_unlabelled: int
    value: float | None
    low: float | None
    high: float | None
    method: str
    baseline_value: float | None = None
    delta: float | None = None
    delta_low: float | None = None
    delta_high: float | None = None
    p_worse: float | None = None
    p_adjusted: float | None = None
    comparison_method: str | None = None
    verdict: Verdict | None = None
    rows_needed: int | None = None
    pooled_value: float | None = None
    pooled_delta: float | None = None


class EvaluationTable:
    """Rows of an evaluation, for eyes (`print`, a notebook) and for programs (`rows`, `to_frame`)."""

    def __init__(self, rows: Sequence[EvaluationRow]) -> None:
        self.rows = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_frame(self) -> pa.Table:
        """An Arrow table with a column for each field of `EvaluationRow`; null where a number is undefined."""
        schema = pa.schema([(name, _TYPES.get(name, pa.float64())) for name in EvaluationRow.__struct_fields__])
        return pa.Table.from_pylist([msgspec.structs.asdict(row) for row in self.rows], schema=schema)

    def __str__(self) -> str:
        return aligned(_HEADINGS, [_texts(row) for row in self.rows], _LEFT)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(_HEADINGS, [_texts(row) for row in self.rows])


def evaluation_rows(
    profile: Profile,
    dataset: str,
    metrics: Sequence[str | Metric],
    candidate: str,
    baseline: str,
    *,
    clustered: bool,
    margins: Mapping[str, float] | None = None,
) -> list[EvaluationRow]:
    """The rows of one dataset, segment by segment. InvalidInput for a margin of no metric that is compared."""
    known = {one.name: one for one in (metric_named(metric, profile.task) for metric in metrics)}
    beside = baseline in profile.models
    comparable = [one for one in known.values() if beside and one.larger_is_better is not None and one.gated]
    margins = _checked(margins or {}, [one.name for one in comparable])
    estimates = {name: estimate_all(profile, candidate, one, clustered=clustered) for name, one in known.items()}
    baselines = {name: estimate_all(profile, baseline, one) for name, one in known.items() if beside}
    compared = {
        one.name: compare_all(profile, candidate, baseline, one, margins.get(one.name, 0.0), clustered=clustered)
        for one in comparable
    }
    flat = holm([float(p) for one in compared.values() for p in one.p_worse])
    size = len(profile.segments)
    adjusted = {m: np.asarray(flat[i * size : (i + 1) * size]) for i, m in enumerate(compared)}
    pooled = {name: _pooled(one.segments, one.value, one.low, one.high, 0.95) for name, one in estimates.items()}
    drawn = {name: _pooled(one.segments, one.delta, one.low, one.high, 0.9) for name, one in compared.items()}
    unlabelled = profile.totals().n("unlabelled")
    rows = []
    for place in range(size):
        for metric in known:
            found = estimates[metric].at(place)
            row = EvaluationRow(
                dataset=dataset,
                segment=profile.segments[place].name,
                metric=metric,
                n=found.n,
                n_unlabelled=int(unlabelled[place]),
                value=finite(found.value),
                low=finite(found.low),
                high=finite(found.high),
                method=found.method,
                baseline_value=finite(baselines[metric].at(place).value) if beside else None,
                pooled_value=finite(float(pooled[metric][place])),
            )
            if metric in compared:
                one, p = compared[metric].at(place), float(adjusted[metric][place])
                row = _compared(row, one, p, float(drawn[metric][place]), judged=metric in margins)
            rows.append(row)
    return rows


def _compared(row: EvaluationRow, one: Comparison, p: float, pooled: float, *, judged: bool) -> EvaluationRow:
    """The row with its comparison; `judged` where there is a margin."""
    verdict: Verdict | None = "inconclusive" if judged else None
    if p <= _ALPHA:
        verdict = "fail"
    elif judged and one.p_not_worse <= _ALPHA:
        verdict = "pass"
    needed = None
    if verdict in ("inconclusive", None) and not math.isnan(one.delta):
        needed = rows_needed(one.variance_per_row, one.margin if judged else abs(one.delta))
        needed = needed if needed is not None and needed < _MOST_ROWS else None  # a difference of rounding errors
    return msgspec.structs.replace(
        row,
        delta=finite(one.delta),
        delta_low=finite(one.low),
        delta_high=finite(one.high),
        p_worse=one.p_worse,
        p_adjusted=p,
        comparison_method=one.method,
        verdict=verdict,
        rows_needed=needed,
        pooled_delta=finite(pooled),
    )


def _pooled(segments: Sequence[Segment], value: Floats, low: Floats, high: Floats, confidence: float) -> Floats:
    """Pooled values; the standard error is that of the interval, which few rows do not make 0."""
    error = (high - low) / (2.0 * normal.critical_value(confidence))
    return pool(segments, value, np.where(error > 0, error, np.nan)).value


def _checked(margins: Mapping[str, float], compared: Sequence[str]) -> Mapping[str, float]:
    for name, margin in margins.items():
        if name not in compared:
            close = nearest(name, list(compared))
            raise InvalidInput(
                f"there is a margin for {name!r}, which is not compared here",
                expected=f"one of {', '.join(compared) or 'none, because there is no baseline'}",
                hint=f"did you mean {close!r}?" if close else None,
            )
        if not margin > 0:
            expected = "more than 0: the loss that is agreed to be unimportant"
            raise InvalidInput(f"the margin of {name} is {margin}", expected=expected)
    return margins


_LEFT = 3  # columns of text
_TYPES = {
    **dict.fromkeys(("dataset", "segment", "metric", "method", "comparison_method", "verdict"), pa.string()),
    **dict.fromkeys(("n", "n_unlabelled", "rows_needed"), pa.int64()),
}
_HEADINGS = (
    "dataset",
    "segment",
    "metric",
    "rows",
    "unlabelled",
    "value",
    "95 % interval",
    "baseline",
    "difference",
    "90 % interval",
    "p worse",
    "p Holm",
    "pooled",
    "verdict",
    "rows needed",
)


def _texts(row: EvaluationRow) -> tuple[str, ...]:
    return (
        row.dataset,
        row.segment,
        row.metric,
        f"{row.n:,}",
        f"{row.n_unlabelled:,}",
        number_text(row.value, ".4f"),
        range_text(row.low, row.high, ".4f") or row.method,
        number_text(row.baseline_value, ".4f"),
        number_text(row.delta, "+.4f"),
        range_text(row.delta_low, row.delta_high, "+.4f") or row.comparison_method or "",
        number_text(row.p_worse, ".2g"),
        number_text(row.p_adjusted, ".2g"),
        number_text(row.pooled_value, ".4f") if row.delta is None else number_text(row.pooled_delta, "+.4f"),
        row.verdict or "",
        number_text(row.rows_needed, ","),
    )
