import math
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from assay.errors import AlreadyExists, InvalidInput, NotFound
from assay.operate.monitor import (
    Monitor,
    MonitorState,
    Reference,
    check_day,
    create_monitor,
    daily_auc,
    load_monitor,
    monitor_state,
    reference_of,
)
from assay.record.sqlstore import SqlStore
from assay.stats import BettingTest

Day = tuple[NDArray[np.float64], NDArray[np.float64]]
REFERENCE = Reference(days=60, mean=0.75, lower=0.74)


def _day(generator: np.random.Generator, shift: float, rows: int = 200) -> Day:
    """Labels and scores of a day; AUC is Phi(shift / sqrt 2)."""
    labels = (generator.random(rows) < 0.3).astype(float)
    scores = 1 / (1 + np.exp(-generator.normal(shift * labels)))
    return labels, scores


def _monitor(store: SqlStore, reference: Reference = REFERENCE, tolerance: float = 0.0) -> Monitor:
    return create_monitor(store, "delays", "delays", "mv", reference, tolerance=tolerance)


def _scores_of(auc: float, pairs: int = 100) -> Day:
    """A day whose AUC is exactly that share of `pairs` hundredths: positives all score the same."""
    below = round(auc * pairs)
    labels = np.concatenate([np.zeros(pairs), np.ones(10)])
    return labels, np.concatenate([np.full(below, 0.2), np.full(pairs - below, 0.8), np.full(10, 0.5)])


# --- one day ----------------------------------------------------------------------------------------------------------


def test_the_daily_auc_is_that_of_the_rows_with_a_label() -> None:
    labels, scores = _day(np.random.default_rng(0), 1.0)
    known = labels.copy()
    known[::3] = np.nan
    expected = roc_auc_score(known[~np.isnan(known)], scores[~np.isnan(known)])
    assert daily_auc(known, scores) == pytest.approx(expected, abs=2e-3)
    assert daily_auc(*_scores_of(0.73)) == pytest.approx(0.73)


@pytest.mark.parametrize("positives", [0, 9])
def test_a_day_with_few_of_a_class_has_none(positives: int) -> None:
    labels = np.concatenate([np.ones(positives), np.zeros(100)])
    assert math.isnan(daily_auc(labels, np.linspace(0, 1, len(labels))))
    assert math.isnan(daily_auc(1 - labels, np.linspace(0, 1, len(labels))))
    assert not math.isnan(daily_auc(np.concatenate([np.ones(10), labels]), np.linspace(0, 1, len(labels) + 10)))


# --- the reference ----------------------------------------------------------------------------------------------------


def test_the_reference_is_the_mean_and_its_lower_t_bound() -> None:
    days = [_scores_of(0.7), _scores_of(0.8)] * 8
    reference = reference_of([*days, _scores_of(0.7, pairs=5)], alpha=0.05)
    spread = math.sqrt(16 * 0.05**2 / 15)
    assert reference.days == 16, "the day with five of a class does not count"
    assert reference.mean == pytest.approx(0.75)
    assert reference.lower == pytest.approx(0.75 - 2.13145 * spread / 4, abs=1e-5)  # t table: .975 with 15 degrees


def test_a_short_hold_out_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"the hold-out has 9 days with labels\n  expected: 10 or more"):
        reference_of([_scores_of(0.7)] * 9, alpha=0.05)


@pytest.mark.parametrize("alpha", [0, 0.5, -0.1, math.nan])
def test_alpha_outside_its_range_is_refused(store: SqlStore, alpha: float) -> None:
    with pytest.raises(InvalidInput, match="alpha is"):
        reference_of([_scores_of(0.7)] * 10, alpha=alpha)
    with pytest.raises(InvalidInput, match="alpha is"):
        create_monitor(store, "delays", "delays", "mv", REFERENCE, tolerance=0, alpha=alpha)


# --- the monitor ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [-0.01, math.nan, 0.74, math.inf])
def test_a_tolerance_that_leaves_no_limit_is_refused(store: SqlStore, tolerance: float) -> None:
    with pytest.raises(InvalidInput, match="tolerance"):
        _monitor(store, tolerance=tolerance)
    with pytest.raises(InvalidInput, match="the limit on the mean daily AUC would be 1"):
        _monitor(store, Reference(60, 1.0, 1.0))
    assert store.query("monitor") == []


def test_a_monitor_is_read_back_as_it_was_made(store: SqlStore) -> None:
    monitor = _monitor(store, tolerance=0.02)
    assert monitor.limit == pytest.approx(0.72)
    assert load_monitor(store, monitor.monitor_id) == monitor
    with pytest.raises(NotFound, match="no monitor 'x'"):
        load_monitor(store, "x")


def test_a_new_monitor_switches_earlier_ones_of_its_endpoint_off(store: SqlStore) -> None:
    first = _monitor(store)
    other = create_monitor(store, "prices", "prices", "mv", REFERENCE, tolerance=0)
    second = _monitor(store)
    enabled = {row["monitor_id"]: row["enabled"] for row in store.query("monitor")}
    assert enabled == {first.monitor_id: 0, other.monitor_id: 1, second.monitor_id: 1}


def test_before_the_first_day_nothing_is_said(store: SqlStore) -> None:
    assert monitor_state(store, _monitor(store)) == MonitorState(0, None, 1.0, None, None)


def test_a_day_without_enough_labels_is_recorded_and_changes_nothing(store: SqlStore) -> None:
    monitor = _monitor(store)
    state = check_day(store, monitor, "2013-08-01", np.array([1.0, 0.0, np.nan]), np.array([0.1, 0.2, 0.3]))
    assert state == MonitorState(0, None, 1.0, None, None)
    (check,) = store.query("monitor_check")
    assert (check["status"], check["value"]) == ("no_data", None)


def test_a_day_is_checked_once(store: SqlStore) -> None:
    monitor = _monitor(store)
    state = check_day(store, monitor, "2013-08-01", *_scores_of(0.7))
    for again in (_scores_of(0.2), (np.array([1.0]), np.array([0.5]))):
        with pytest.raises(AlreadyExists):
            check_day(store, monitor, "2013-08-01", *again)
    assert monitor_state(store, monitor) == state


def test_the_alarm_comes_when_quality_falls_and_opens_one_alert(store: SqlStore) -> None:
    store.clock.advance(datetime(2013, 9, 1, tzinfo=UTC))
    monitor = _monitor(store)
    aucs = [0.76, 0.73, 0.75, *[0.6] * 40]
    by_hand = BettingTest(1 - monitor.limit)
    states = []
    for number, auc in enumerate(aucs):
        labels, scores = _scores_of(auc)
        states.append(check_day(store, monitor, f"day {number:02}", labels, scores))
        by_hand.update(1 - daily_auc(labels, scores))
        assert states[-1] == monitor_state(store, load_monitor(store, monitor.monitor_id))
        assert states[-1].e_value == pytest.approx(math.exp(by_hand.log_largest))
    first = next(number for number, state in enumerate(states) if state.alarm_day)
    assert 5 < first < 40
    assert states[first - 1].e_value < 2 / monitor.alpha <= states[first].e_value
    assert {state.alarm_day for state in states[first:]} == {f"day {first:02}"}
    (alert,) = store.query("alert")
    assert {state.alert_id for state in states[first:]} == {alert["alert_id"]}
    assert alert["message"] == (
        f"daily AUC of delays is proven below 0.740 (promoted with 0.750), seen after {first + 1} days"
    )
    assert alert["opened"] == "2013-09-01T00:00:00.000000Z"
    assert [check["status"] for check in store.query("monitor_check", order_by=["window"])] == [
        *["ok"] * first,
        *["alarm"] * (len(aucs) - first),
    ]


def test_a_day_whose_labels_come_late_does_not_move_the_alarm_back(store: SqlStore) -> None:
    monitor = _monitor(store)
    for number in range(2, 60):
        state = check_day(store, monitor, f"day {number:02}", *_scores_of(0.55))
    assert state.alarm_day
    late = check_day(store, monitor, "day 01", *_scores_of(0.8))
    assert (late.alarm_day, late.alert_id) == (state.alarm_day, state.alert_id)
    assert late.days == 59
    assert late.e_value == state.e_value, "the largest so far stands"
    assert len(store.query("alert")) == 1


def test_evidence_beyond_all_floats_is_told_as_the_largest(store: SqlStore) -> None:
    monitor = _monitor(store, Reference(60, 0.995, 0.99))
    rows = [
        {"monitor_id": monitor.monitor_id, "window": f"{day:03}", "status": "alarm", "value": 0.0} for day in range(400)
    ]
    store.append_many("monitor_check", rows)
    assert monitor_state(store, monitor).e_value == pytest.approx(sys.float_info.max)


# --- how often it alarms without cause --------------------------------------------------------------------------------


def test_days_at_the_reference_alarm_no_more_often_than_alpha(store: SqlStore) -> None:
    """The whole procedure, with the bound estimated from a hold-out of 60 days as noisy as the 60 watched ones."""
    generator = np.random.default_rng(1)
    alpha, sequences, days = 0.2, 400, 60
    alarms = 0
    for _ in range(sequences):
        held_out, watched = np.clip(generator.normal(0.72, 0.05, (2, days)), 0, 1)
        lower = held_out.mean() - 1.6711 * held_out.std(ddof=1) / math.sqrt(days)  # t table: .95 with 59 degrees
        test = BettingTest(1 - lower + 0.0)
        for value in watched:
            test.update(1 - value)
        alarms += test.rejects(alpha / 2)
    assert alarms / sequences <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / sequences)


def test_a_steady_model_is_left_in_peace(store: SqlStore) -> None:
    generator = np.random.default_rng(2)
    for number in range(3):
        reference = reference_of([_day(generator, 0.9) for _ in range(40)], alpha=0.05)
        monitor = create_monitor(store, f"e{number}", "delays", "mv", reference, tolerance=0)
        for day in range(15):
            state = check_day(store, monitor, f"{day:02}", *_day(generator, 0.9))
        assert state.alarm_day is None
        assert state.e_value < 10


def test_a_model_that_fell_is_found(store: SqlStore) -> None:
    generator = np.random.default_rng(3)
    reference = reference_of([_day(generator, 1.2) for _ in range(40)], alpha=0.05)
    monitor = _monitor(store, reference)
    state = monitor_state(store, monitor)
    for day in range(40):
        state = check_day(store, monitor, f"{day:02}", *_day(generator, 0.1))
    assert state.alarm_day is not None
