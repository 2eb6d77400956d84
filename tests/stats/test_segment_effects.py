import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.errors import InvalidInput
from assay.stats import benjamini_hochberg
from assay.stats.effects import Effect
from assay.stats.segment_effects import segment_effects


def effect(estimate: float, se: float = 0.01, n: int = 2000) -> Effect:
    return Effect(estimate, se, n, n, 2.0 * n - 2.0)


def test_without_a_difference_nothing_is_claimed_although_one_segment_stands_out() -> None:
    effects = {f"s{place}": effect(value) for place, value in enumerate([0.021, -0.004, 0.0, 0.003, -0.008, 0.001])}
    found = segment_effects("country", effects)
    assert effects["s0"].p_value() < 0.05
    assert found.p_interaction > 0.05
    assert not any(segment.differs for segment in found.segments)


def test_the_segment_that_differs_is_named_and_no_other() -> None:
    values = [0.08, -0.004, 0.0, 0.003, -0.008, 0.001]
    effects = {f"s{place}": effect(value) for place, value in enumerate(values)}
    for at_will in (False, True):
        found = segment_effects("country", effects, at_will=at_will)
        assert found.p_interaction < 0.001
        assert [segment.segment for segment in found.segments if segment.differs] == ["s0"]


def test_the_interaction_is_cochrans_q() -> None:
    values, errors = np.array([0.02, 0.0, -0.01]), np.array([0.01, 0.02, 0.01])
    effects = {name: effect(value, se) for name, value, se in zip("abc", values, errors, strict=True)}
    weights = 1 / errors**2
    q = float((weights * (values - (weights @ values) / weights.sum()) ** 2).sum())
    assert segment_effects("x", effects).p_interaction == pytest.approx(scipy_stats.chi2.sf(q, 2), rel=1e-9)


def test_two_segments_have_the_same_answer_from_either_side() -> None:
    found = segment_effects("x", {"a": effect(0.03), "b": effect(0.0)})
    p = [segment.p_rest for segment in found.segments]
    assert p[0] == pytest.approx(p[1])
    against = Effect(0.03, math.hypot(0.01, 0.01), 4000, 4000, 2 * 3998.0)
    assert p == pytest.approx(benjamini_hochberg([against.p_value()] * 2))


def test_what_is_shown_is_drawn_together() -> None:
    values = [0.05, 0.01, 0.02, 0.0, 0.03, -0.01]
    effects = {f"s{place}": effect(value, 0.02) for place, value in enumerate(values)}
    found = segment_effects("x", effects)
    spread = [segment.shrunk for segment in found.segments]
    assert max(spread) - min(spread) < max(values) - min(values)
    assert all(segment.shrunk_se < 0.02 for segment in found.segments)
    assert [segment.effect.estimate for segment in found.segments] == values


def test_a_segment_that_is_not_known_claims_nothing() -> None:
    found = segment_effects(
        "x", {"a": effect(0.5), "b": effect(0.0), "new": Effect(math.nan, math.nan, 3, 0, math.nan)}
    )
    assert found.p_interaction < 0.001
    assert [segment.differs for segment in found.segments] == [True, True, False]
    assert found.segments[2].p_rest == 1.0


def test_at_will_few_units_claim_nothing() -> None:
    found = segment_effects("x", {"a": effect(0.5, n=99), "b": effect(0.0)}, at_will=True)
    assert found.p_interaction == 1.0


def test_one_segment_is_refused() -> None:
    with pytest.raises(InvalidInput, match="segments of country"):
        segment_effects("country", {"a": effect(0.0)})


def test_a_segment_without_spread_or_without_others_claims_nothing() -> None:
    """Three units that all said the same have a standard error of 0, which nobody should believe."""
    lonely = {"a": effect(0.5), "b": Effect(0.0, 0.0, 3, 3, 4.0), "c": Effect(0.1, math.inf, 3, 3, 4.0)}
    for at_will in (False, True):
        found = segment_effects("x", lonely, at_will=at_will)
        assert found.p_interaction == 1.0
        assert [segment.p_rest for segment in found.segments] == [1.0, 1.0, 1.0]
        assert not any(segment.differs for segment in found.segments)


def test_a_segment_is_not_named_where_segments_do_not_differ_at_all() -> None:
    """Its own P-value is below alpha, that of "the same in all" is not."""
    effects = {f"s{place}": effect(value) for place, value in enumerate([0.029, *([0.0] * 11)])}
    found = segment_effects("country", effects, 0.1)
    assert found.segments[0].p_rest <= 0.1 < found.p_interaction
    assert not any(segment.differs for segment in found.segments)


def test_at_will_the_smallest_p_value_is_paid_for_by_the_number_of_segments() -> None:
    effects = {f"s{place}": effect(value) for place, value in enumerate([0.036, 0.0, 0.001, -0.001])}
    found = segment_effects("country", effects, at_will=True)
    # Benjamini-Hochberg multiplies the smallest by the number as well.
    assert found.p_interaction == pytest.approx(found.segments[0].p_rest)
    assert 0.0 < found.p_interaction < 1.0
