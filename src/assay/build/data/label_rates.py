"""The share of positive labels by time: which periods are unlike the others."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import is_text
from assay.build.data.expectations import PERIODS, LabelRate
from assay.errors import InvalidInput
from assay.stats import odd_rates

__all__ = ["OddPeriods", "odd_periods", "positive_of", "rate_of"]

_MOST_PERIODS = 60
_ROWS_OF_A_PERIOD = 100  # the median; below this a rate of a half has an error of 0.05 and more
_FORMATS = {
    "day": "%Y-%m-%d",
    "week": "week of %Y-%m-%d",
    "month": "%Y-%m",
    "quarter": "quarter from %Y-%m",
    "year": "%Y",
}
_SAID = 4


class OddPeriods(NamedTuple):
    """How many labelled rows lie in periods that are odd, which those are in words, and a mask of the rows."""

    labelled: int
    detail: str
    rows: Callable[[], pa.ChunkedArray]


def odd_periods(labels: pa.ChunkedArray, times: pa.ChunkedArray, expected: LabelRate) -> OddPeriods:
    """Compare the rate of each period with the other periods; see `LabelRate` and `assay.stats.odd_rates`.

    Rows without a label or a time do not count. InvalidInput for times that are none.
    """
    moments = _moments(times, expected)
    is_positive = pc.equal(labels, pa.scalar(positive_of(labels, expected), labels.type))
    known = pc.and_(pc.is_valid(labels), pc.is_valid(moments))
    by = expected.by or (_finest(moments.filter(known)) if pa.types.is_timestamp(moments.type) else None)
    periods = pc.floor_temporal(moments, unit=by) if by else moments
    counted = (
        pa.table({"period": periods.filter(known), "positive": is_positive.filter(known).cast(pa.int64())})
        .group_by("period")
        .aggregate([("positive", "sum"), ([], "count_all")])
        .sort_by("period")
    )
    positives, totals = counted["positive_sum"].to_numpy(), counted["count_all"].to_numpy()
    is_odd, centres = odd_rates(
        positives, totals, difference=expected.difference, alpha=expected.alpha, rate=expected.rate
    )
    names = pc.strftime(counted["period"], format=_FORMATS[by]).to_pylist() if by else counted["period"].to_pylist()
    odd = np.flatnonzero(is_odd)
    said = []
    for run in np.split(odd, np.flatnonzero(np.diff(odd) != 1) + 1) if len(odd) else []:  # neighbours in one go
        name = str(names[run[0]]) + (f" to {names[run[-1]]}" if len(run) > 1 else "")
        rate, rows = positives[run].sum() / totals[run].sum(), totals[run].sum()
        said.append(f"{name}: {rate:.3f} of {rows:,} rows, others about {np.median(centres[run]):.3f}")
    if len(said) > _SAID:
        said[_SAID:] = [f"and {len(said) - _SAID} more, up to {names[odd[-1]]}"]
    chosen = counted["period"].filter(pa.array(is_odd)).combine_chunks()
    return OddPeriods(
        int(totals[odd].sum()),
        "; ".join(said) if said else f"{len(totals)} {by or 'value'}s",
        lambda: pc.and_(known, pc.is_in(periods, value_set=chosen)),
    )


def positive_of(labels: pa.ChunkedArray, expected: LabelRate) -> object:
    """The label whose share is looked at: what is said, else the larger of two. InvalidInput where there are more."""
    if expected.positive is not None:
        return _of_type(expected.positive, labels.type, expected)
    values = pc.unique(labels).drop_null().to_pylist()
    if len(values) > 2:
        raise InvalidInput(
            f"column {expected.column!r} has {len(values)} different labels",
            where=expected.name,
            hint="say which one counts: positive=...",
        )
    return max(values) if values else None


def rate_of(labels: pa.ChunkedArray, positive: object) -> float:
    """The share of one label among those that are known."""
    return float(pc.mean(pc.equal(labels, pa.scalar(positive, labels.type)).cast(pa.float64())).as_py())


def _of_type(value: object, kind: pa.DataType, expected: LabelRate) -> object:
    try:
        return pa.scalar(value, kind).as_py()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidInput(
            f"the positive label {value!r} is no value of column {expected.column!r}",
            where=expected.name,
            expected=str(kind),
        ) from error


def _moments(times: pa.ChunkedArray, expected: LabelRate) -> pa.ChunkedArray:
    """Times as timestamps, whole numbers as they are."""
    if pa.types.is_integer(times.type) and expected.by is None:
        return times
    if pa.types.is_timestamp(times.type):
        return times
    if pa.types.is_date(times.type) or is_text(times.type):
        try:
            return times.cast(pa.timestamp("us"))
        except pa.ArrowInvalid as error:
            said = str(error).splitlines()[0]
            raise InvalidInput(
                f"column {expected.time!r} holds text that is no time: {said}",
                where=expected.name,
                expected="times such as 2026-01-31 12:00:00",
            ) from error
    raise InvalidInput(
        f"column {expected.time!r} is of type {times.type}",
        where=expected.name,
        expected="a column of times, or of whole numbers such as years",
    )


def _finest(moments: pa.ChunkedArray) -> str:
    """The shortest period that leaves at most 60 of them, with 100 rows in the middle one."""
    choices: Sequence[str] = PERIODS
    for by in choices:
        counts = pc.value_counts(pc.floor_temporal(moments, unit=by)).field("counts").to_numpy()
        if 0 < len(counts) <= _MOST_PERIODS and np.median(counts) >= _ROWS_OF_A_PERIOD:
            return by
    return choices[-1] if len(moments) == 0 else "quarter"
