import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import Interval, newcombe_paired, wilson

CRITICAL = 1.959963984540054
TABLES = st.tuples(*[st.integers(0, 60)] * 4).filter(any)


def wald(b: int, c: int, n: int) -> tuple[float, float]:
    delta = (b - c) / n
    half = CRITICAL * math.sqrt(b + c - (b - c) ** 2 / n) / n
    return delta - half, delta + half


def agresti_min(b: int, c: int, n: int) -> tuple[float, float]:
    """Wald after adding ½ to each cell of the table (Agresti & Min 2005)."""
    delta = (b - c) / (n + 2)
    half = CRITICAL * math.sqrt(b + c + 1 - (b - c) ** 2 / (n + 2)) / (n + 2)
    return delta - half, delta + half


def bonett_price(b: int, c: int, n: int) -> tuple[float, float]:
    """Wald after adding 1 to each discordant cell (Bonett & Price 2012)."""
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = CRITICAL * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return p - q - half, p - q + half


def rounded(ends: tuple[float, float]) -> tuple[float, float]:
    return round(ends[0], 4), round(ends[1], 4)


def test_newcombe_gives_the_interval_of_contingencytables() -> None:
    # without the continuity correction of phi it would be (-0.1174, -0.0059)
    found = newcombe_paired(59, 6, 16, 80)
    assert rounded((found.low, found.high)) == (-0.1186, -0.0046)


def test_the_other_closed_forms_lie_where_the_book_has_them() -> None:
    assert rounded(wald(6, 16, 161)) == (-0.1184, -0.0058)
    assert rounded(agresti_min(6, 16, 161)) == (-0.1182, -0.0045)
    assert rounded(bonett_price(6, 16, 161)) == (-0.1195, -0.0032)
    found = newcombe_paired(59, 6, 16, 80)
    for low, high in (agresti_min(6, 16, 161), bonett_price(6, 16, 161)):
        assert found.low == pytest.approx(low, abs=0.002)
        assert found.high == pytest.approx(high, abs=0.002)


def test_an_empty_table_says_nothing() -> None:
    assert newcombe_paired(0, 0, 0, 0) == Interval(-1.0, 1.0)


def test_a_weak_positive_association_counts_as_none() -> None:
    # 0 < determinant 20 <= n/2: phi is 0, what is left is the independent square-and-add of the Wilson limits
    n, found = 41, newcombe_paired(10, 10, 10, 11)
    assert n / 2 >= 10 * 11 - 10 * 10
    one = wilson(20, n)
    assert found.low == pytest.approx(-math.hypot(20 / n - one.low, one.high - 20 / n), abs=1e-15)


@given(TABLES)
def test_swapping_the_models_mirrors_the_interval(table: tuple[int, int, int, int]) -> None:
    both, b, c, neither = table
    found, mirrored = newcombe_paired(both, b, c, neither), newcombe_paired(both, c, b, neither)
    assert found.low == pytest.approx(-mirrored.high, abs=1e-12)
    assert -1.0 <= found.low <= (b - c) / sum(table) <= found.high <= 1.0


@given(TABLES)
def test_counting_errors_instead_of_right_answers_mirrors_the_interval(table: tuple[int, int, int, int]) -> None:
    both, b, c, neither = table
    found, errors = newcombe_paired(both, b, c, neither), newcombe_paired(neither, c, b, both)
    assert found.low == pytest.approx(-errors.high, abs=1e-12)


@pytest.mark.parametrize("cells", [(0.6, 0.1, 0.1, 0.2), (0.8, 0.02, 0.08, 0.1), (0.25, 0.25, 0.25, 0.25)])
def test_the_interval_covers_nominally(cells: tuple[float, float, float, float]) -> None:
    rng = np.random.default_rng(10)
    tables, times = np.unique(rng.multinomial(40, cells, 4000), axis=0, return_counts=True)
    delta = cells[1] - cells[2]
    ends = [newcombe_paired(*map(int, table)) for table in tables]
    coverage = sum(k * (e.low <= delta <= e.high) for e, k in zip(ends, times, strict=True)) / times.sum()
    assert 0.94 <= coverage <= 0.99


@pytest.mark.parametrize("table", [(-1, 0, 5, 1), (1, math.nan, 1, 1), (1, 1, math.inf, 1)])
def test_impossible_tables_are_refused(table: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidInput, match="paired table"):
        newcombe_paired(*table)
