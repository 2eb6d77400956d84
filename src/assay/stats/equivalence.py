"""Power of showing that a rate lies between two bounds."""

from assay.errors import InvalidInput

__all__ = ["rate_equivalence_power"]


def rate_equivalence_power(low: float, high: float, n: int, rate: float, alpha: float = 0.05) -> float:
    """The probability that `n` rows of a true `rate` show, by two exact one-sided tests, low < rate < high.

    Equivalence is shown where both H0: p <= low and H0: p >= high are rejected at `alpha` (TOST, Schuirmann
    1987), each by its binomial tail; the power is the binomial probability of those counts, exact, and so not
    monotone in n. 0 where no count shows it. InvalidInput unless 0 <= low < high <= 1, 0 <= rate <= 1, n >= 1
    and 0 < alpha < 1.
    """
    from scipy.stats import binom

    if not 0.0 <= low < high <= 1.0:
        raise InvalidInput(f"the bounds are {low!r} and {high!r}", expected="0 <= low < high <= 1")
    if not 0.0 <= rate <= 1.0:
        raise InvalidInput(f"the rate is {rate!r}", expected="0 to 1")
    if n < 1:
        raise InvalidInput(f"{n!r} rows", expected="1 or more")
    if not 0.0 < alpha < 1.0:
        raise InvalidInput(f"alpha is {alpha!r}", expected="inside (0, 1), such as 0.05")
    # isf: the least k with P(X > k) <= alpha; k + 1 successes or more reject p <= low.
    fewest = int(binom.isf(alpha, n, low)) + 1
    # ppf: the least k with P(X <= k) >= alpha; k - 1 successes or fewer reject p >= high.
    most = int(binom.ppf(alpha, n, high)) - 1
    if most < fewest:
        return 0.0
    return float(binom.cdf(most, n, rate) - binom.cdf(fewest - 1, n, rate))
