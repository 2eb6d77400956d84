import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.record.tracking.points import Points, downsample, pack, unpack

_FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)
_POINTS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62), _FLOATS), max_size=40)


def _points(rows: list[tuple[int, int, float]]) -> Points:
    return Points(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
    )


def _rows(points: Points) -> list[tuple[int, int, float | None]]:
    values = [None if math.isnan(value) else value for value in points.value.tolist()]
    return list(zip(points.step.tolist(), points.ts_ms.tolist(), values, strict=True))


@given(_POINTS)
def test_bytes_give_the_points_back(rows: list[tuple[int, int, float]]) -> None:
    points = _points(rows)
    assert len(pack(points)) == 24 * len(rows)
    assert _rows(unpack(pack(points))) == _rows(points)


@given(_POINTS, _POINTS)
def test_distinct_points_are_a_sorted_set(
    first: list[tuple[int, int, float]], second: list[tuple[int, int, float]]
) -> None:
    found = Points.joined([_points(first), _points(second), _points(first)]).distinct()
    expected = {(ts, step, None if math.isnan(v) else v + 0.0) for step, ts, v in first + second}
    rows = [(ts, step, value if value is None else value + 0.0) for step, ts, value in _rows(found)]
    assert rows == sorted(
        expected, key=lambda row: (row[0], row[1], math.inf if row[2] is None else row[2], row[2] is None)
    )


@pytest.mark.parametrize("count", [10, 999, 1000, 1001, 50_000])
def test_downsampling_keeps_ends_and_peaks(count: int) -> None:
    random = np.random.default_rng(7)
    values = random.normal(size=count)
    values[count // 3], values[count // 2] = 1e6, -1e6
    order = random.permutation(count)
    steps = np.arange(count)
    points = Points(steps[order], steps[order] + 10, values[order])
    kept = downsample(points, 1000)
    assert len(kept) <= max(1002, 0)
    assert (np.diff(kept.step) > 0).all()
    assert {0, count - 1, count // 3, count // 2} <= set(kept.step.tolist())
    assert (values[kept.step] == kept.value).all()
    if count <= 1000:
        assert len(kept) == count
    else:
        for part in np.array_split(values, 100):  # no stretch of the line loses its height
            inside = kept.value[np.isin(kept.value, part)]
            assert inside.max() > np.median(part) > inside.min()


def test_downsampling_keeps_what_is_no_finite_number() -> None:
    values = np.zeros(10_000)
    values[5000], values[7000] = math.nan, math.inf
    steps = np.arange(10_000)
    kept = downsample(Points(steps, steps, values), 100)
    assert {5000, 7000} <= set(kept.step.tolist())
    assert len(kept) < 250


def test_nothing_stays_nothing() -> None:
    assert len(Points.joined([])) == 0
    assert len(downsample(Points.joined([]), 10)) == 0
