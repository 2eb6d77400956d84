"""The order in which evidence speaks, on sums that are given."""

import math
from collections.abc import Mapping

import msgspec
import numpy as np
import pytest
from tests.operate.online_tests.online_rows import a_test

from assay.operate.online_tests.aggregating import ExactSums
from assay.operate.online_tests.definition import Design, OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.judging import effects_of, look_of
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.needed import units_until
from assay.operate.online_tests.readings import Seen, TestReading
from assay.operate.online_tests.reallocating import new_shares
from assay.operate.online_tests.status import judge
from assay.stats import normal
from assay.stats.anytime import asymptotic_interval
from assay.stats.effects import Effect, Sums, difference
from assay.stats.group_sequential import Spending, boundaries

GAIN = Metric(name="gain", direction="up", maturity="1d")
ERROR = Metric(name="error", numerator="error", role="guardrail", margin=0.01)
LOSS = Metric(name="loss", numerator="wrong", maturity="1d", role="guardrail", margin=0.01)


def _evidence(counts: Mapping[str, Mapping[int, tuple[int, int]]], phase: int = 1) -> Evidence:
    """Successes of trials by metric and arm."""
    found = Evidence(10**12, 0)
    for name, arms in counts.items():
        for arm, (y, n) in arms.items():
            found.sums[phase, arm, name] = ExactSums(n, {"y": y, "yy": y}, {"y": 0})
            found.closed[phase, arm, name] = n
            found.exposed[phase, arm] = n
    return found


def _judged(test: OnlineTest, evidence: Evidence, seen: Seen | None = None) -> TestReading:
    return judge(test, evidence, seen or Seen(), "1970-01-12T13:46:40.000000Z")


def test_a_success_and_guardrails_within_their_margins_pass() -> None:
    evidence = _evidence(
        {"gain": {0: (5000, 20_000), 1: (6000, 20_000)}, "error": {0: (200, 20_000), 1: (200, 20_000)}}
    )
    reading = _judged(a_test(GAIN, ERROR), evidence)
    assert reading.outcome == "pass"
    assert reading.needed_units == 0


def test_a_harmed_guardrail_fails_however_good_the_rest_is() -> None:
    evidence = _evidence(
        {"gain": {0: (5000, 20_000), 1: (6000, 20_000)}, "error": {0: (200, 20_000), 1: (900, 20_000)}}
    )
    reading = _judged(a_test(GAIN, ERROR), evidence)
    assert reading.outcome == "fail"
    assert "error is proven to be harmed" in reading.words[0]


def test_without_proof_that_a_guardrail_holds_nothing_passes() -> None:
    evidence = _evidence({"gain": {0: (500, 2000), 1: (800, 2000)}, "error": {0: (60, 2000), 1: (60, 2000)}})
    reading = _judged(a_test(GAIN, ERROR), evidence)
    assert reading.outcome == "inconclusive"
    assert "proof that error stays within its margin" in reading.words[0]
    assert reading.needed_units is not None
    assert reading.needed_units > 1000


def test_units_that_are_not_shared_out_as_planned_hold_a_winner_but_not_an_alarm() -> None:
    evidence = _evidence(
        {"gain": {0: (5000, 20_000), 1: (6000, 20_000)}, "error": {0: (200, 20_000), 1: (200, 20_000)}}
    )
    evidence.exposed = {(1, 0): 821_588, (1, 1): 815_482}  # Fabijan et al., KDD 2019
    reading = _judged(a_test(GAIN, ERROR), evidence)
    assert reading.outcome == "inconclusive"
    assert "units are not shared out as planned" in reading.held[0]
    evidence.sums[1, 1, "error"] = ExactSums(20_000, {"y": 900, "yy": 900}, {"y": 0})
    assert _judged(a_test(GAIN, ERROR), evidence).outcome == "fail"


def test_labels_that_come_for_one_variant_more_often_hold_a_verdict_and_labelled_alarms() -> None:
    evidence = _evidence({"loss": {0: (200, 20_000), 1: (1100, 17_000)}})
    evidence.exposed = {(1, 0): 20_000, (1, 1): 20_000}
    evidence.closed = {(1, 0, "loss"): 20_000, (1, 1, "loss"): 20_000}
    reading = _judged(a_test(LOSS), evidence)
    assert reading.outcome == "inconclusive"
    assert "labels of loss" in reading.held[0]
    assert reading.arms[0].metrics[0].coverage == (1.0, 0.85)


def test_a_ramp_gives_the_effect_within_its_phases() -> None:
    """Kohavi's two days: pooled, the sign is turned (-0.0046)."""
    test = a_test(GAIN, weights=[(99, 1), (1, 1)])
    evidence = _evidence({"gain": {0: (20_000, 990_000), 1: (230, 10_000)}})
    other = _evidence({"gain": {0: (5000, 500_000), 1: (6000, 500_000)}}, phase=2)
    evidence.sums |= other.sums
    evidence.exposed |= other.exposed
    effect = effects_of(test, evidence)["v2"]["gain"]
    assert effect.estimate == pytest.approx(0.0024, abs=0.00005)
    assert effect.se == pytest.approx(0.00076, abs=0.000005)
    assert _judged(test, evidence).held == []


def test_looks_keep_the_smallest_p_and_what_is_in_all_intervals() -> None:
    test, seen = a_test(GAIN), Seen()
    _judged(test, _evidence({"gain": {0: (500, 2000), 1: (700, 2000)}}), seen)
    first = seen.looks["v2"]["gain"]
    later = _judged(test, _evidence({"gain": {0: (550, 2200), 1: (690, 2200)}}), seen).arms[0].metrics[0]
    assert first.p_value < 1e-6
    assert later.p_value == first.p_value
    assert later.low is not None
    assert first.low is not None
    assert later.low >= first.low


def test_a_fixed_test_says_nothing_before_its_end_and_nothing_new_after_it() -> None:
    test, seen = a_test(GAIN, design=Design("fixed", n=3000)), Seen()
    before = _judged(test, _evidence({"gain": {0: (500, 2000), 1: (800, 2000)}}), seen)
    assert (before.outcome, before.arms[0].metrics[0].low) == ("inconclusive", None)
    assert before.needed_units == 2000
    end = _judged(test, _evidence({"gain": {0: (750, 3000), 1: (900, 3000)}}), seen)
    assert end.outcome == "pass"
    after = _judged(test, _evidence({"gain": {0: (1000, 4000), 1: (1000, 4000)}}), seen)
    assert after.outcome == "pass"
    assert after.arms[0].metrics[0].low == end.arms[0].metrics[0].low


def test_a_group_sequential_test_looks_where_it_was_planned() -> None:
    test, seen = a_test(GAIN, design=Design("group", n=1000, looks=5)), Seen()
    assert _judged(test, _evidence({"gain": {0: (40, 150), 1: (60, 150)}}), seen).arms[0].metrics[0].low is None
    _judged(test, _evidence({"gain": {0: (50, 200), 1: (80, 200)}}), seen)
    _judged(test, _evidence({"gain": {0: (60, 250), 1: (90, 250)}}), seen)
    assert seen.fractions == [0.2]
    found = _judged(test, _evidence({"gain": {0: (100, 400), 1: (170, 400)}}), seen).arms[0].metrics[0]
    assert seen.fractions == [0.2, 0.4]
    se = ((0.25 * 0.75 + 0.425 * 0.575) / 399) ** 0.5
    assert found.low == pytest.approx(0.175 - 3.3569 * se, abs=1e-3), "O'Brien-Fleming at the second of five looks"


def test_success_metrics_share_alpha_and_guardrails_do_not() -> None:
    twenty = [Metric(name=f"m{n}", direction="up", maturity="1d") for n in range(20)]
    counts = {f"m{n}": {0: (1000, 4000), 1: (1000, 4000)} for n in range(20)}
    counts["m0"] = {0: (1000, 4000), 1: (1115, 4000)}
    design = Design("fixed", n=4000)
    assert _judged(a_test(twenty[0], design=design), _evidence({"m0": counts["m0"]})).outcome == "pass"
    assert _judged(a_test(*twenty, design=design), _evidence(counts)).outcome == "inconclusive"


def test_of_several_challengers_each_has_its_verdict() -> None:
    counts = {"gain": {0: (5000, 20_000), 1: (6000, 20_000), 2: (4000, 20_000)}}
    reading = _judged(a_test(GAIN, challengers=2), _evidence(counts))
    assert [(arm.arm, arm.outcome) for arm in reading.arms] == [("v2", "pass"), ("v3", "fail")]
    assert reading.outcome == "pass"


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_planned_looks_at_few_units_keep_alpha(spending: Spending) -> None:
    """With bounds of z, as if the errors were known, ten of a hundred such tests find a difference (Pocock)."""
    design, random, n, runs, found = Design("group", n=20, spending=spending), np.random.default_rng(5), 20, 1500, 0
    values = random.normal(0.0, 1.0, (runs, 2, n))
    for run in values:
        for look in range(1, 6):
            until = n * look // 5
            arms = [Sums(n=until, y=float(one[:until].sum()), yy=float((one[:until] ** 2).sum())) for one in run]
            _, p = look_of(design, GAIN, difference(*arms), [one / 5 for one in range(1, look + 1)], 1)
            if p <= design.alpha:
                found += 1
                break
    assert 0.03 < found / runs < 0.065


def _exposed(champion: int, challenger: int) -> Evidence:
    evidence = _evidence({"gain": {0: (5000, 20_000), 1: (6000, 20_000)}})
    evidence.exposed = {(1, 0): champion, (1, 1): challenger}
    return evidence


def test_shares_hold_a_test_at_one_in_a_hundred_and_for_its_whole_life() -> None:
    test, seen = a_test(GAIN), Seen()
    assert _judged(test, _exposed(10_000, 10_470), seen).held == []
    assert 0.01 < seen.srm_p < 0.2
    assert _judged(test, _exposed(20_000, 20_900), seen).held != []
    assert _judged(test, _exposed(40_000, 40_000), seen).held != [], "what was seen once is not forgotten"


def test_labels_that_were_not_shared_out_as_the_units_once_hold_for_the_whole_life() -> None:
    test, seen = a_test(LOSS), Seen()
    assert _judged(test, _evidence({"loss": {0: (200, 20_000), 1: (230, 20_500)}}), seen).held == []
    skewed = _evidence({"loss": {0: (200, 20_000), 1: (300, 21_500)}})
    skewed.exposed = {(1, 0): 20_000, (1, 1): 20_000}
    assert "labels of loss" in _judged(test, skewed, seen).held[0]
    even = _evidence({"loss": {0: (400, 40_000), 1: (420, 40_000)}})
    assert "labels of loss" in _judged(test, even, seen).held[0]


def test_that_no_rare_event_was_seen_proves_no_margin() -> None:
    """The true loss is the margin: the guardrail may be called safe in five of a hundred tests, and was in sixty."""
    random, called = np.random.default_rng(3), 0
    guard = msgspec.structs.replace(ERROR, margin=0.005)
    events = random.binomial(100, 0.005, (100, 10)).cumsum(axis=1)
    for run in events.tolist():
        for look, y in enumerate(run, start=1):
            arms = Sums(n=100 * look), Sums(n=100 * look, y=float(y), yy=float(y))
            interval, _ = look_of(Design(), guard, difference(*arms), [], 1)
            if interval.high < 0.005:
                called += 1
                break
    assert called <= 5


def test_a_guardrail_without_any_event_is_safe_once_enough_units_say_so() -> None:
    for n, safe in ((300, False), (3000, True)):
        reading = _judged(a_test(ERROR), _evidence({"error": {0: (0, n), 1: (0, n)}}))
        assert reading.outcome == ("pass" if safe else "inconclusive"), n
        assert (reading.needed_units == 0) == safe
        if not safe:
            assert 100 < (reading.needed_units or 0) < 2000, "by as many more it is"


def test_a_guardrail_whose_values_are_all_alike_says_nothing_where_they_could_be_anything() -> None:
    waits = Metric(name="waits", numerator="latency_ms", role="guardrail", margin=1.0)
    alike = difference(Sums(n=500, y=500.0, yy=500.0), Sums(n=500, y=500.0, yy=500.0))
    interval, _ = look_of(Design(), waits, alike, [], 1)
    assert (interval.low, interval.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("design", [Design(), Design("group", n=4000), Design("fixed", n=4000)])
def test_both_ends_of_a_guardrail_are_one_sided_bounds_at_alpha(design: Design) -> None:
    """As the two-sided interval at twice alpha, or, where alpha is spent, tighter than that of a success metric."""
    effect = difference(Sums(n=3000, y=600.0, yy=600.0), Sums(n=3000, y=660.0, yy=660.0))
    guard, _ = look_of(design, LOSS, effect, [0.75], 4)
    success, _ = look_of(design, msgspec.structs.replace(LOSS, role="success"), effect, [0.75], 1)
    shared, _ = look_of(design, msgspec.structs.replace(LOSS, role="success"), effect, [0.75], 4)
    assert success.low < guard.low < guard.high < success.high
    if design.kind == "group":
        assert shared.low < success.low < success.high < shared.high
        bound = boundaries([0.75], 0.05, one_sided=True)[0]
        assert guard.high == pytest.approx(effect.estimate + bound * effect.se, rel=1e-3)
    elif design.kind == "fixed":
        assert guard == effect.interval(0.9)
    else:
        assert guard.low == asymptotic_interval(effect, 0.05, side="above").low
        assert guard.high == asymptotic_interval(effect, 0.05, side="below").high


def test_units_that_are_needed_bring_the_bound_to_the_margin() -> None:
    """Worse by half of the margin, where less is better: with as many units more the bound is at the margin."""

    def effect(times: float) -> Effect:
        n = round(3000 * times)
        return difference(*(Sums(n=n, y=share * n, yy=share * n) for share in (0.2, 0.205)))

    interval, _ = look_of(Design(), LOSS, effect(1.0), [], 1)
    needed = units_until(Design(), LOSS, effect(1.0), "inconclusive")
    assert interval.high > 0.01
    assert needed is not None
    then, _ = look_of(Design(), LOSS, effect(1.0 + needed / 6000), [], 1)
    assert then.high == pytest.approx(0.01, rel=0.01)


def test_shares_of_a_bandit_follow_what_is_better_for_the_metric_with_errors_by_phase() -> None:
    """Two phases of 400 and 1,200 units; less loss is better."""
    test = a_test(LOSS, kind="bandit", floor=0.1, weights=[(1, 1), (1, 1)])
    evidence = _evidence({"loss": {0: (60, 200), 1: (50, 200)}})
    evidence.sums |= _evidence({"loss": {0: (180, 600), 1: (165, 600)}}, phase=2).sums
    means, chances, found = new_shares(test, LOSS, evidence)
    assert means == pytest.approx([0.3, 0.25 * 0.25 + 0.75 * 0.275])
    variances = [
        sum(w**2 * q * (1 - q) / (n - 1) for w, q, n in ((0.25, first, 200), (0.75, later, 600)))
        for first, later in ((0.3, 0.3), (0.25, 0.275))
    ]
    better = normal.cdf((means[0] - means[1]) / math.sqrt(sum(variances)))
    assert chances == pytest.approx([1 - better, better], abs=1e-6)
    assert found == pytest.approx([0.1 + 0.8 * (1 - better), 0.1 + 0.8 * better], abs=1e-6)
