import math
from datetime import timedelta

import numpy as np
import pytest
from tests.operate.monitors.labelled_helpers import DAY, finding, look, monitor_for, window_of

from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kind import Outcome
from assay.operate.monitors.kinds import label_drift
from assay.record.sqlstore import SqlStore


def _watched(
    store: SqlStore,
    shares: list[float],
    *,
    seed: int = 0,
    rows: int = 800,
    length: timedelta = DAY,
    **said: object,
) -> list[Outcome]:
    generator = np.random.default_rng(seed)
    monitor = monitor_for(store, Definition(kind="label_drift", **said))  # type: ignore[arg-type]
    outcomes = []
    for number, share in enumerate(shares):
        labels = (generator.random(rows) < share).astype(float)
        window = window_of(number, np.full(rows, 0.3), labels, length=length)
        outcomes.append(look(store, label_drift.LabelDrift(), monitor, window))
    return outcomes


def test_a_shift_of_the_share_is_told_when_it_comes_twice(store: SqlStore) -> None:
    outcomes = _watched(store, [0.3] * 12 + [0.45, 0.45])
    assert {outcome.status for outcome in outcomes[6:12]} == {"ok"}
    assert outcomes[12].status == "watch"
    assert "once so far" in outcomes[12].words
    assert outcomes[13].status == "alarm"
    found = finding(outcomes[13], "label")
    assert found.value is not None
    assert found.bound is not None
    assert found.value > found.bound > 0.3
    assert "usual of all windows is" in found.words
    assert "(12 windows)" in found.words


def test_what_windows_usually_move_by_is_no_drift(store: SqlStore) -> None:
    """A logit that wanders by 0.25 from window to window: each window against chance alone would alarm."""
    wander = 1 / (1 + np.exp(-np.random.default_rng(3).normal(-0.8, 0.25, 60)))
    outcomes = _watched(store, wander.tolist(), rows=5000)
    assert sum(outcome.status == "alarm" for outcome in outcomes) == 0
    assert sum(outcome.status == "watch" for outcome in outcomes[6:]) <= 3
    assert {outcome.status for outcome in outcomes[:6]} == {"uncalibrated"}


def test_a_shift_too_small_to_matter_is_not_told(store: SqlStore) -> None:
    outcomes = _watched(store, [0.3] * 20 + [0.34] * 5, rows=20_000)
    assert {outcome.status for outcome in outcomes[20:]} == {"ok"}
    strict = _watched(store, [0.3] * 20 + [0.34] * 5, rows=20_000, floor=0.01)
    assert strict[-1].status == "alarm"


def test_one_long_window_is_a_reference_by_its_days(store: SqlStore) -> None:
    outcomes = _watched(store, [0.3, 0.3, 0.45, 0.45], rows=3000, length=30 * DAY)
    assert outcomes[0].status == "uncalibrated"
    assert [outcome.status for outcome in outcomes[1:]] == ["ok", "watch", "alarm"]
    assert "(days within windows)" in outcomes[3].words


def test_days_that_hang_together_widen_what_is_usual() -> None:
    generator = np.random.default_rng(4)
    day = np.repeat(np.arange(30), 200)
    level = np.clip(generator.normal(0.3, 0.12, 30), 0.02, 0.98)
    labels = (generator.random(6000) < level[day]).astype(float)
    part = label_drift._part(labels, day)
    by_rows = part.variance / part.rows
    assert part.squared_error() > 5 * by_rows
    assert math.sqrt(part.squared_error()) == pytest.approx(0.12 / math.sqrt(30), rel=0.35)
    assert label_drift._part(labels, np.zeros(6000, dtype=np.int64)).squared_error() == pytest.approx(by_rows)


def test_numbers_are_held_against_their_spread(store: SqlStore) -> None:
    generator = np.random.default_rng(5)
    monitor = monitor_for(store, Definition(kind="label_drift"))
    for number in range(14):
        labels = generator.normal(100 if number < 12 else 108, 20, 500)
        outcome = look(store, label_drift.LabelDrift(), monitor, window_of(number, labels, labels))
    assert outcome.status == "alarm"
    assert "the mean label of all rows is 10" in outcome.words
    assert finding(outcome, "label").measure == "mean"


def test_segments_are_judged_by_themselves(store: SqlStore) -> None:
    generator = np.random.default_rng(6)
    monitor = monitor_for(store, Definition(kind="label_drift", segments=["origin"]))
    for number in range(14):
        origin = np.where(generator.random(2000) < 0.15, "JFK", "EWR")
        share = np.where((origin == "JFK") & (number >= 12), 0.55, 0.3)
        labels = (generator.random(2000) < share).astype(float)
        window = window_of(number, np.full(2000, 0.3), labels, origin=origin)
        outcome = look(store, label_drift.LabelDrift(), monitor, window)
    assert finding(outcome, "label", "origin=JFK").state == "drift"
    assert finding(outcome, "label", "origin=EWR").state == "ok"


def test_mondays_are_compared_with_mondays(store: SqlStore) -> None:
    shares = [0.5 if day % 7 == 0 else 0.2 for day in range(70)]  # the first day is a Monday
    seasonal = _watched(store, shares, season="weekday", seed=7)
    assert all(outcome.status in ("ok", "watch") for outcome in seasonal[56:])
    assert "usual of Mondays" in seasonal[63].words
    odd = _watched(store, [*shares, 0.2], season="weekday", seed=7)
    assert finding(odd[-1], "label").raised, "a Monday like any other day"


def test_too_few_labels_say_nothing(store: SqlStore) -> None:
    monitor = monitor_for(store, Definition(kind="label_drift"))
    labels = np.where(np.arange(100) < 10, 1.0, np.nan)
    outcome = look(store, label_drift.LabelDrift(), monitor, window_of(0, np.full(100, 0.5), labels))
    assert outcome.status == "no_data"


def test_clean_windows_are_flagged_no_more_often_than_alpha(store: SqlStore) -> None:
    """What one window shows, before persistence and with no floor: two-sided, ten reference windows that wander."""
    from assay.operate.monitors.kinds.label_drift import prediction
    from assay.stats import BINARY

    generator = np.random.default_rng(9)
    monitor = monitor_for(store, Definition(kind="label_drift", alpha=0.05, floor=0.0))
    flagged, runs = 0, 600
    for _ in range(runs):
        shares = 1 / (1 + np.exp(-generator.normal(-0.8, 0.15, 11)))
        parts = [
            label_drift._part((generator.random(800) < share).astype(float), np.zeros(800, dtype=np.int64))
            for share in shares
        ]
        found = prediction(parts[-1], parts[:-1], BINARY, monitor)
        assert found is not None
        flagged += found.p <= 0.05
    assert flagged / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert flagged / runs >= 0.02, "nor asleep"
