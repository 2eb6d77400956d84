"""Sums by digits against fractions and `math.fsum`."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.stats.exact_sums import Digits, Integers, float_digits, nearest, whole_digits, whole_sums

_FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _added(digits: Digits) -> tuple[list[Integers], int]:
    found = [(exponent, np.array([numbers.sum()])) for exponent, _, numbers in digits]
    return [line for _, line in found] or [np.zeros(1, np.int64)], found[-1][0] if found else 0


def _sum(numbers: list[float]) -> float:
    return float(nearest(*_added(float_digits(np.array(numbers, np.float64))))[0])


@given(st.lists(_FINITE, max_size=8))
def test_a_sum_is_the_double_nearest_to_the_sum_of_fractions(numbers: list[float]) -> None:
    total = sum(map(Fraction, numbers), Fraction(0))
    try:
        expected = float(total)
    except OverflowError:
        expected = math.inf if total > 0 else -math.inf
    assert _sum(numbers) == expected


@given(st.lists(st.floats(-1e-307, 1e-307), max_size=8))
def test_sums_below_the_normal_doubles_are_exact(numbers: list[float]) -> None:
    assert _sum(numbers) == math.fsum(numbers)


def test_halves_are_rounded_to_even_unless_anything_stands_below() -> None:
    assert _sum([2.0**53, 1.0]) == 2.0**53
    assert _sum([2.0**53, 3.0]) == 2.0**53 + 4
    assert _sum([2.0**53, 1.0, 5e-324]) == 2.0**53 + 2
    assert _sum([2.0**53, 1.0, -5e-324]) == 2.0**53
    assert _sum([-(2.0**53), -1.0, -(2.0**-80)]) == -(2.0**53) - 2


def test_digits_of_a_number_add_up_to_it_and_rows_without_a_rest_are_left_out() -> None:
    numbers = np.array([0.1, 3.0, -1e300, 0.0, 5e-324, 1e-300])
    total = [Fraction(0)] * len(numbers)
    last = 0
    for exponent, rows, digits in float_digits(numbers):
        for row, digit in zip(range(6) if rows is None else rows.tolist(), digits.tolist(), strict=True):
            total[row] += digit * Fraction(2) ** exponent
        last = len(digits)
    assert total == [Fraction(one) for one in numbers.tolist()]
    assert last <= 2


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_whole_numbers_are_summed_or_said_to_leave_64_bits(numbers: list[int]) -> None:
    lines, lowest = _added(whole_digits(np.array(numbers, np.int64)))
    total, is_beyond = whole_sums(lines)
    assert bool(is_beyond[0]) == (not -(2**63) <= sum(numbers) < 2**63)
    assert is_beyond[0] or total[0] == sum(numbers)
    assert nearest(lines, lowest)[0] == float(sum(numbers))


def test_whole_numbers_without_a_sign_keep_their_highest_bit() -> None:
    lines, lowest = _added(whole_digits(np.array([2**64 - 1, 1], np.uint64)))
    assert nearest(lines, lowest)[0] == 2.0**64
    assert whole_sums(lines)[1].tolist() == [True]
