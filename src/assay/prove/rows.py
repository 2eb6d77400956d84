"""The table of an evaluation: a row for each dataset, segment and metric."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from assay.prove.text_table import aligned, as_html, number_text, range_text
from assay.stats import Comparisons, Estimates, Metric, Profile, compare_all, estimate_all, holm, metric_named

__all__ = ["EvaluationRow", "EvaluationTable", "evaluation_rows"]


class EvaluationRow(msgspec.Struct, frozen=True):
    """A metric of the candidate on a segment, and how it differs from the baseline's; None where it is undefined.

    `low` and `high` are the 95 % interval of `value`, `delta_low` and `delta_high` the 90 % interval of `delta`, which
    is the improvement: above 0 the candidate is better, whatever the metric. `p_worse` is the P-value of "no worse" and
    `p_adjusted` the same after Holm over all segments and metrics of the dataset.
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
    profile: Profile, dataset: str, metrics: Sequence[str | Metric], candidate: str, baseline: str, *, clustered: bool
) -> list[EvaluationRow]:
    """The rows of one dataset, segment by segment."""
    known = {one.name: one for one in (metric_named(metric, profile.task) for metric in metrics)}
    estimates = {name: estimate_all(profile, candidate, one, clustered=clustered) for name, one in known.items()}
    compared: dict[str, Comparisons] = {}
    if baseline in profile.models:
        compared = {
            name: compare_all(profile, candidate, baseline, one, 0.0, clustered=clustered)
            for name, one in known.items()
            if one.larger_is_better is not None and one.gated
        }
    adjusted: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    if compared:
        flat = holm([float(p) for one in compared.values() for p in one.p_worse])
        size = len(profile.segments)
        adjusted = {m: np.asarray(flat[i * size : (i + 1) * size]) for i, m in enumerate(compared)}
    beside = baseline in profile.models
    baselines = {name: estimate_all(profile, baseline, one) for name, one in known.items() if beside}
    unlabelled = profile.totals().count("unlabelled")
    return [
        _row(
            dataset,
            metric,
            place,
            int(unlabelled[place]),
            estimates[metric],
            baselines.get(metric),
            compared.get(metric),
            adjusted.get(metric),
        )
        for place in range(len(profile.segments))
        for metric in known
    ]


def _row(
    dataset: str,
    metric: str,
    place: int,
    unlabelled: int,
    estimates: Estimates,
    baselines: Estimates | None,
    compared: Comparisons | None,
    adjusted: "np.ndarray[tuple[int], np.dtype[np.float64]] | None",
) -> EvaluationRow:
    found = estimates.at(place)
    row = EvaluationRow(
        dataset=dataset,
        segment=estimates.segments[place].name,
        metric=metric,
        n=found.n,
        n_unlabelled=unlabelled,
        value=_finite(found.value),
        low=_finite(found.low),
        high=_finite(found.high),
        method=found.method,
        baseline_value=_finite(baselines.at(place).value) if baselines else None,
    )
    if compared is None or adjusted is None:
        return row
    one = compared.at(place)
    return msgspec.structs.replace(
        row,
        delta=_finite(one.delta),
        delta_low=_finite(one.low),
        delta_high=_finite(one.high),
        p_worse=one.p_worse,
        p_adjusted=float(adjusted[place]),
        comparison_method=one.method,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


_LEFT = 3  # columns of text
_TYPES = {
    **dict.fromkeys(("dataset", "segment", "metric", "method", "comparison_method"), pa.string()),
    **dict.fromkeys(("n", "n_unlabelled"), pa.int64()),
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
    )
