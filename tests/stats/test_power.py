import math

import pytest

from assay.errors import InvalidInput
from assay.stats import minimum_difference, rows_needed

MARGINS = (0.01, 0.02, 0.03, 0.05)
PUBLISHED = {
    0.04: (2474, 619, 275, 99),
    0.08: (4947, 1237, 550, 198),
    0.16: (9893, 2474, 1100, 396),
    2 * 0.85 * 0.15: (15766, 3942, 1752, 631),  # unpaired, per side
}


@pytest.mark.parametrize(
    ("variance", "margin", "n"),
    [(variance, margin, n) for variance, row in PUBLISHED.items() for margin, n in zip(MARGINS, row, strict=True)],
)
def test_the_table_of_required_rows_comes_out(variance: float, margin: float, n: int) -> None:
    assert rows_needed(variance, margin) == n


def test_an_expected_gain_adds_to_the_margin() -> None:
    assert rows_needed(0.04, 0.01, expected=0.01) == rows_needed(0.04, 0.02)


def test_a_loss_as_large_as_the_margin_cannot_be_decided() -> None:
    assert rows_needed(0.04, 0.01, expected=-0.01) is None
    assert rows_needed(0.04, 0.0) is None


def test_an_unknown_variance_gives_an_unknown_number() -> None:
    assert rows_needed(math.nan, 0.01) is None
    assert math.isnan(minimum_difference(math.nan, 100))


def test_the_smallest_difference_is_the_inverse_of_the_rows() -> None:
    n = rows_needed(0.08, 0.02)
    assert n is not None
    assert minimum_difference(0.08, n) <= 0.02 < minimum_difference(0.08, n - 1)
    assert minimum_difference(0.08, 0) == math.inf


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(InvalidInput, match="variance"):
        rows_needed(-0.1, 0.01)
    with pytest.raises(InvalidInput):
        rows_needed(0.1, 0.01, alpha=0.0)
    with pytest.raises(InvalidInput, match="rows"):
        minimum_difference(0.1, -1)


def test_a_margin_of_next_to_nothing_is_decided_by_no_number_of_rows() -> None:
    assert rows_needed(0.1, 1e-200) is None
