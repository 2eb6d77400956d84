"""Why Tango and Holm: what other ways to certify, to accuse and to resample would do on the same rows."""

import numpy as np
from benchmarks.simulations.figures import Row, Share
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from assay.stats import benjamini_hochberg, delong_from_histogram, holm, normal
from assay.stats.histogram import Histogram
from assay.stats.score_arrays import tango_zs

__all__ = ["AT_MARGIN", "certified_at_the_margin", "resampled_area", "twenty_nulls"]

Floats = NDArray[np.float64]

_Z = normal.critical_value(0.9)
_MARGIN = 0.02

# validation.md, section 3.6: rows, disagreement; Tango, Wald (40 000 repetitions), percentile bootstrap (1500).
AT_MARGIN: dict[tuple[int, float], tuple[float, float, float]] = {
    (50, 0.04): (0.021, 0.217, 0.231),
    (50, 0.10): (0.054, 0.072, 0.062),
    (200, 0.04): (0.044, 0.074, 0.059),
    (1000, 0.04): (0.048, 0.058, 0.057),
}
AT_MARGIN_RUNS = (40_000, 40_000, 1500)


def certified_at_the_margin(seed: int, repetitions: int, replicates: int = 400) -> list[Row]:
    """P("not worse by .02" is shown | worse by exactly .02), at 5 %: by Tango, Wald and the percentile bootstrap."""
    generator = np.random.default_rng([seed, 3])
    rows = []
    for n, psi in AT_MARGIN:
        p_b, p_c = (psi - _MARGIN) / 2, (psi + _MARGIN) / 2
        b, c = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
        inside = (b + c <= n) & (b <= 60 + 4 * n * psi) & (c <= 60 + 4 * n * psi)
        b, c = b[inside], c[inside]
        chance = scipy_stats.multinomial.pmf(np.column_stack([b, c, n - b - c]), n, [p_b, p_c, 1 - psi])
        z = tango_zs(b, c, np.full(len(b), float(n)), np.full(len(b), -_MARGIN))
        tango, wald = (float(chance[shown].sum()) for shown in (normal.upper_tails(z) <= 0.05, _wald(b, c, n)))
        drawn = generator.multinomial(n, [p_b, p_c, 1 - psi], size=repetitions)
        again = generator.multinomial(n, drawn[:, None, :] / n, size=(repetitions, replicates))
        low = np.quantile((again[..., 0] - again[..., 1]) / n, 0.05, axis=1)
        rows.append(
            Row(
                {"rows": f"{n:,}", "disagreement": f"{psi:.2f}"},
                {
                    "Tango": Share(tango),
                    "Wald": Share(wald),
                    "percentile bootstrap": Share(float((low > -_MARGIN).mean()), repetitions),
                },
            )
        )
    return rows


def _wald(b: Floats, c: Floats, n: int) -> NDArray[np.bool_]:
    difference = (b - c) / n
    error = np.sqrt(np.maximum(0.0, (b + c) / n - difference**2) / n)
    certified: NDArray[np.bool_] = difference - _Z * error > -_MARGIN
    return certified


def twenty_nulls(seed: int, repetitions: int, alpha: float = 0.1) -> list[Row]:
    """P(any of 20 true nulls is rejected), at 10 %: uncorrected, and after the corrections."""
    p_values = np.random.default_rng([seed, 4]).random((repetitions, 20)).tolist()
    rules = {
        "none": [min(some) <= alpha for some in p_values],
        "Benjamini–Hochberg": [min(benjamini_hochberg(some)) <= alpha for some in p_values],
        "Holm": [min(holm(some)) <= alpha for some in p_values],
    }
    return [
        Row({"correction": name}, {"any rejection": Share(float(np.mean(found)), repetitions)})
        for name, found in rules.items()
    ]


def resampled_area(seed: int, rows: int, replicates: int) -> dict[str, float]:
    """The standard error of one area: DeLong from the histogram, and Poisson weights on its cells and on the rows.

    Scores as a model of rare events gives them; the histogram is the profile's. One set of rows, `replicates` times
    weighted anew, so each resampled error has a relative error of 1/√(2·replicates).
    """
    generator = np.random.default_rng([seed, 5])
    logit = generator.normal(-2.0, 1.2, rows)
    label = generator.random(rows) < 1 / (1 + np.exp(-logit))
    score = 1 / (1 + np.exp(-(logit + generator.normal(0.0, 1.0, rows))))
    histogram = Histogram.count(np.zeros(rows, dtype=np.int64), 1, score, label)
    positives, negatives = histogram.positives, histogram.negatives
    _, variance = delong_from_histogram(positives, negatives)
    cells = [_area(generator.poisson(positives), generator.poisson(negatives)) for _ in range(replicates)]
    order = np.argsort(score, kind="stable")
    ranked = label[order]
    again = []
    for _ in range(replicates):
        weight = generator.poisson(1.0, rows)
        again.append(_area(weight * ranked, weight * ~ranked))
    return {
        "DeLong": float(np.sqrt(variance)),
        "cells": float(np.std(cells, ddof=1)),
        "rows": float(np.std(again, ddof=1)),
    }


def _area(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> float:
    """The area from counts in increasing order of the score; equal scores stand in one cell."""
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / (positives.sum() * negatives.sum()))
