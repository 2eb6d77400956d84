"""What is asked of an endpoint's past: plans, and the check of metrics on the user's own log."""

import math
from dataclasses import replace
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from tests.operate.online_tests.online_world import ACCURACY, BEGIN, coin, endpoint, names, serve
from tests.operate.serving_helpers import ENDPOINT

from assay.errors import InvalidInput
from assay.operate.online_tests.definition import Design
from assay.operate.online_tests.history import read_history
from assay.operate.online_tests.judging import look_of
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.planning import Wanted, plan_history
from assay.operate.online_tests.self_checking import check_history
from assay.record.sqlstore import SqlStore
from assay.stats.duration import mean_units, noninferiority_units
from assay.stats.effects import Effect, Sums, difference
from assay.stats.group_sequential import inflation

_DAY = timedelta(days=1)


def _returning(store: SqlStore, units: int = 300, visits: int = 8) -> None:
    """Units that come back and always answer alike: their rows say the same again and again."""
    endpoint(store)
    habits = dict(zip(names(units), np.random.default_rng(5).random(units), strict=True))
    random = np.random.default_rng(6)
    order = [name for name in habits for _ in range(visits)]
    random.shuffle(order)
    answers = [float(random.random() < (0.05 if habits[unit] < 0.5 else 0.95)) for unit in order]
    serve(store, order, at=BEGIN, every=timedelta(seconds=30), label=lambda _, place: answers[place])
    store.clock.advance(BEGIN + 10 * _DAY)


def test_units_hold_alpha_where_rows_taken_as_independent_do_not(store: SqlStore) -> None:
    _returning(store)
    metric = Metric(name="said_yes", numerator="label", direction="up", maturity="1h", window="2d")
    found = check_history(store, ENDPOINT, [metric], 200, 10, "anytime", 0.05, 28.0, 1)
    (one,) = found.metrics
    assert one.units == 300
    assert one.by_units.rate <= 0.05
    assert one.by_rows.low > 0.05
    assert found.outcome == "pass"


def test_a_log_in_which_no_unit_is_closed_yet_proves_nothing(store: SqlStore) -> None:
    endpoint(store)
    serve(store, ["u"], at=BEGIN, every=timedelta(seconds=30))
    store.clock.advance(BEGIN + _DAY)
    metric = Metric(name="brier", numerator="brier", maturity="7d", window="2d")
    found = check_history(store, ENDPOINT, [metric], 20, 5, "anytime", 0.05, 28.0, 1)
    assert (found.metrics[0].units, found.metrics[0].outcome, found.outcome) == (0, "inconclusive", "inconclusive")


def test_a_plan_counts_new_units_and_says_what_makes_it_longer(store: SqlStore) -> None:
    _returning(store)
    metric = Metric(name="said_yes", numerator="label", direction="up", maturity="1d", window="2d")
    history = read_history(store, ENDPOINT, [metric], store.clock.latest(), 28.0)
    one = history.metrics[0]
    assert one.closed == len(one.closed_us) == 300
    wanted = Wanted(0.1, None, "fixed", 1, 0.05, 0.8)
    plan = plan_history(ENDPOINT, [metric], history, wanted)
    (said,) = plan.metrics
    assert said.units == int(np.ceil(mean_units(0.1, one.columns["y"].std(ddof=1), 0.05, 0.8)))
    assert said.correlation == pytest.approx(0.8, abs=0.1)
    assert said.rows_per_unit == 8.0
    assert plan.waits_days == 3.0
    anytime = plan_history(ENDPOINT, [metric], history, Wanted(0.1, None, "anytime", 1, 0.05, 0.8))
    assert anytime.units > plan.units
    assert any("for looking at any time" in word for word in anytime.words)


def test_a_plan_from_given_numbers_needs_no_log() -> None:
    wanted = Wanted(0.25, None, "fixed", 1, 0.05, 0.9, level=0.5, deviation=1.0, traffic=100.0)
    plan = plan_history(ENDPOINT, [ACCURACY], None, wanted)
    assert plan.units == int(np.ceil(mean_units(0.25, 1.0, 0.05, 0.9)))
    assert plan.days == pytest.approx(plan.total / 100 + 1 / 24, abs=0.01)


def test_a_covariate_saves_units(store: SqlStore) -> None:
    endpoint(store)
    for day in range(2):
        toss = coin(3, lambda _: 0.5)
        serve(store, names(400), at=BEGIN + day * _DAY, label=toss)  # the same units say the same again
    store.clock.advance(BEGIN + 5 * _DAY)
    plain = Metric(name="m", numerator="label", direction="up", maturity="1h", window="0s")
    history = read_history(store, ENDPOINT, [plain], store.clock.latest(), 4.5)
    assert len(history.metrics[0].closed_us) == 400


def test_alpha_of_a_plan_is_one_sided_for_guardrails_and_shared_by_success_metrics_and_versions() -> None:
    gain = Metric(name="gain", direction="up", maturity="0s")
    guard = Metric(name="guard", numerator="error", role="guardrail", margin=0.02)
    wanted = Wanted(0.02, None, "fixed", 5, 0.05, 0.8, 0.5, 0.5, 1000.0, 2)
    plan = plan_history("e", [gain, guard], None, wanted)
    assert plan.total == 3 * plan.units
    one, other = plan.metrics
    assert one.fixed_units == math.ceil(mean_units(0.02, 0.5, 0.05 / 2, 0.9))
    assert other.fixed_units == noninferiority_units(0.25, 0.02, alpha=0.05, power=0.9)
    looks = plan_history("e", [guard], None, msgspec.structs.replace(wanted, design="group"))
    assert looks.metrics[0].inflation == inflation(5, 0.1, 0.8)


def _served_without_errors(store: SqlStore, units: int) -> None:
    endpoint(store)
    serve(store, names(units), at=BEGIN, label=coin(3, lambda _: 0.5))
    store.clock.advance(BEGIN + 5 * _DAY)


def test_a_guardrail_that_had_no_event_yet_is_said_beside_a_plan_of_the_others(store: SqlStore) -> None:
    _served_without_errors(store, 400)
    errors = Metric(name="errors", numerator="error", role="guardrail", margin=0.01, window="0s")
    history = read_history(store, ENDPOINT, [ACCURACY, errors], store.clock.latest(), 28.0)
    plan = plan_history(ENDPOINT, [ACCURACY, errors], history, Wanted(0.1, None, "anytime", 5, 0.05, 0.8))
    (planned,), (left_out,) = plan.metrics, plan.unplanned
    assert (planned.metric, left_out.metric, left_out.closed, left_out.level) == ("wrong", "errors", 400, 0.0)
    assert left_out.most == pytest.approx(3 / 400, rel=0.01)
    assert "all 400 closed units have the value 0" in left_out.words
    assert left_out.units is not None
    held = [look_of(Design(), errors, _nothing_in(n), [], 1)[0].high for n in (left_out.units - 1, left_out.units)]
    assert held[0] >= 0.01 > held[1], "a look proves the margin from that number of units on, and not before"
    assert plan.units == max(planned.units, left_out.units)
    assert plan.limiting == ("errors" if left_out.units > planned.units else "wrong")


def _nothing_in(units: int) -> Effect:
    sums = Sums.of(np.zeros(units))
    return difference([sums], [sums])


@pytest.mark.parametrize("design", ["group", "fixed"])
def test_planned_looks_hold_a_guardrail_without_events_at_their_end(store: SqlStore, design: str) -> None:
    _served_without_errors(store, 40)
    errors = Metric(name="errors", numerator="error", role="guardrail", margin=0.01, window="0s")
    history = read_history(store, ENDPOINT, [errors], store.clock.latest(), 28.0)
    plan = plan_history(ENDPOINT, [errors], history, Wanted(None, None, design, 5, 0.05, 0.8))
    assert not plan.metrics
    assert plan.units == plan.unplanned[0].units
    assert plan.words[0] == "errors takes longest"
    planned = Design(kind="fixed", n=plan.units)
    look = look_of(planned, errors, _nothing_in(plan.units), [1.0], 1)
    assert look[0].high < 0.01


def test_a_metric_without_labels_yet_is_named_and_one_alone_is_refused(store: SqlStore) -> None:
    endpoint(store)
    serve(store, names(40), at=BEGIN, label=lambda *_: None)
    store.clock.advance(BEGIN + 5 * _DAY)
    errors = Metric(name="errors", numerator="error", role="guardrail", margin=0.01, window="0s")
    history = read_history(store, ENDPOINT, [ACCURACY, errors], store.clock.latest(), 28.0)
    wanted = Wanted(0.1, None, "anytime", 5, 0.05, 0.8)
    plan = plan_history(ENDPOINT, [ACCURACY, errors], history, wanted)
    assert [one.metric for one in plan.unplanned] == ["wrong", "errors"]
    assert "no closed unit has a value yet" in plan.unplanned[0].words
    assert plan.limiting == "errors"
    alone = replace(history, metrics=history.metrics[:1])
    with pytest.raises(InvalidInput, match="no closed unit has a value yet"):
        plan_history(ENDPOINT, [ACCURACY], alone, wanted)
