"""The fairness report: what a model does to each group, and how far the groups are from the reference."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import pyarrow as pa

from assay.prove.evaluation import CANDIDATE, Evaluation
from assay.prove.plots import Bar, Forest
from assay.prove.text_table import aligned, as_html, number_text, range_text
from assay.stats import (
    Estimates,
    GroupGap,
    Profile,
    Sample,
    Segment,
    columns_of,
    estimate_all,
    group_gaps,
    judged_together,
    metric_named,
    samples_of,
)
from assay.stats.arrays import finite

if TYPE_CHECKING:
    from assay.prove.page import Pictures

__all__ = ["FairnessRow", "FairnessTable", "fairness", "fairness_rows"]

_CALIBRATION = "calibration_in_the_large"
_RATES = ("selection_rate", "recall", "fpr", "precision", _CALIBRATION)


class FairnessRow(msgspec.Struct, frozen=True):
    """A rate of a group beside the reference's; None where it is undefined, or where the group is the reference.

    `low` and `high` are the 95 % interval of `value`; `gap` and `ratio` are group minus and over reference, with 90 %
    intervals. `p` is the P-value of "no difference", `p_holm` the same after Holm over all groups and rates.
    `affected` rows of the group would have had another answer at the reference's rate: above 0 it would have counted
    more. `verdict` is about the bound that was asked for, and `rows_needed` rows of the group would decide it.
    """

    group: str
    is_reference: bool
    metric: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    method: str
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    affected: float | None = None
    verdict: Literal["pass", "fail", "inconclusive"] | None = None
    rows_needed: int | None = None


class FairnessTable:
    """Rows of the report, for eyes (`print`, a notebook, `plot`) and for programs (`rows`, `to_frame`)."""

    def __init__(self, rows: Sequence[FairnessRow]) -> None:
        self.rows = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_frame(self) -> pa.Table:
        """An Arrow table with a column for each field of `FairnessRow`; null where a number is undefined."""
        schema = pa.schema([(name, _TYPES.get(name, pa.float64())) for name in FairnessRow.__struct_fields__])
        return pa.Table.from_pylist([msgspec.structs.asdict(row) for row in self.rows], schema=schema)

    def plot(self) -> "Pictures":
        """For each rate the groups with their intervals, the reference first."""
        from assay.prove.page import Pictures, fragment

        metrics = dict.fromkeys(row.metric for row in self.rows)
        forests = [_forest(self.rows, metric) for metric in metrics]
        return Pictures(fragment("evaluation.html", forests=forests), "Groups against each other")

    def __str__(self) -> str:
        return aligned(_HEADINGS, [_texts(row) for row in self.rows], _LEFT)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(_HEADINGS, [_texts(row) for row in self.rows])


def fairness(
    evaluation: Evaluation,
    group: str,
    *,
    reference: str | None = None,
    gap: float | None = None,
    ratio: float | None = None,
    model: str = CANDIDATE,
) -> FairnessTable:
    """Selection rate, recall, false positive rate, precision and calibration of every group, beside the reference.

    `group` is a segment column of the evaluation, or a cross such as "race & sex"; the reference one of its values
    ("a & b" of a cross), by default the group with the most rows. With a bound, a `gap` or a `ratio` such as 0.8, each
    rate has a verdict: shown within, proven beyond, or open. Calibration has a gap only. `model` is "candidate" or
    "baseline".

    Raises InvalidInput for a column, a reference or a model that is not there, and for two bounds.
    """
    clustered = bool(evaluation.unit)
    rows = fairness_rows(
        evaluation.profile, model, group, reference=reference, gap=gap, ratio=ratio, clustered=clustered
    )
    return FairnessTable(rows)


def fairness_rows(
    profile: Profile,
    model: str,
    group: str,
    *,
    reference: str | None,
    gap: float | None,
    ratio: float | None,
    clustered: bool,
) -> list[FairnessRow]:
    """The rows of the report, rate by rate, the reference first."""

    def compared(metrics: Sequence[str], gap: float | None, ratio: float | None) -> dict[tuple[Segment, str], GroupGap]:
        found = [
            one
            for metric in metrics
            for one in group_gaps(
                profile, model, metric, group, gap=gap, ratio=ratio, reference=reference, clustered=clustered
            )
        ]
        return {(one.group, one.metric): one for one in judged_together(found, _ALPHA)}

    gaps = compared(_RATES, 0.0, None)
    ratios = compared(_RATES[:-1], None, 1.0)
    judged: dict[tuple[Segment, str], GroupGap] = {}
    if gap is not None or ratio is not None:
        judged = compared(_RATES if ratio is None else _RATES[:-1], gap, ratio)
    wanted = set(columns_of(profile, group))
    places = [place for place, one in enumerate(profile.segments) if {name for name, _ in one.conditions} == wanted]
    compared_groups = {segment for segment, _ in gaps}
    places.sort(key=lambda place: profile.segments[place] in compared_groups)  # stable: the reference comes first
    estimates = {metric: estimate_all(profile, model, metric, clustered=clustered) for metric in _RATES}
    rows = [_row(estimates[metric], metric, place, gaps, ratios, judged) for metric in _RATES for place in places]
    if clustered or profile.task.weighted:
        return rows
    # The interval of an evaluation holds if the scores are right, and here that is the question: so their own spread.
    every = samples_of(profile, model, metric_named(_CALIBRATION, profile.task))
    samples = iter([every[place] for place in places])
    return [_with_own_spread(row, next(samples)) if row.metric == _CALIBRATION else row for row in rows]


def _with_own_spread(row: FairnessRow, sample: Sample) -> FairnessRow:
    ends = sample.mean_interval()
    low, high = (None, None) if row.low is None else (finite(ends.low), finite(ends.high))
    return msgspec.structs.replace(row, low=low, high=high, method=row.method if low is None else "t")


def _row(
    estimates: Estimates,
    metric: str,
    place: int,
    gaps: Mapping[tuple[Segment, str], GroupGap],
    ratios: Mapping[tuple[Segment, str], GroupGap],
    judged: Mapping[tuple[Segment, str], GroupGap],
) -> FairnessRow:
    found, key = estimates.at(place), (estimates.segments[place], metric)
    row = FairnessRow(
        group=estimates.segments[place].name,
        is_reference=key not in gaps,
        metric=metric,
        n=found.n,
        value=finite(found.value),
        low=finite(found.low),
        high=finite(found.high),
        method=found.method,
    )
    if key in gaps:
        gap = gaps[key]
        row = msgspec.structs.replace(
            row,
            gap=finite(gap.gap),
            gap_low=finite(gap.low),
            gap_high=finite(gap.high),
            p=gap.p_beyond,
            p_holm=gap.p_holm,
            affected=finite(gap.affected),
        )
    if key in ratios:
        ratio = ratios[key]
        ends = (finite(ratio.low), finite(ratio.high))
        row = msgspec.structs.replace(row, ratio=finite(ratio.gap), ratio_low=ends[0], ratio_high=ends[1])
    if key in judged:
        one = judged[key]
        needed = one.rows_needed if one.verdict == "inconclusive" else None
        row = msgspec.structs.replace(row, verdict=one.verdict, rows_needed=needed)
    return row


def _forest(rows: Sequence[FairnessRow], metric: str) -> Forest:
    mine = [row for row in rows if row.metric == metric]
    drawn = [end for row in mine for end in (row.low, row.value, row.high) if end is not None] or [0.0, 1.0]
    low, high = min(drawn), max(drawn)
    space = 0.03 * ((high - low) or 1.0)
    low, high = low - space, high + space

    def place(number: float | None) -> float | None:
        return None if number is None else round(100 * (number - low) / (high - low), 2)

    bars = [
        Bar(
            f"{row.group} (reference)" if row.is_reference else row.group,
            row.is_reference,
            row.n,
            number_text(row.value, ".4f") or "–",
            range_text(row.low, row.high, ".4f") or "too small",
            "worse" if row.p_holm is not None and row.p_holm <= _ALPHA else "open",
            place(row.low),
            place(row.value),
            place(row.high),
        )
        for row in mine
    ]
    return Forest(
        dataset="",
        title=metric_named(metric).title,
        names="Group",
        what="Value",
        caption="Value with its 95 % interval, the reference first; coloured where a difference is proven (Holm).",
        ticks=[(place(end) or 0.0, format(end, ".3f")) for end in sorted({min(drawn), max(drawn)})],
        zero=None,
        limits=[],
        bars=bars,
    )


_ALPHA = 0.05
_LEFT = 2  # columns of text
_TYPES = {
    **dict.fromkeys(("group", "metric", "method", "verdict"), pa.string()),
    **dict.fromkeys(("n", "rows_needed"), pa.int64()),
    "is_reference": pa.bool_(),
}
_HEADINGS = (
    "group",
    "rate",
    "rows",
    "value",
    "95 % interval",
    "gap",
    "90 % interval",
    "ratio",
    "90 % interval",
    "p Holm",
    "affected",
    "verdict",
    "rows needed",
)


def _texts(row: FairnessRow) -> tuple[str, ...]:
    return (
        f"{row.group} (reference)" if row.is_reference else row.group,
        row.metric,
        f"{row.n:,}",
        number_text(row.value, ".4f"),
        range_text(row.low, row.high, ".4f") or row.method,
        number_text(row.gap, "+.4f"),
        range_text(row.gap_low, row.gap_high, "+.4f"),
        number_text(row.ratio, ".3f"),
        range_text(row.ratio_low, row.ratio_high, ".3f"),
        number_text(row.p_holm, ".2g"),
        number_text(row.affected, "+,.0f"),
        row.verdict or "",
        number_text(row.rows_needed, ","),
    )
