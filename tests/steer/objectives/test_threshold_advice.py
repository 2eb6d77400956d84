from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.steer.objectives.objective_world import BEGIN, MODEL, Shop, terms_with, value_with

from assay.errors import InvalidInput
from assay.record.objective_terms import Decision, Terms
from assay.record.objectives import decide_objective
from assay.steer.objectives.thresholds import ThresholdAdvice, advise_threshold

FEBRUARY = datetime(2026, 2, 2, tzinfo=UTC)


def advised(shop: Shop, terms: Terms | None = None) -> ThresholdAdvice:
    decide_objective(shop.store, MODEL, terms or terms_with())
    shop.store.clock.advance(FEBRUARY)
    return advise_threshold(shop.store, MODEL)


def worth_at(shop: Shop, threshold: float) -> float:
    acts, labels = np.concatenate(shop.outputs) >= threshold, np.concatenate(shop.truths)
    return float(4.0 * (acts & (labels == 1)).sum() - (acts & (labels == 0)).sum())


def test_the_best_threshold_is_where_acting_begins_to_pay(shop: Shop) -> None:
    shop.serve(BEGIN, 31, rows=120)
    found = advised(shop)
    assert 0.1 < found.best < 0.3, "it pays from a probability of 1/(1 + 4) on"
    assert found.low < found.left < found.high
    assert found.low > 0.0
    point = next(one for one in found.curve if one.threshold == found.best)
    assert point.gain == pytest.approx(worth_at(shop, found.best) - worth_at(shop, 0.5))
    assert max(one.gain for one in found.curve) == point.gain
    assert found.left <= point.gain, "the best of many looks better on the rows that chose it"
    assert "instead of 0.5 would have brought" in found.words


def test_where_the_threshold_is_right_nothing_is_said_to_be_better(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    even = value_with(matrix={"late": {"leave": 0.0, "warn": 1.0}, "on time": {"leave": 0.0, "warn": -1.0}})
    found = advised(shop, terms_with(value=even))
    assert found.low <= 0.0
    assert "No other threshold than 0.5 is surely better" in found.words


def test_another_base_rate_is_another_threshold(shop: Shop) -> None:
    """Outcomes became rare: a score is worth less than the hold-out says."""
    shop.serve(BEGIN, 31, rows=120, late=lambda outputs: outputs * 0.3)
    found = advised(shop)
    assert found.best > 0.4
    assert found.base_rate == pytest.approx(0.15, abs=0.03)
    assert "known outcomes" in found.notes[0]


def test_without_enough_outcomes_calibrated_scores_decide(shop: Shop) -> None:
    shop.serve(BEGIN, 31, labelled=0.0)
    found = advised(shop)
    assert found.known == 0
    assert "by calibrated scores" in found.notes[0]
    assert 0.1 < found.best < 0.3
    truth = worth_at(shop, found.best) - worth_at(shop, 0.5)
    assert found.low <= truth <= found.high


def test_known_outcomes_of_a_part_count_for_all(shop: Shop) -> None:
    shop.serve(BEGIN, 31, rows=120, labelled=0.4)
    found = advised(shop)
    truth = worth_at(shop, found.best) - worth_at(shop, 0.5)
    assert found.low <= truth <= found.high
    assert found.decisions == 31 * 120


def test_ranges_of_values_widen_what_is_left(shop: Shop) -> None:
    shop.serve(BEGIN, 31, rows=120)
    narrow = advised(shop)
    matrix = {"late": {"leave": 0.0, "warn": (1.0, 4.0, 7.0)}, "on time": {"leave": 0.0, "warn": (-1.9, -1.0, -0.1)}}
    wide = advised(shop, terms_with(value=value_with(matrix=matrix)))
    assert wide.high - wide.low > narrow.high - narrow.low
    assert msgspec.json.encode(wide) == msgspec.json.encode(advise_threshold(shop.store, MODEL)), "the same seed"


def test_the_picture_is_a_file_of_its_own(shop: Shop, tmp_path: Path) -> None:
    shop.serve(BEGIN, 31)
    advised(shop)
    found = advise_threshold(shop.store, MODEL, plot=str(tmp_path / "curve.svg"))
    svg = (tmp_path / "curve.svg").read_text()
    assert found.plot == str(tmp_path / "curve.svg")
    assert svg.startswith("<svg")
    assert "prefers-color-scheme: dark" in svg
    advise_threshold(shop.store, MODEL, plot=str(tmp_path / "again.svg"))
    assert (tmp_path / "again.svg").read_text() == svg


def test_what_has_no_one_threshold_is_refused(shop: Shop) -> None:
    shop.serve(BEGIN, 2)
    three = Decision(drives="x", actions=["leave", "warn", "call"], thresholds=[0.3, 0.7])
    matrix = {name: {"leave": 0.0, "warn": 1.0, "call": 2.0} for name in ("late", "on time")}
    with pytest.raises(InvalidInput, match="no one threshold"):
        advised(shop, terms_with(decision=three, value=value_with(matrix=matrix)))
    decide_objective(shop.store, MODEL, terms_with())
    with pytest.raises(InvalidInput, match="decided nothing"):
        advise_threshold(shop.store, MODEL, from_="2027-01")


def test_without_a_threshold_of_its_own_that_of_the_evaluation_counts(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    found = advised(shop, terms_with(decision=Decision(drives="x", actions=["leave", "warn"])))
    assert found.shown[0].threshold == 0.5
    assert found.shown[0].acted == pytest.approx((np.concatenate(shop.outputs) >= 0.5).mean())
