"""Numbers, times, states and small drawings as pages write them."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.record.tracking.points import Points
from assay.server.pages.run_columns import Column, column_named
from assay.server.pages.sparkline import path_of
from assay.server.pages.wording import ago, number, size, span, state_of, when

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.123456789, "0.123457"),
        (-0.5, "−0.5"),
        (12345.0, "12,345"),
        (-1e20, "−1e+20"),
        (float("nan"), "NaN"),
        (float("-inf"), "−∞"),
        (None, "–"),
    ],
)
def test_numbers(value: float | None, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0.25, "250 ms"), (59.9, "59.9 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min"), (200_000, "2 d 7 h")],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert span(seconds) == said


def test_times_and_sizes() -> None:
    assert when("2026-11-25T11:58:00.000000Z") == "2026-11-25 11:58:00"
    assert ago("2026-11-25T11:58:00.000000Z", NOW) == "2 min ago"
    assert ago("2026-11-25T11:59:59.000000Z", NOW) == "just now"
    assert ago("2026-01-01T00:00:00.000000Z", NOW) == "2026-01-01"
    assert ago("2026-11-26T00:00:00.000000Z", NOW) == "2026-11-26"
    assert [size(0), size(1234), size(5_000_000)] == ["0 B", "1.2 kB", "5.0 MB"]


@pytest.mark.parametrize(
    ("seen", "detail", "word"),
    [
        ("2026-11-25T11:30:00.000000Z", None, "running"),
        ("2026-11-25T10:30:00.000000Z", None, "lost"),
        ("2026-11-25T11:55:00.000000Z", "{}", "lost"),
        (None, None, "lost"),
    ],
)
def test_a_run_is_lost_when_nothing_came_for_an_hour_or_no_heartbeat(
    seen: str | None, detail: str | None, word: str
) -> None:
    run = {"status": "running", "seen": seen, "started": "2026-11-24T00:00:00.000000Z", "detail": detail}
    assert state_of(run, NOW).word == word
    assert state_of({**run, "status": "finished"}, NOW).word == "finished"


@given(st.lists(st.floats(), max_size=300))
def test_a_drawing_stays_in_its_frame_whatever_the_values(values: list[float]) -> None:
    steps = np.arange(len(values))
    path = path_of(Points(steps, steps, np.array(values, float)))
    finite = [value for value in values if np.isfinite(value)]
    assert bool(path) == (len(finite) >= 2)
    for x, y in re.findall(r"(-?\d+) (-?\d+)", path):
        assert 0 <= int(x) <= 1000
        assert 0 <= int(y) <= 200


def test_a_drawing_keeps_a_peak_among_many_points() -> None:
    values = np.zeros(10_000)
    values[7_777] = 1.0
    steps = np.arange(10_000)
    assert "777 10" in path_of(Points(steps, steps, values))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("metrics.auc", Column("metrics", "auc")),
        ("params.`a b`", Column("params", "a b")),
        ("nothing.auc", None),
        ("metrics.", None),
        ("", None),
    ],
)
def test_columns_are_named_as_in_a_filter(text: str, column: Column | None) -> None:
    assert column_named(text) == column
    if column:
        assert column_named(column.name) == column
