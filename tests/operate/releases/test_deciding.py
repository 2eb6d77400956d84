"""What counts prove, and what is decided by that: on counts that are given."""

import math

import msgspec
import pytest

from assay.operate.releases.counts import Counts
from assay.operate.releases.deciding import Inputs, Quality, decide_next
from assay.operate.releases.evidence import Phase, guardrail_evidence, mismatch
from assay.operate.releases.rules import Exposure, Limit, Rules
from assay.operate.releases.strategy import Step
from assay.stats.sequential import bernoulli_interval, normal_mixture_bound

ERRORS = Rules(guardrails=("errors",), errors=Limit(0.05))
SHIFT = Rules(guardrails=("shift",), shift=0.1)


def _phase(number: int = 1, errors: tuple[int, int] = (20, 20), units: tuple[int, int] = (5000, 5000)) -> Phase:
    counts = Counts(units=list(units), rows=list(units), part=list(units))
    counts.events["errors"] = list(errors)
    return Phase(number, 0, number, "", 10_000, counts)


def _inputs(rules: Rules = ERRORS, phase: Phase | None = None, **changes: object) -> Inputs:
    steps = (Step("canary", 25.0), Step("canary", 50.0))
    plain = Inputs(rules, steps, 0, False, 10_000, (phase or _phase(),), rules.guardrails, None, "", "")
    return msgspec.structs.replace(plain, **changes)


def test_what_is_safe_goes_on_and_what_is_not_known_yet_waits() -> None:
    assert decide_next(_inputs()).choice == "advance"
    assert decide_next(_inputs(step=1)).choice == "promote"
    unknown = decide_next(_inputs(phase=_phase(units=(300, 300), errors=(12, 12))))
    assert (unknown.choice, unknown.evidence[0].verdict) == ("wait", "inconclusive")
    assert "errors" in unknown.needed[0]


def test_bounds_of_the_difference_are_those_of_the_phase_that_runs() -> None:
    first, now = _phase(), _phase(2, errors=(40, 50), units=(2000, 2100))
    (found,) = guardrail_evidence(ERRORS, [first, now], ("errors",))
    champion, challenger = (bernoulli_interval(x, n, 500, 0.025) for x, n in ((40, 2000), (50, 2100)))
    assert (found.low, found.high) == (challenger.low - champion.high, challenger.high - champion.low)
    assert found.verdict == ("pass" if found.high < 0.05 else "inconclusive")


def test_a_release_that_is_held_goes_on_by_a_persons_word_only() -> None:
    held = decide_next(_inputs(held=True))
    assert (held.choice, held.needed) == ("wait", ("a person's word",))
    assert decide_next(_inputs(held=True, phase=_phase(errors=(0, 400)))).choice == "rollback"


@pytest.mark.parametrize(
    ("exposure", "said"),
    [
        (Exposure(units=6000), "1,000 more units"),
        (Exposure(rows=7000), "2,000 more rows"),
        (Exposure(time="4h"), "74 min more"),
        (Exposure(weekly=True), "7 d more"),
    ],
)
def test_a_step_needs_its_exposure(exposure: Exposure, said: str) -> None:
    found = decide_next(_inputs(msgspec.structs.replace(ERRORS, exposure=exposure)))
    assert found.choice == "wait"
    assert [said in one for one in found.needed] == [True]


def test_a_test_on_labels_promotes_only_what_passed_and_takes_back_what_failed() -> None:
    steps = (Step("ab", 50.0),)
    assert "no reading of the test yet" in decide_next(_inputs(steps=steps)).needed[0]
    choices = {"pass": "promote", "inconclusive": "wait", "fail": "rollback"}
    for verdict, choice in choices.items():
        quality = Quality("t", 1, verdict, "words")  # type: ignore[arg-type]
        assert decide_next(_inputs(quality=quality, steps=steps)).choice == choice


def test_a_mismatch_that_a_person_has_looked_at_holds_no_longer() -> None:
    unequal = _phase(units=(5000, 4000))
    assert mismatch(ERRORS, [unequal]) is not None
    assert decide_next(_inputs(phase=unequal)).choice == "hold"
    settled = msgspec.structs.replace(unequal, settled=True)
    assert mismatch(ERRORS, [settled, _phase(2)]) is None


def test_a_shift_is_proven_at_all_cuts_and_in_all_phases_together() -> None:
    """The limit as the bound says it: a share of one half apart by the margin and a width for each side."""
    for number in (1, 3):
        n, cuts = 4000, 3
        alpha = SHIFT.alpha / (number * (number + 1)) / (2 * cuts)
        width = 2 * normal_mixture_bound(n / 4, 125, alpha) / n
        for more, verdict in ((-2, "inconclusive"), (2, "fail")):
            below = n // 2 + math.ceil((0.1 + width) * n) + more
            counts = Counts(units=[n, n], rows=[n, n], part=[n, n])
            counts.bins = [[0, n // 2, 0, n - n // 2], [0, below, 0, n - below]]
            (found,) = guardrail_evidence(SHIFT, [Phase(number, 0, 1, "", 10_000, counts)], ("shift",))
            assert found.verdict == verdict, (number, more)


def test_a_shift_is_safe_by_bounds_that_need_no_correction() -> None:
    n = 4000
    width = 2 * normal_mixture_bound(n / 4, 125, SHIFT.confidence_alpha / 2) / n
    for more, verdict in ((-2, "pass"), (2, "inconclusive")):
        below = n // 2 + round((0.1 - width) * n) + more
        counts = Counts(units=[n, n], rows=[n, n], part=[n, n])
        counts.bins = [[n // 2, n - n // 2], [below, n - below]]
        (found,) = guardrail_evidence(SHIFT, [Phase(1, 0, 1, "", 10_000, counts)], ("shift",))
        assert found.verdict == verdict, more
