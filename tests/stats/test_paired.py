import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, multinomial

from assay.errors import InvalidInput
from assay.stats import Interval, mcnemar_p, tango_interval, tango_p_not_worse, tango_p_worse, tango_z

TABLES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 400)).filter(any)


def test_tango_gives_the_interval_of_ratesci() -> None:
    found = tango_interval(9, 3, 32)
    assert round(found.low, 3) == -0.027
    assert round(found.high, 3) == 0.390


def test_tango_gives_the_interval_of_contingencytables() -> None:
    found = tango_interval(6, 16, 161)
    assert round(found.low, 4) == -0.1240
    assert round(found.high, 4) == -0.0054


def test_mcnemar_gives_the_published_z_and_mid_p() -> None:
    assert round(tango_z(6, 16, 161, 0.0), 3) == -2.132
    assert round(mcnemar_p(6, 16), 6) == 0.034690
    # mid-p is the exact P-value less the probability of the observed split
    assert round(mcnemar_p(6, 16) + float(binom.pmf(6, 22, 0.5)), 6) == 0.052479


def test_mid_p_is_its_definition() -> None:
    for pairs in range(25):
        for b in range(pairs + 1):
            fewer = min(b, pairs - b)
            expected = 2 * binom.cdf(fewer, pairs, 0.5) - binom.pmf(fewer, pairs, 0.5)
            assert mcnemar_p(b, pairs - b) == pytest.approx(float(expected), abs=1e-12)


def test_mcnemar_uses_z_from_25_discordant_pairs() -> None:
    assert mcnemar_p(10, 15) == pytest.approx(math.erfc(1 / math.sqrt(2)), abs=1e-15)
    assert mcnemar_p(9, 15) == pytest.approx(0.2295225, abs=1e-6)


def test_no_rows_and_no_disagreement_prove_nothing() -> None:
    assert tango_interval(0, 0, 0) == Interval(-1.0, 1.0)
    assert tango_z(0, 0, 0, -0.02) == 0.0
    assert tango_p_worse(0, 0, 0, 0.0) == tango_p_not_worse(0, 0, 0, -0.02) == 1.0
    assert tango_z(0, 0, 50, 0.0) == 0.0
    assert mcnemar_p(0, 0) == 1.0


def test_without_disagreement_the_margin_still_needs_rows() -> None:
    # z(-d) = sqrt(n d/(1 - d)) where no pair is discordant
    assert tango_z(0, 0, 100, -0.02) == pytest.approx(math.sqrt(100 * 0.02 / 0.98), abs=1e-12)
    assert tango_p_not_worse(0, 0, 100, -0.02) > 0.05 > tango_p_not_worse(0, 0, 140, -0.02)


def test_a_margin_next_to_nothing_is_not_certified_by_nothing() -> None:
    assert abs(tango_z(0, 0, 20, -1e-38)) <= 1e-6
    assert tango_p_not_worse(0, 0, 20, -1e-38) == pytest.approx(0.5)


def test_full_agreement_with_the_hypothesis_has_zero_variance_and_is_accepted() -> None:
    assert tango_z(10, 0, 10, 1.0) == 0.0
    assert tango_z(9, 0, 10, 1.0) == -math.inf
    assert tango_interval(10, 0, 10).high == 1.0


# The table of type-I errors of certifying non-inferiority at the margin, validation.md section 3.6.
@pytest.mark.parametrize(
    ("n", "disagreement", "published"),
    [(50, 0.04, 0.021), (50, 0.10, 0.054), (200, 0.04, 0.044), (1000, 0.04, 0.048)],
)
def test_certifying_at_the_margin_has_the_published_error(n: int, disagreement: float, published: float) -> None:
    margin = 0.02
    up, down = (disagreement - margin) / 2, (disagreement + margin) / 2
    most = min(n, int(n * down + 8 * math.sqrt(n * down) + 5))
    error = 0.0
    for c in range(most + 1):
        # the P-value falls with b: find the first b that certifies
        certifying = [b for b in range(min(most, n - c) + 1) if tango_p_not_worse(b, c, n, -margin) <= 0.05]
        b = np.array(certifying)
        if len(b):
            counts = np.stack([b, np.full(len(b), c), n - b - c], axis=1)
            error += float(multinomial.pmf(counts, n, [up, down, 1 - up - down]).sum())
    assert error == pytest.approx(published, abs=0.004)


@given(TABLES, st.floats(-0.3, 0.3), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_leaves_out_what_the_tests_reject(table: tuple[int, int, int], d: float, alpha: float) -> None:
    b, c, agree = table
    n = b + c + agree
    ends = tango_interval(b, c, n, 1 - 2 * alpha)
    if abs(d - ends.low) > 1e-9:
        assert (tango_p_not_worse(b, c, n, d) < alpha) == (d < ends.low)
    if abs(d - ends.high) > 1e-9:
        assert (tango_p_worse(b, c, n, d) < alpha) == (d > ends.high)


@given(TABLES)
def test_swapping_the_models_mirrors_the_interval(table: tuple[int, int, int]) -> None:
    b, c, agree = table
    n = b + c + agree
    ends, mirrored = tango_interval(b, c, n), tango_interval(c, b, n)
    assert ends.low == pytest.approx(-mirrored.high, abs=1e-11)
    assert ends.low <= (b - c) / n <= ends.high


@given(TABLES, st.floats(-1, 1), st.floats(-1, 1))
def test_z_falls_with_the_hypothesis(table: tuple[int, int, int], first: float, second: float) -> None:
    b, c, agree = table
    low, high = sorted((first, second))
    assert tango_z(b, c, b + c + agree, low) >= tango_z(b, c, b + c + agree, high) - 1e-6


@pytest.mark.parametrize(("b", "c", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, math.inf)])
def test_impossible_tables_are_refused(b: float, c: float, n: float) -> None:
    with pytest.raises(InvalidInput, match="paired table"):
        tango_interval(b, c, n)
    with pytest.raises(InvalidInput):
        tango_z(b, c, n, 0.0)


def test_impossible_hypotheses_are_refused() -> None:
    with pytest.raises(InvalidInput, match="difference"):
        tango_z(1, 1, 5, 1.5)
