"""Periods whose rate is unlike the others': false alarms stay rare, defects are found."""

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import odd_rates

# Rows and re-offenders by quarter, ProPublica's filter: after April 2014 only those who re-offended were kept.
COMPAS_ROWS = [1497, 964, 834, 1050, 952, 275, 256, 344]
COMPAS_POSITIVES = [582, 347, 292, 372, 344, 272, 256, 344]
# Late flights from New York by month of 2023, in thousandths: a year in which nothing was wrong with the labels.
FLIGHTS = np.array([229, 229, 229, 250, 142, 281, 358, 210, 228, 134, 119, 144])


def odd(positives: object, totals: object, **options: float) -> list[bool]:
    is_odd, _ = odd_rates(positives, totals, **options)  # type: ignore[arg-type] # lists of numbers
    return [bool(one) for one in is_odd]


def test_the_defect_of_compas_is_found_and_nothing_else() -> None:
    assert odd(COMPAS_POSITIVES, COMPAS_ROWS) == [False] * 5 + [True] * 3
    _, centres = odd_rates(COMPAS_POSITIVES, COMPAS_ROWS)
    assert 0.35 < centres[-1] < 0.37, "what the others have, whatever the odd ones are"


def test_a_year_of_flights_and_years_of_a_census_are_quiet() -> None:
    assert not any(odd(FLIGHTS * 36, np.full(12, 36_000)))
    assert not any(odd([34_117, 34_632, 35_026, 35_416], [68_785, 69_126, 69_635, 70_131]))


def test_a_class_that_vanishes_is_found() -> None:
    assert odd([100, 90, 110, 95, 0, 0], [1000] * 6) == [False] * 4 + [True] * 2


def test_two_periods_can_only_differ_from_each_other() -> None:
    assert odd([500, 980], [1000, 1000]) == [True, True]
    assert odd([300, 600], [1000, 1000]) == [False, False], "seasons do as much"
    assert odd([500], [1000]) == [False], "nothing to compare with"
    assert odd([980], [1000], rate=0.3) == [True]
    assert odd([320], [1000], rate=0.3) == [False]


def test_what_does_not_matter_is_not_told() -> None:
    positives, totals = np.array([200_000] * 11 + [240_000]), np.full(12, 1_000_000)
    assert not any(odd(positives, totals)), "within the moves that are usual"
    assert odd([10] * 9 + [300], [10_000] * 10, difference=0.05) == [False] * 10, "beyond them, and of 3 percent"
    assert odd([10] * 9 + [300], [10_000] * 10, difference=0.02) == [False] * 9 + [True]


def test_periods_without_rows_are_passed_over() -> None:
    assert odd([300, 0, 310, 990], [1000, 0, 1000, 1000]) == [False, False, False, True]
    assert odd([], []) == []


def test_the_classes_may_be_swapped_and_the_order_of_periods_does_not_count() -> None:
    k, n = np.array(COMPAS_POSITIVES), np.array(COMPAS_ROWS)
    expected = odd(k, n)
    assert odd(n - k, n) == expected
    assert odd(k[::-1], n[::-1]) == expected[::-1]


@pytest.mark.parametrize(("positives", "totals"), [([2], [1]), ([-1], [1]), ([1, 2], [3]), ([[1]], [[2]])])
def test_what_is_no_part_is_refused(positives: list[int], totals: list[int]) -> None:
    with pytest.raises(InvalidInput, match="not parts of the totals"):
        odd_rates(positives, totals)


@pytest.mark.parametrize("periods", [2, 6, 24])
@pytest.mark.parametrize("rows", [40, 4_000])
def test_false_alarms_are_rare_however_rates_move(periods: int, rows: int) -> None:
    """Of 300 tables in which nothing is wrong, at most 1 % alarm, at spreads up to that of flights."""
    random = np.random.default_rng([periods, rows])
    alarms = 0
    for table in range(300):
        log_odds = random.normal(random.uniform(-2.5, 0.5), (0.0, 0.3, 0.45)[table % 3], periods)
        totals = random.poisson(rows, periods)
        alarms += any(odd(random.binomial(totals, 1 / (1 + np.exp(-log_odds))), totals))
    assert alarms <= 3


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
def test_a_defect_of_up_to_two_fifths_of_the_periods_is_found(share: float) -> None:
    """Whole periods of one class, among such as move like those of flights."""
    random = np.random.default_rng(7)
    for _ in range(100):
        periods = int(random.integers(8, 40))
        totals = random.poisson(150, periods) + 20
        k = random.binomial(totals, 1 / (1 + np.exp(-random.normal(-0.6, 0.3, periods))))
        bad = random.permutation(periods)[: max(1, int(share * periods))]
        k[bad] = totals[bad]
        assert odd_rates(k, totals)[0][bad].all()
