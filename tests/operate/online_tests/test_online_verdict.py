"""The order in which evidence speaks, on sums that are given."""

from collections.abc import Mapping

import pytest
from tests.operate.online_tests.online_rows import a_test

from assay.operate.online_tests.aggregating import ExactSums
from assay.operate.online_tests.definition import Design, OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.judging import effects_of
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import Seen, TestReading
from assay.operate.online_tests.status import judge

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
