from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.steer.objectives.objective_world import BEGIN, MODEL, Shop, terms_with, value_with

from assay.errors import InvalidInput
from assay.operate.labels.recording import UnitLabel, record_labels
from assay.record.objective_terms import Baseline, Cost, Decision, Terms
from assay.record.objectives import decide_objective
from assay.steer.objectives.observing import observe
from assay.steer.objectives.ranges import Ranges, interval_of, mean_of
from assay.steer.objectives.valuing import BasisValue, MonthValue, ValueReport, value_of_model


def valued(shop: Shop, terms: Terms | None = None, at: datetime = datetime(2026, 2, 2, tzinfo=UTC)) -> ValueReport:
    if at > shop.store.clock.latest():
        shop.store.clock.advance(at)
    decide_objective(shop.store, MODEL, terms or terms_with())
    return value_of_model(shop.store, MODEL)


def part(month: MonthValue, basis: str) -> BasisValue:
    (found,) = [one for one in month.parts if one.basis == basis]
    return found


def test_the_value_of_a_month_is_that_of_its_decisions_less_the_baseline_less_the_cost(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    (month,) = valued(shop).months
    outputs, labels = np.concatenate(shop.outputs), np.concatenate(shop.labels)
    warned = outputs >= 0.5
    by_hand = 4.0 * (warned & (labels == 1)).sum() - (warned & (labels == 0)).sum() - 10.0
    observed = part(month, "observed")
    assert (month.month, month.decisions, month.known, month.is_over) == ("2026-01", 1240, 1240, True)
    assert observed.value == pytest.approx(by_hand)
    assert (observed.low, observed.high) == pytest.approx((by_hand, by_hand)), "no range was given"
    assert [one.basis for one in month.parts] == ["observed"], "all is known: nothing is left to estimate"
    assert month.best() == observed

    other = terms_with(baseline=Baseline(words="everybody is warned", action="warn"))
    beside = part(valued(shop, other).months[0], "observed")
    left = ~warned
    assert beside.value == pytest.approx(-4.0 * (left & (labels == 1)).sum() + (left & (labels == 0)).sum() - 10.0)


def test_measured_observed_and_estimated_values_stand_side_by_side_and_are_never_added(shop: Shop) -> None:
    """Governance G16."""
    shop.serve(BEGIN, 31, labelled=0.4)
    shop.store.clock.advance(datetime(2026, 2, 2, tzinfo=UTC))
    decide_objective(shop.store, MODEL, terms_with())
    observe(
        shop.store,
        MODEL,
        value=900.0,
        low=700.0,
        high=1100.0,
        basis="measured",
        link="test:warn",
        from_="2026-01-01",
        to="2026-02-01",
    )
    report = value_of_model(shop.store, MODEL)
    (month,) = report.months
    assert [one.basis for one in month.parts] == ["measured", "observed", "estimated"]
    values = {one.basis: one.value for one in month.parts}
    assert values["measured"] == 900.0
    sums = [values["measured"] + values["observed"], values["observed"] + values["estimated"], sum(values.values())]
    numbers = _numbers(msgspec.to_builtins(report))
    for added in sums:
        assert not any(abs(one - added) < 1e-6 * abs(added) for one in numbers)
    best = month.best()
    assert best is not None
    assert best.basis == "measured"


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [one for inner in value.values() for one in _numbers(inner)]
    if isinstance(value, list):
        return [one for inner in value for one in _numbers(inner)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_what_is_estimated_holds_what_came_as_often_as_it_says(shop: Shop) -> None:
    for number in range(1, 13):
        shop.serve(datetime(2026, number, 1, tzinfo=UTC), 10, rows=60, labelled=0.0)
    report = valued(shop, at=datetime(2027, 1, 2, tzinfo=UTC))
    held = 0
    for month, outputs, truth in zip(report.months, _by_month(shop.outputs), _by_month(shop.truths), strict=True):
        estimated = part(month, "estimated")
        assert month.known == 0
        came = 4.0 * ((outputs >= 0.5) & (truth == 1)).sum() - ((outputs >= 0.5) & (truth == 0)).sum() - 10.0
        assert estimated.low is not None
        assert estimated.high is not None
        held += estimated.low <= came <= estimated.high
    assert held >= 10, "of 12, with 95 % each"


def _by_month(days: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    return [np.concatenate(days[begin : begin + 10]) for begin in range(0, len(days), 10)]


def test_ranges_of_values_make_the_interval_and_the_same_seed_the_same_report(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    matrix = {"late": {"leave": 0.0, "warn": (2.0, 4.0, 6.0)}, "on time": {"leave": 0.0, "warn": (-2.0, -1.0, 0.0)}}
    terms = terms_with(value=value_with(matrix=matrix), cost=Cost(per_decision=(0.0, 0.1, 0.2), source="x"))
    report = valued(shop, terms)
    observed = part(report.months[0], "observed")
    assert observed.low is not None
    assert observed.high is not None
    assert observed.low < observed.value < observed.high
    assert observed.cost == pytest.approx(0.1 * 1240)
    assert observed.probability == 1.0
    assert msgspec.json.encode(report) == msgspec.json.encode(value_of_model(shop.store, MODEL))
    other = value_of_model(shop.store, MODEL, seed=1)
    assert part(other.months[0], "observed").low != observed.low
    assert part(other.months[0], "observed").value == observed.value, "the mean is computed, not drawn"


def test_draws_of_a_range_have_its_mean_and_stay_inside() -> None:
    ranges = Ranges(0)
    draws = ranges.of("a", (1.0, 2.0, 9.0))
    assert draws.min() >= 1.0
    assert draws.max() <= 9.0
    assert draws.mean() == pytest.approx(mean_of((1.0, 2.0, 9.0)), abs=0.05) == pytest.approx(3.0, abs=0.05)
    assert (ranges.of("b", 2.0) == 2.0).all()
    assert (Ranges(0).of("a", (1.0, 2.0, 9.0)) == draws).all(), "whatever was drawn before"
    low, high = interval_of(draws)
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.95, abs=0.001)


def test_values_count_by_the_size_of_each_decision(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    by_size = part(valued(shop, terms_with(value=value_with(times="features.people"))).months[0], "observed")
    function = "features.people * case when action = 'leave' then 0 when outcome = 'late' then 4 else -1 end"
    as_function = part(valued(shop, terms_with(value=value_with(matrix={}, function=function))).months[0], "observed")
    warned, labels = np.concatenate(shop.outputs) >= 0.5, np.concatenate(shop.labels)
    people = np.concatenate(shop.people)
    by_hand = (people * np.where(labels == 1, 4.0, -1.0))[warned].sum() - 10.0
    assert by_size.value == pytest.approx(by_hand)
    assert as_function.value == pytest.approx(by_hand)


def test_a_baseline_may_be_a_rule_over_the_inputs(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    rule = "case when features.people >= 3 then 'warn' else 'leave' end"
    found = part(valued(shop, terms_with(baseline=Baseline(words="large orders are", rule=rule))).months[0], "observed")
    warned, labels = np.concatenate(shop.outputs) >= 0.5, np.concatenate(shop.labels)
    before = np.concatenate(shop.people) >= 3
    worth = np.where(labels == 1, 4.0, -1.0)
    assert found.value == pytest.approx(worth[warned].sum() - worth[before].sum() - 10.0)


@pytest.mark.parametrize(
    ("terms", "where"),
    [
        (terms_with(value=value_with(times="features.poeple")), "value.times"),
        (terms_with(baseline=Baseline(words="x", rule="'wran'")), "baseline.rule"),
        (terms_with(value=value_with(matrix={}, function="wurst(outcome)")), "value.function"),
        (terms_with(value=value_with(times="sum(output)")), "value.times"),
    ],
    ids=["unknown input", "unknown action", "unknown function", "an aggregate"],
)
def test_sql_that_cannot_be_run_is_said_with_its_key(shop: Shop, terms: Terms, where: str) -> None:
    shop.serve(BEGIN, 2)
    decide_objective(shop.store, MODEL, terms)
    with pytest.raises(InvalidInput) as caught:
        value_of_model(shop.store, MODEL)
    assert where in (caught.value.where or "")


def test_an_estimate_that_does_not_come_true_where_outcomes_are_known_is_not_believed(shop: Shop) -> None:
    shop.serve(BEGIN, 31, labelled=0.3, late=lambda outputs: outputs * 0.2)
    shop.serve(datetime(2026, 2, 1, tzinfo=UTC), 28, labelled=0.3)
    first, second = valued(shop, at=datetime(2026, 3, 2, tzinfo=UTC)).months
    assert not part(first, "estimated").is_believed
    assert "not to be believed" in part(first, "estimated").words
    assert first.best() == part(first, "observed")
    assert part(second, "estimated").is_believed
    assert second.best() == part(second, "estimated")


def test_a_month_that_goes_on_is_said_to_and_costs_its_part(shop: Shop) -> None:
    shop.serve(BEGIN, 10)
    (month,) = valued(shop, at=datetime(2026, 1, 11, tzinfo=UTC)).months
    assert not month.is_over
    assert part(month, "observed").cost == pytest.approx(10.0 * 10 / 31)


def test_outcomes_that_need_time_keep_a_month_open(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    terms = terms_with(outcome_after="10d")
    assert not valued(shop, terms, at=datetime(2026, 2, 5, tzinfo=UTC)).months[0].is_over
    shop.store.clock.advance(datetime(2026, 2, 12, tzinfo=UTC))
    assert value_of_model(shop.store, MODEL).months[0].is_over


def test_months_are_chosen_and_an_experiment_of_another_span_stands_apart(shop: Shop) -> None:
    shop.serve(BEGIN, 90)
    shop.store.clock.advance(datetime(2026, 4, 5, tzinfo=UTC))
    decide_objective(shop.store, MODEL, terms_with())
    observe(shop.store, MODEL, value=900.0, basis="measured", link="test:warn", from_="2026-01-10", to="2026-02-20")
    report = value_of_model(shop.store, MODEL, from_="2026-02", to="2026-02")
    assert [one.month for one in report.months] == ["2026-02"]
    assert [one.value for one in report.measured] == [900.0]
    with pytest.raises(InvalidInput, match="is after"):
        value_of_model(shop.store, MODEL, from_="2026-03", to="2026-02")
    with pytest.raises(InvalidInput, match="a month such as"):
        value_of_model(shop.store, MODEL, from_="spring")


def test_an_objective_without_values_has_none(shop: Shop) -> None:
    kpi = msgspec.structs.replace(terms_with().kpi, source="outside", said_by="finance")
    with pytest.raises(InvalidInput, match="has no values"):
        valued(shop, terms_with(value=None, kpi=kpi))


def test_labels_that_are_no_outcome_are_counted_and_left_out(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    terms = terms_with(value=value_with(outcomes={"late": 1.0, "on time": 7.0}))
    report = valued(shop, terms)
    (month,) = report.months
    assert month.known == int((np.concatenate(shop.labels) == 1).sum())
    assert month.other == 1240 - month.known
    assert any("none of the outcomes" in note for note in report.notes)
    assert any("nothing is estimated" in note for note in report.notes)


def test_a_label_of_a_unit_counts_for_the_last_decision_before_it(shop: Shop) -> None:
    shop.serve(BEGIN, 1, rows=4, labelled=0.0)
    early, late = BEGIN + timedelta(seconds=30), BEGIN + timedelta(hours=1)
    labels = [UnitLabel(MODEL, "u0", "e1", 0.0, early), UnitLabel(MODEL, "u1", "e2", 1.0, late)]
    record_labels(shop.store, [*labels, UnitLabel(MODEL, "u1", "e3", 0.0, late + timedelta(hours=1))])
    (month,) = valued(shop, terms_with(cost=Cost(), decision=Decision(drives="x", actions=["leave", "warn"]))).months
    assert month.known == 2, "of each unit one decision: the first of u0, the second of u1"
    acts = np.concatenate(shop.outputs) >= 0.5
    assert part(month, "observed").value == pytest.approx(-1.0 * acts[0] - 1.0 * acts[3]), "the last event counts"


def test_scores_of_a_version_that_was_never_evaluated_are_taken_as_they_are_and_that_is_said(shop: Shop) -> None:
    shop.serve(BEGIN, 31, labelled=0.0)
    shop.store.remove("evaluation", {"mv_id": shop.version.mv_id})
    report = valued(shop, terms_with(cost=Cost()))
    estimated = part(report.months[0], "estimated")
    outputs = np.concatenate(shop.outputs)
    warned = outputs >= 0.5
    assert estimated.value == pytest.approx((4.0 * outputs - (1 - outputs))[warned].sum())
    assert "by scores as they are" in estimated.words
    assert any("never evaluated" in note for note in report.notes)


def test_labels_count_as_they_were_known(shop: Shop) -> None:
    shop.serve(BEGIN, 31, known_after=timedelta(days=1))
    assert valued(shop).months[0].known == 1240
