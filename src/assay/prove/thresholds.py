"""The threshold explorer: what other operating points would do to each group."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from assay.prove.evaluation import CANDIDATE, Evaluation
from assay.prove.text_table import aligned, as_html, number_text, range_text
from assay.stats import POINT_RATES, OperatingPoints, columns_of, metric_named, operating_points
from assay.stats.arrays import finite

if TYPE_CHECKING:
    from assay.prove.page import Pictures

__all__ = ["ThresholdRow", "ThresholdTable", "thresholds"]


class ThresholdRow(msgspec.Struct, frozen=True):
    """A rate of a group at a threshold, with Wilson's 95 % interval; None where no row is in its denominator.

    `selected` rows have a score of at least `threshold`. `own`: it is the threshold of the evaluation, with the counts
    of its rows; any other lies on the edge of a bin of the score histogram.
    """

    threshold: float
    own: bool
    group: str
    n: int
    positives: int
    selected: int
    metric: str
    value: float | None
    low: float | None
    high: float | None


class ThresholdTable:
    """Rows of the explorer, by threshold, group and rate, for eyes and for programs."""

    def __init__(self, rows: Sequence[ThresholdRow], about: str) -> None:
        self.rows = list(rows)
        self.about = about

    def __len__(self) -> int:
        return len(self.rows)

    def to_frame(self) -> pa.Table:
        """An Arrow table with a column for each field of `ThresholdRow`; null where a number is undefined."""
        schema = pa.schema([(name, _TYPES.get(name, pa.float64())) for name in ThresholdRow.__struct_fields__])
        return pa.Table.from_pylist([msgspec.structs.asdict(row) for row in self.rows], schema=schema)

    def plot(self) -> "Pictures":
        """For each rate a line for each group against the threshold, with the numbers beside it."""
        from assay.prove.threshold_plot import threshold_plot

        return threshold_plot(self)

    def __str__(self) -> str:
        return aligned(_HEADINGS, self._texts(), 2)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(_HEADINGS, self._texts())

    def _texts(self) -> list[list[str]]:
        """A line for each threshold and group."""
        found = []
        for start in range(0, len(self.rows), len(POINT_RATES)):
            part = self.rows[start : start + len(POINT_RATES)]
            first = part[0]
            rates = [number_text(row.value, ".3f") + (_ends(row)) for row in part]
            mark = " *" if first.own else ""
            found.append([f"{first.threshold:.4g}{mark}", first.group, f"{first.n:,}", f"{first.selected:,}", *rates])
        return found


def thresholds(
    evaluation: Evaluation,
    group: str,
    at: Sequence[float] | None = None,
    *,
    points: int = 19,
    model: str = CANDIDATE,
) -> ThresholdTable:
    """What a model would do to each group of a segment column, or a cross such as "race & sex", at other thresholds.

    `at` are thresholds; without them there are `points` that select equal steps of all rows. The threshold of the
    evaluation is always among them, marked by a star, and its rates are exactly those of the evaluation. Every other
    one lies on the lower edge of a bin of the score histogram, at most 0.2 % below the one asked for. The intervals
    assume rows that are independent of each other, even where the evaluation names a unit. `model` is "candidate" or
    "baseline".

    Raises InvalidInput for a column, a model or thresholds that are not there.
    """
    profile = evaluation.profile
    columns = set(columns_of(profile, group))
    places = [place for place, one in enumerate(profile.segments) if {name for name, _ in one.conditions} == columns]
    found = operating_points(profile, model, places, at, points=points)
    names = [profile.segments[place].name for place in places]
    return ThresholdTable(_rows(found, names), f"{evaluation.names.get(model, model)} by {group}")


def _rows(found: OperatingPoints, names: list[str]) -> list[ThresholdRow]:
    rates = {name: found.rate(name) for name in POINT_RATES}
    return [
        ThresholdRow(
            threshold=float(threshold),
            own=t == found.own,
            group=name,
            n=round(found.positives[g] + found.negatives[g]),
            positives=round(found.positives[g]),
            selected=round(found.tp[g, t] + found.fp[g, t]),
            metric=metric,
            value=finite(value[g, t]),
            low=finite(low[g, t]),
            high=finite(high[g, t]),
        )
        for t, threshold in enumerate(found.thresholds)
        for g, name in enumerate(names)
        for metric, (value, low, high) in rates.items()
    ]


def _ends(row: ThresholdRow) -> str:
    ends = range_text(row.low, row.high, ".3f")
    return f" ({ends})" if ends else ""


_TYPES = {
    **dict.fromkeys(("group", "metric"), pa.string()),
    **dict.fromkeys(("n", "positives", "selected"), pa.int64()),
    "own": pa.bool_(),
}
_HEADINGS = ("threshold", "group", "rows", "selected", *(metric_named(name).title for name in POINT_RATES))
