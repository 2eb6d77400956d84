"""Positions in the report's charts, checked against arithmetic by hand."""

import itertools
import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.steer.summaries import checks, full_turn

from assay.steer.chapters import DailyAuc, Deployment, Watch
from assay.steer.charts import Scale, forest_plot, forest_range, time_chart
from assay.svg import nice_ticks


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0.0, 1.0, 5, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.553, 0.807, 5, [0.6, 0.65, 0.7, 0.75, 0.8]),
        (-0.061, 0.012, 4, [-0.06, -0.04, -0.02, 0.0]),
        (0.0, 1234.0, 6, [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0]),
        (3.0, 41.0, 4, [10.0, 20.0, 30.0, 40.0]),
    ],
)
def test_ticks_stand_at_round_values(low: float, high: float, count: int, expected: list[float]) -> None:
    assert nice_ticks(low, high, count)[0] == pytest.approx(expected)


@given(st.floats(-1e3, 1e3), st.floats(1e-4, 1e3), st.integers(3, 8))
def test_ticks_lie_inside_are_evenly_spaced_and_differ_when_shown(low: float, width: float, count: int) -> None:
    values, decimals = nice_ticks(low, low + width, count)
    assert 1 <= len(values) <= 1.6 * count + 1
    assert all(low - 1e-6 * width <= value <= low + width * (1 + 1e-6) for value in values)
    assert len({f"{value:.{decimals}f}" for value in values}) == len(values)
    gaps = [after - before for before, after in itertools.pairwise(values)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps) if gaps else [])


def test_a_scale_cuts_off_what_lies_outside() -> None:
    scale = Scale(-1.0, 3.0)
    assert [scale.at(value) for value in (-9, -1, 0, 3, 9)] == [0, 0, 25, 100, 100]


def test_signed_ticks_have_a_true_minus_and_a_plain_zero() -> None:
    assert [tick.label for tick in Scale(-0.021, 0.021).ticks(4, signed=True)] == [
        "−0.02",
        "−0.01",
        "0",
        "+0.01",
        "+0.02",
    ]


def test_a_forest_plot_begins_with_all_rows_and_sorts_the_rest_by_loss() -> None:
    found = checks(overall=0.003, worse={"shop=MQ": -0.034}, seed=2)
    plot = forest_plot(found, "brier", forest_range([found], "brier"))
    assert plot.rows[0].overall
    losses = [found[row.index].delta or 0.0 for row in plot.rows[1:]]
    assert losses == sorted(losses)
    assert len(plot.rows) + plot.others == len(found)


def test_a_forest_plot_shows_every_proven_loss_however_many_there_are() -> None:
    found = checks(overall=-0.06, worse={}, seed=4)
    failed = {index for index, check in enumerate(found) if check.verdict == "fail"}
    plot = forest_plot(found, "brier", forest_range([found], "brier"))
    assert len(failed) > 10
    assert failed <= {row.index for row in plot.rows}


def test_a_forest_plot_shows_the_same_rows_once() -> None:
    found = checks(overall=0.0, worse={}, seed=5)
    nearest = min((check for check in found[1:] if check.delta is not None), key=lambda check: check.p_worse)
    plot = forest_plot([*found, nearest], "brier", forest_range([[*found, nearest]], "brier"))
    deltas = [([*found, nearest][row.index]).delta for row in plot.rows]
    assert deltas.count(nearest.delta) == 1


def test_positions_in_a_forest_plot_follow_the_scale() -> None:
    found = checks(overall=0.003, worse={"shop=MQ": -0.034}, seed=2)
    plot = forest_plot(found, "brier", Scale(-0.1, 0.1))
    assert plot.zero == 50
    assert plot.margin == pytest.approx(100 * (0.1 - 0.005) / 0.2)
    for row in plot.rows:
        check = found[row.index]
        assert check.delta is not None
        assert row.at == pytest.approx(50 + 500 * check.delta, abs=1e-3)


def test_an_interval_that_goes_on_outside_is_marked() -> None:
    found = checks(overall=0.003, worse={"shop=MQ": -0.034}, seed=2)
    for row in forest_plot(found, "brier", Scale(-0.03, 0.01)).rows:
        low, high = found[row.index].low or 0.0, found[row.index].high or 0.0
        assert (row.cut_low, row.cut_high) == (low < -0.03, high > 0.01)


def test_the_shared_range_holds_differences_of_both_candidates_and_zero() -> None:
    bad, good = checks(overall=0.0, worse={"MQ": -0.05}, seed=2), checks(overall=0.02, worse={}, seed=3)
    both = forest_range([bad, good], "brier")
    for mine in (forest_range([bad], "brier"), forest_range([good], "brier")):
        assert both.low <= mine.low + 1e-9
        assert both.high >= mine.high - 0.06 * (both.high - both.low)
    assert both.low < 0 < both.high


def test_nothing_watched_gives_no_time_chart() -> None:
    assert time_chart([], []) is None
    assert time_chart([Watch(1, 0.7, 0.68, None, [])], []) is None


def test_a_time_chart_puts_days_in_order_and_better_days_higher() -> None:
    summary = full_turn()
    chart = time_chart(summary.watches, summary.deployments)
    assert chart is not None
    for stretch in chart.stretches:
        watch = summary.watches[stretch.index]
        across = [x for x, _ in stretch.days]
        assert across == sorted(across)
        assert all(stretch.start < x < stretch.end for x in across)
        best = max(range(len(watch.days)), key=lambda day: watch.days[day].auc)
        assert stretch.days[best][1] == min(y for _, y in stretch.days)
        assert stretch.promised < stretch.limit, "the promised mean is drawn above the limit"
        assert len(stretch.weeks) == len(stretch.days) - 6
    assert chart.alarm is not None
    assert chart.live is not None
    assert chart.alarm.at == chart.stretches[0].days[-1][0]
    assert chart.alarm.at < chart.live.at
    assert chart.alarm.leans == "left", "near the right end the label stands on the left"


def test_one_day_is_enough_for_a_time_chart() -> None:
    watch = Watch(1, 0.7, 0.68, None, [DailyAuc("2024-02-29", 0.69, None)])
    chart = time_chart([watch], [Deployment(1, "2024-02-29T00:00:00.000000Z", "change", None, 1)])
    assert chart is not None
    assert chart.stretches[0].days[0][0] == 50
    assert chart.live is None
    assert all(math.isfinite(tick.at) for tick in [*chart.x_ticks, *chart.y_ticks])


@pytest.mark.parametrize(
    ("days", "labels"), [(28, ["1 Jan", "8 Jan", "15 Jan", "22 Jan"]), (91, ["Jan", "Feb", "Mar"])]
)
def test_dates_are_weeks_in_a_short_span_and_months_in_a_long_one(days: int, labels: list[str]) -> None:
    dates = [str(day) for day in _days_from_monday(days)]
    chart = time_chart([Watch(1, 0.7, 0.68, None, [DailyAuc(day, 0.7, None) for day in dates])], [])
    assert chart is not None
    assert [tick.label for tick in chart.x_ticks] == labels
    assert [tick.year for tick in chart.x_ticks] == ["2024", *[""] * (len(labels) - 1)]


def test_a_long_span_has_few_dates_and_names_each_year_once() -> None:
    dates = [str(day) for day in _days_from_monday(3 * 365)]
    chart = time_chart([Watch(1, 0.7, 0.68, None, [DailyAuc(day, 0.7, None) for day in dates])], [])
    assert chart is not None
    assert len(chart.x_ticks) <= 8
    assert [tick.year for tick in chart.x_ticks if tick.year] == ["2024", "2025", "2026"]


def _days_from_monday(count: int) -> list[date]:
    return [date(2024, 1, 1) + timedelta(days=day) for day in range(count)]
