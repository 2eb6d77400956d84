"""Calibration, fairness, estimates and what a change is made of, each from windows of mature labels."""

import math

import numpy as np
import pytest
from tests.operate.monitors.labelled_helpers import finding, look, monitor_for, window_of

from assay.errors import InvalidInput
from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kinds import KIND_OF
from assay.operate.monitors.kinds.attribution import in_words
from assay.operate.monitors.kinds.calibration import Calibration, logistic_slope
from assay.operate.monitors.kinds.estimate import Estimate
from assay.operate.monitors.kinds.fairness import Fairness
from assay.record.sqlstore import SqlStore
from assay.stats import kitagawa


def test_answers_that_come_true_less_often_than_said_are_found(store: SqlStore) -> None:
    chance = np.random.default_rng(0)
    monitor = monitor_for(store, Definition(kind="calibration"))
    states = []
    for day in range(7):
        p = chance.beta(2, 4, 2000)
        y = (chance.random(2000) < (p if day < 4 else p * 0.5)).astype(float)
        outcome = look(store, Calibration(), monitor, window_of(day, p, y))
        states.append(outcome.status)
    assert states == ["ok"] * 4 + ["watch", "alarm", "alarm"]
    found = finding(outcome, "calibration", measure="in the large")
    assert found.value == pytest.approx(y.mean() - p.mean())
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high < -0.05


def test_the_slope_is_that_of_a_logistic_regression() -> None:
    chance = np.random.default_rng(1)
    x = chance.normal(0, 1, 20_000)
    y = (chance.random(20_000) < 1 / (1 + np.exp(-x))).astype(float)
    slope, error = logistic_slope(1 / (1 + np.exp(-2 * x)), y)
    assert slope == pytest.approx(0.5, abs=4 * error)
    assert error == pytest.approx(0.009, abs=0.003)
    assert all(math.isnan(one) for one in logistic_slope(np.full(10, 0.5), y[:10]))


def test_a_group_is_accused_only_by_proof_and_a_small_one_is_said_to_be_small(store: SqlStore) -> None:
    chance = np.random.default_rng(2)
    monitor = monitor_for(store, Definition(kind="fairness", segments=["race"], metric="recall", tolerance=0.05))
    for year in range(2):
        race = np.repeat(["1", "2", "5"], [6000, 3000, 39])
        y = np.ones(len(race))
        right = np.where(race == "1", 0.85, np.where(race == "2", 0.70, 0.37))
        s = np.where(chance.random(len(race)) < right, 0.9, 0.1)
        outcome = look(store, Fairness(), monitor, window_of(year, s, y, race=race))
    assert outcome.status == "alarm"
    assert finding(outcome, "recall", "race=2").state == "drift"
    small = finding(outcome, "recall", "race=5")
    assert small.state == "no_data"
    assert not small.raised
    assert "rests on 39 rows, which is too small a group" in small.words


def test_groups_that_are_alike_are_left_in_peace(store: SqlStore) -> None:
    chance = np.random.default_rng(3)
    monitor = monitor_for(store, Definition(kind="fairness", segments=["sex"]))
    for day in range(4):
        sex, y = chance.choice(["1", "2"], 3000), chance.integers(0, 2, 3000).astype(float)
        s = np.where(chance.random(3000) < 0.8, y, 1 - y) * 0.8 + 0.1
        outcome = look(store, Fairness(), monitor, window_of(day, s, y, sex=sex))
        assert outcome.status == "ok"
    with pytest.raises(InvalidInput, match="fairness between which groups"):
        look(store, Fairness(), monitor_for(store, Definition(kind="fairness")), window_of(9, s, y))


def test_an_estimate_says_what_it_rests_on_and_asks_to_be_tested(store: SqlStore) -> None:
    chance = np.random.default_rng(4)
    watched = monitor_for(store, Definition(kind="performance", metric="accuracy"))
    monitor = monitor_for(store, Definition(kind="estimate", metric="accuracy"))
    for day in range(26):
        p = chance.beta(2, 4, 800)
        y = (chance.random(800) < (p if day < 8 else 1 - p)).astype(float)  # the world turns round
        outcome = look(store, Estimate(), monitor, window_of(day, p))
        if day == 0:
            assert "no estimate was tested yet" in finding(outcome, "back-test").words
        if day == 8:
            assert finding(outcome, "back-test").state == "ok"
        look(store, KIND_OF["performance"], watched, window_of(day, p, y))
    assert outcome.status == "uncalibrated", "there is no hold-out"
    assert "estimated under covariate shift only" in outcome.words
    assert finding(outcome, "back-test").state == "watch"
    assert "not to be believed" in outcome.words


def test_traffic_that_moved_is_told_from_a_model_that_changed() -> None:
    rows = np.array([600, 300, 100])
    moved = np.array([100, 300, 600])
    rates = np.array([0.95, 0.9, 0.8])
    values = ["a", "b", "c"]
    mix = kitagawa(rows, rows * rates, moved, moved * rates)
    assert "the model is unchanged, the traffic moved" in in_words(mix, "accuracy", "origin", values)
    rate = kitagawa(rows, rows * rates, rows, rows * np.array([0.95, 0.7, 0.8]))
    said = in_words(rate, "accuracy", "origin", values)
    assert said.endswith("the model answers differently well, most of all at origin=b")
