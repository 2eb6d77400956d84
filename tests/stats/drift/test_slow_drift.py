import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats.drift import Distance, SlowDrift

ROWS = 1000


def of(value: float) -> Distance:
    scale = math.sqrt(2 / ROWS)
    return Distance("mean", value, scale, scale, 1, ROWS, ROWS)


def test_windows_that_stay_alike_are_not_called() -> None:
    generator = np.random.default_rng(1)
    called = 0
    for _ in range(30):
        found = SlowDrift()
        for shift in np.abs(generator.normal(0, 0.08, 60)).tolist():
            found = found.after(of(shift))
            called += found.is_drift()
    assert called == 0


def test_windows_that_each_go_a_little_further_are_called() -> None:
    generator = np.random.default_rng(2)
    called = 0
    for _ in range(30):
        shifts = np.abs(generator.normal(0, 0.05, 60) + 0.01 * np.maximum(0, np.arange(60) - 20))
        called += any(SlowDrift.of([of(one) for one in shifts[:last].tolist()]).is_drift() for last in range(60))
    assert called >= 27


def test_windows_without_a_distance_change_nothing_and_it_goes_on_where_it_was() -> None:
    shifts = np.abs(np.random.default_rng(3).normal(0, 0.1, 20)).tolist()
    whole = SlowDrift.of([of(one) for one in shifts])
    again = SlowDrift.of([of(one) for one in shifts[:9]]).after(of(math.nan))
    for one in shifts[9:]:
        again = again.after(of(one))
    assert again == whole
    assert whole.windows == 20
    with pytest.raises(InvalidInput, match="alpha"):
        whole.is_drift(0.0)
