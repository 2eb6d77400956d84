import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import kitagawa

SEGMENT = st.tuples(st.integers(0, 500), st.integers(0, 500), st.floats(0, 1), st.floats(0, 1))
SEGMENTS = st.lists(SEGMENT, min_size=1, max_size=8).filter(
    lambda rows: any(r[0] for r in rows) and any(r[1] for r in rows)
)


def test_moved_traffic_and_changed_behaviour_by_hand() -> None:
    # shares .5/.5 to .8/.2, means .9/.5 to .8/.5: mix .3*(.85 - .5), rate .65*(-.1)
    found = kitagawa([50, 50], [45, 25], [80, 20], [64, 10])
    assert found.delta == pytest.approx(0.04)
    assert found.mix == pytest.approx(0.105)
    assert found.rate == pytest.approx(-0.065)
    assert found.rate_by_segment == pytest.approx([-0.065, 0.0])


@given(SEGMENTS)
def test_mix_and_rate_are_all_of_the_change(rows: list[tuple[int, int, float, float]]) -> None:
    n_0, n_1 = [r[0] for r in rows], [r[1] for r in rows]
    s_0, s_1 = [round(r[0] * r[2]) for r in rows], [round(r[1] * r[3]) for r in rows]
    found = kitagawa(n_0, s_0, n_1, s_1)
    exact = Fraction(sum(s_1), sum(n_1)) - Fraction(sum(s_0), sum(n_0))
    assert found.mix + found.rate == pytest.approx(float(exact), abs=1e-14)
    assert found.delta == pytest.approx(float(exact), abs=1e-15)
    assert math.fsum(found.mix_by_segment) == pytest.approx(found.mix, abs=1e-15)
    assert math.fsum(found.rate_by_segment) == pytest.approx(found.rate, abs=1e-15)


@given(SEGMENTS)
def test_every_part_is_that_of_whole_number_arithmetic(rows: list[tuple[int, int, float, float]]) -> None:
    # validation.md V26, from the definition, with the same rule for segments that come and go
    n_0, n_1 = [r[0] for r in rows], [r[1] for r in rows]
    s_0, s_1 = [round(r[0] * r[2]) for r in rows], [round(r[1] * r[3]) for r in rows]
    before, after = Fraction(sum(s_0), sum(n_0)), Fraction(sum(s_1), sum(n_1))
    mix, rate = [], []
    for m, s, m_after, s_after in zip(n_0, s_0, n_1, s_1, strict=True):
        mean = Fraction(s, m) if m else Fraction(s_after, m_after) if m_after else Fraction(0)
        later = Fraction(s_after, m_after) if m_after else mean
        share, share_after = Fraction(m, sum(n_0)), Fraction(m_after, sum(n_1))
        mix.append((share_after - share) * ((mean + later) / 2 - (before + after) / 2))
        rate.append((share + share_after) / 2 * (later - mean))
    assert sum(mix) + sum(rate) == after - before
    found = kitagawa(n_0, s_0, n_1, s_1)
    np.testing.assert_allclose(found.mix_by_segment, [float(part) for part in mix], rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.rate_by_segment, [float(part) for part in rate], rtol=0, atol=1e-15)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=4, max_size=4))
def test_without_rounding_mix_and_rate_are_the_change_to_the_last_bit(sums: list[tuple[int, int]]) -> None:
    # rows that are powers of two: every share and mean is a float, and so is all that follows
    n_0, n_1 = [8, 8, 16, 32], [32, 16, 8, 8]
    found = kitagawa(n_0, [a for a, _ in sums], n_1, [b for _, b in sums])
    assert found.mix + found.rate == found.delta


@given(SEGMENTS)
def test_turning_time_around_turns_the_signs(rows: list[tuple[int, int, float, float]]) -> None:
    n_0, n_1 = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    s_0, s_1 = n_0 * [r[2] for r in rows], n_1 * [r[3] for r in rows]
    found, back = kitagawa(n_0, s_0, n_1, s_1), kitagawa(n_1, s_1, n_0, s_0)
    np.testing.assert_allclose(back.mix_by_segment, -found.mix_by_segment, atol=1e-14)
    np.testing.assert_allclose(back.rate_by_segment, -found.rate_by_segment, atol=1e-14)


def test_the_same_shares_leave_only_rate_and_the_same_means_only_mix() -> None:
    assert kitagawa([10, 30], [5, 20], [20, 60], [18, 30]).mix == pytest.approx(0.0, abs=1e-15)
    assert kitagawa([10, 30], [5, 24], [50, 20], [25, 16]).rate == pytest.approx(0.0, abs=1e-15)


def test_a_segment_that_comes_or_goes_is_mix() -> None:
    found = kitagawa([10, 0, 10], [9, 0, 5], [10, 10, 0], [9, 2, 0])
    assert found.rate == 0.0
    assert found.mix == pytest.approx(11 / 20 - 14 / 20)
    assert kitagawa([5, 0], [2, 0], [5, 0], [3, 0]).rate == pytest.approx(0.2)


def test_wrong_counts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="sums after"):
        kitagawa([1, 2], [1, 1], [1, 2], [1])
    with pytest.raises(InvalidInput, match="not finite"):
        kitagawa([1, 2], [1, math.nan], [1, 2], [1, 1])
    with pytest.raises(InvalidInput, match="negative rows"):
        kitagawa([1, -2], [1, 1], [1, 2], [1, 1])
    with pytest.raises(InvalidInput, match="without rows after"):
        kitagawa([1, 2], [1, 1], [1, 0], [1, 1])
    with pytest.raises(InvalidInput, match="no rows before"):
        kitagawa([0, 0], [0, 0], [1, 0], [1, 0])


def test_the_words_name_what_changed() -> None:
    traffic = kitagawa([50, 50], [45, 25], [80, 20], [72, 10])
    assert traffic.words("accuracy") == (
        "accuracy changed by +0.1200: +0.1200 because the traffic moved, +0.0000 within segments;"
        " behaviour within segments is nearly unchanged, the traffic moved"
    )
    behaviour = kitagawa([50, 50], [45, 25], [50, 50], [40, 20])
    assert behaviour.words("accuracy").endswith("the traffic is nearly the same, behaviour within segments changed")
    assert (
        kitagawa([50, 50], [45, 25], [80, 20], [64, 10]).words("accuracy").endswith("both changed, against each other")
    )
    assert kitagawa([50, 50], [45, 25], [80, 20], [76, 11]).words("accuracy").endswith("both changed")
    assert kitagawa([5], [4], [5], [4]).words("accuracy") == "accuracy is unchanged"
