"""Aggregates over windows, as they are declared."""

from typing import Any

import pytest

from assay.build.views.declared.aggregates import Aggregate, count, distinct, last, mean, sum_of
from assay.errors import InvalidInput


def test_each_kind_is_declared_by_its_column_and_its_window() -> None:
    day = 86_400_000_000
    assert sum_of("delay", "1d") == Aggregate("sum", "delay", day)
    assert mean("delay", over="7d").text == "mean(delay) over 7d"
    assert count(over="1h").text == "count(*) over 1h"
    assert count("delay", over="1h").column == "delay"
    assert distinct("dest", "90d").window_us == 90 * day
    assert last("dest", "24h").text == "last(dest) over 1d"


@pytest.mark.parametrize("window", ["0s", "367d", "1y", 7])
def test_a_window_is_from_a_second_to_a_year(window: Any) -> None:
    with pytest.raises(InvalidInput, match=r"the window of mean\(delay\) is"):
        mean("delay", over=window)
