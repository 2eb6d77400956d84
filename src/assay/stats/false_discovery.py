"""Corrections that bound the share of false ones among the rejected hypotheses."""

from collections.abc import Sequence

from assay.errors import InvalidInput

__all__ = ["benjamini_hochberg", "benjamini_yekutieli", "e_benjamini_hochberg"]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted P-values in the order given; rejecting those <= α holds the false discovery rate at α.

    min over j >= rank of m·p₍ⱼ₎/j (Benjamini & Hochberg 1995). Assumes independent or positively dependent
    tests. For many columns of a drift report, where a small share of false alarms is acceptable; not for
    accusing a model or a group (`multiplicity.holm`): where all hypotheses are true, some rejection happens with
    probability up to α, but next to true rejections false ones are let in. Empty in, empty out. InvalidInput for
    a P-value outside [0, 1], NaN included.
    """
    return _step_up(p_values, 1.0)


def benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    """As `benjamini_hochberg`, under any dependence of the tests: multiplied by Σ 1/i, i = 1 … m.

    Benjamini & Yekutieli 2001 (Ann Stat 29:1165). The price is a factor of about ln m + 0.58.
    """
    return _step_up(p_values, sum(1.0 / i for i in range(1, len(p_values) + 1)))


def e_benjamini_hochberg(e_values: Sequence[float]) -> list[float]:
    """Adjusted P-values of e-values (Bayes factors of tests at will), valid under any dependence without a price.

    Benjamini-Hochberg of 1/e (Wang & Ramdas 2022, JRSS B 84:822). Not for the largest e-value of several looks, which
    is none: take the one of this look. InvalidInput for an e-value below 0 or NaN.
    """
    for position, e in enumerate(e_values):
        if not e >= 0.0:
            raise InvalidInput(f"e-value number {position} is {e!r}", expected="0 or more")
    return _step_up([1.0 if e <= 1.0 else 1.0 / e for e in e_values], 1.0)


def _step_up(p_values: Sequence[float], factor: float) -> list[float]:
    for position, p in enumerate(p_values):
        if not 0.0 <= p <= 1.0:
            raise InvalidInput(f"P-value number {position} is {p!r}", expected="a number in [0, 1]")
    m = len(p_values)
    adjusted = [0.0] * m
    smallest = 1.0
    order = sorted(range(m), key=p_values.__getitem__)
    for rank in range(m, 0, -1):
        position = order[rank - 1]
        # max: factor·m/m may round to just below 1, and an adjusted value must not be below its own.
        smallest = min(smallest, max(p_values[position], p_values[position] * factor * m / rank))
        adjusted[position] = smallest
    return adjusted
